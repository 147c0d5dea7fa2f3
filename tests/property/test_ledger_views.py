"""Reconciliation and journal over random lives of a partition."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.ledger import Movement
from streams.journal import Accounts, Entry, entry_of
from streams.periods import Amount, Period, TableCut, all_hold, totals_by_site
from tests.property.fold_scripts import Step, run, script_of, scripts
from tests.unit.streams.builders import T0, Story

_ACCOUNTS = Accounts()


def _cut(story: Story) -> TableCut:
    table = TableCut()
    for raw, value in story.state.items():
        table.take(raw, value)
    return table


def _period(
    table: TableCut, movements: list[Movement], from_ms: int = 0, to_ms: int = 1 << 62
) -> Period:
    period = Period(table, from_ms, to_ms)
    for movement in movements:
        period.take(movement)
    return period


def _entries(story: Story) -> list[Entry]:
    made = (entry_of(movement, _ACCOUNTS) for movement in story.movements())
    return [entry for entry in made if entry is not None]


@given(scripts(), st.integers(0, 1_500), st.integers(0, 1_500))
def test_every_period_reconciles(script: list[Step], begin: int, length: int) -> None:
    """Opening + in - out + adjust = closing for each key, the sites and the network, anywhere."""
    story = run(script)
    begin_ms = T0 + begin
    balances = _period(_cut(story), story.movements(), begin_ms, begin_ms + length + 1).balances()
    assert balances
    assert all_hold(balances.values())
    assert all_hold(totals_by_site(balances).values())


@given(scripts(), st.integers(0, 1_500))
def test_one_period_closes_where_the_next_opens(script: list[Step], cut: int) -> None:
    """What is recorded after a period's end changes nothing of it."""
    story = run(script)
    table, movements, cut_ms = _cut(story), story.movements(), T0 + cut
    first = _period(table, movements, 0, cut_ms).balances()
    second = _period(table, movements, cut_ms).balances()
    assert {key: one.closing for key, one in first.items()} == {
        key: one.opening for key, one in second.items()
    }


@given(scripts(), st.integers(0, 60))
def test_a_table_read_before_the_ledger_reconciles(script: list[Step], length: int) -> None:
    """What the fold does between reading the table and the ledger breaks no line."""
    tables: list[TableCut] = []

    def keep(story: Story, number: int) -> None:
        story.drain()
        if number == min(length, len(script) - 1):
            tables.append(_cut(story))

    story = run(script, keep)
    for table in tables:
        assert all_hold(_period(table, story.movements()).balances().values())


@given(scripts(), st.integers(0, 10_000))
def test_a_movement_that_is_missing_is_noticed(script: list[Step], place: int) -> None:
    """Without one of the movements that changed a book, not every line holds."""
    story = run(script)
    movements = story.movements()
    moved = [
        number
        for number, movement in enumerate(movements)
        if movement.bucket in {"on_hand", "in_transit"} and movement.quantity_units
    ]
    del movements[moved[place % len(moved)]]
    assert not all_hold(_period(_cut(story), movements).balances().values())


@given(scripts())
def test_the_stock_accounts_hold_what_the_table_holds(script: list[Step]) -> None:
    """Debits less credits of the two stock accounts are the value of stock, and all sums to 0."""
    story = run(script)
    sums: Counter[str] = Counter()
    for entry in _entries(story):
        assert entry.amount_minor > 0
        assert entry.debit_account != entry.credit_account
        sums[entry.debit_account] += entry.amount_minor
        sums[entry.credit_account] -= entry.amount_minor
    held = {"on_hand": Amount(), "in_transit": Amount()}
    for (_, _, place), amount in _cut(story).amounts().items():
        held[place].add(amount.units, amount.minor)
    assert sum(sums.values()) == 0
    assert sums["inventory"] == held["on_hand"].minor
    assert sums["goods_in_transit"] == held["in_transit"].minor


@given(scripts())
def test_each_entry_has_an_id_of_its_own(script: list[Step]) -> None:
    """What takes the journal twice recognises every entry by its id."""
    ids = [entry.entry_id for entry in _entries(run(script))]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("every", [1, 7])
def test_a_restore_changes_no_line(every: int) -> None:
    """Lines and entries are the same with restores in between, and with fewer drains."""
    script = script_of(7, 120)

    def restore(story: Story, number: int) -> None:
        if number % every == 0:
            story.restore()

    live, restored = run(script, lambda *_: None), run(script, restore)
    assert _entries(live) == _entries(restored)
    assert (
        _period(_cut(live), live.movements()).balances()
        == _period(_cut(restored), restored.movements()).balances()
    )
