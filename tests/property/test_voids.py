"""Voids after random lives of a partition: whatever is taken back leaves no trace in stock."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ingest.frames import ScanInput
from streams.contracts.events import CommandAccepted
from streams.contracts.ledger import scan_cause
from streams.periods import Period, TableCut, all_hold
from tests.property.fold_scripts import SITES, SKUS, Step, run, scripts, void_command
from tests.unit.streams.builders import Story

SCANS = st.builds(
    lambda sku, site, other, action, units, cost: ScanInput(
        sku=sku,
        site=site,
        source="scanner-9",
        boot="b9",
        seq=1,
        observed_at_ms=1_000_000,
        historical=False,
        action=action,
        quantity_units=units,
        counterpart_site=other,
        unit_cost_minor=cost,
    ),
    st.sampled_from(SKUS),
    st.sampled_from(SITES),
    st.sampled_from(("", *SITES)),
    st.sampled_from(
        ("receive", "sale", "pick", "return", "waste", "adjust", "count", "dispatch", "arrive")
    ),
    st.integers(0, 40),
    st.sampled_from((-1, 0, 7, 333)),
)


def _stock(story: Story) -> dict[str, Any]:
    """Return units and value of every level, and of what is on its way in all."""
    kept: dict[str, Any] = {
        f"{level.sku}@{level.site}": (level.on_hand_units, level.value_minor)
        for level in story.levels()
    }
    for sku in SKUS:
        moving = [one for one in story.transfers() if one.sku == sku]
        units = sum(one.dispatched_units - one.received_units - one.lost_units for one in moving)
        kept[sku] = (units, sum(one.value_minor for one in moving))
    return kept


@given(scripts(), SCANS)
def test_a_void_restores_units_and_money(script: list[Step], scan: ScanInput) -> None:
    """A scan that is taken back at once leaves all books, and what is on its way, as they were.

    No request stays closed by a receipt that was none.
    """
    story = run(script)
    asked = {need.need_id for need in story.needs() if need.state == "open"}
    before, lost = _stock(story), sum(one.lost_units for one in story.transfers())
    known = len(story.movements())
    story.tell(scan)
    if sum(one.lost_units for one in story.transfers()) != lost:
        return  # what was found by it stays found
    cause = scan_cause(scan.source, scan.boot, scan.seq)
    command = void_command(story, cause, "the-void")
    story.tell(command)
    counted = {one.cause for one in story.movements()[known:] if one.kind == "count"} - {cause}
    if not counted and any(  # a count that knows better books the scan out by itself
        event.command_id == "the-void" for event in story.events(CommandAccepted)
    ):
        assert _stock(story) == before
        for need in story.needs():
            served = need.state == "closed" and need.received_units >= need.quantity_units
            assert scan.action != "receive" or need.need_id not in asked or not served
    voided = _stock(story)
    story.tell(msgspec.structs.replace(command, command_id="again"))
    assert _stock(story) == voided
    table = TableCut()
    for raw, value in story.state.items():
        table.take(raw, value)
    period = Period(table, 0, 1 << 62)
    for movement in story.movements():
        period.take(movement)
    assert all_hold(period.balances().values())
