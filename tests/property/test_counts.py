"""Counts over random lives: a booked count is the truth of its time, whatever came in between."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ingest.contracts.counts import CountLineInput
from ingest.contracts.policies import PolicyRecord
from ingest.frames import InputItem, ReferenceInput, ScanInput
from streams.contracts.counts import COUNT, CountLineAnswered, CountRecord
from streams.contracts.state import decode, key_parts
from tests.property.fold_scripts import Step, run, script_of, scripts

SESSION = "count-hall-9"


def _asked(action: Any, units: int = 0, at_ms: int = 0) -> CountLineInput:
    return CountLineInput(SESSION, "milk", "hall", action, "ann", units, at_ms)


MOVES = st.lists(
    st.tuples(st.sampled_from(["sale", "receive", "waste"]), st.integers(0, 9), st.integers(1, 99)),
    max_size=12,
)


@given(scripts(), MOVES, st.integers(0, 30), st.randoms(use_true_random=False))
def test_a_count_is_the_book_of_its_own_time(
    script: list[Step], moves: list[tuple[str, int, int]], units: int, shuffle: Any
) -> None:
    """However late and in whatever order facts come: book = counted + what moved after the look."""
    story = run([*script, (0, ReferenceInput(9, PolicyRecord(scope="network")))])
    story.tell(
        ReferenceInput(9, PolicyRecord("sku_site", "hall", "", "milk", negative_stock="allow"))
    )
    for other in ("count-hall-1", "count-hall-2"):
        story.tell(CountLineInput(other, "milk", "hall", "close", "ann"))
    story.tell(_asked("open"), after_ms=1_000)
    begin_ms = story.now_ms
    looked_ms = begin_ms + 50
    told: list[InputItem] = [
        ScanInput(
            sku="milk",
            site="hall",
            source="scanner-9",
            boot="b9",
            seq=seq,
            observed_at_ms=begin_ms + after_ms,
            historical=False,
            action=action,  # type: ignore[arg-type] # one of the three
            quantity_units=moved,
        )
        for seq, (action, moved, after_ms) in enumerate(moves)
    ]
    told.append(_asked("enter", units, looked_ms))
    shuffle.shuffle(told)
    for item in told:
        story.tell(item, after_ms=100 if isinstance(item, CountLineInput) else 1)
    story.tell(_asked("approve"))
    after_units = sum(
        moved if action == "receive" else -moved
        for action, moved, after_ms in moves
        if after_ms > 50
    )
    assert story.level("hall", "milk").on_hand_units == units + after_units


@given(scripts())
def test_the_accuracy_is_what_was_counted(script: list[Step]) -> None:
    """Every booked count, of a session or of a scan, is in the record of its level once."""
    story = run(script)
    counted: Counter[tuple[str, str]] = Counter()
    for movement in story.movements():
        if movement.kind == "count" and not {"late", "in_session"} & set(movement.flags):
            counted[movement.sku, movement.site] += 1
    kept = {}
    for raw, value in story.state.items():
        if key_parts(raw)[0] == COUNT:
            record = decode(raw, value)
            assert isinstance(record, CountRecord)
            assert 0 <= record.within_tolerance <= record.counted
            kept[key_parts(raw)[1], key_parts(raw)[2]] = record.counted
    assert kept == dict(counted)


@given(scripts())
def test_a_session_told_twice_changes_nothing(script: list[Step]) -> None:
    """Each thing a session asks may be asked again at once."""
    twice: list[Step] = []
    for after_ms, item in script:
        twice.append((after_ms, item))
        if isinstance(item, CountLineInput) and item.action != "recount":
            twice.append((0, item))
    plain, other = run(script), run(twice)
    refused = [one for one in other.plans(CountLineAnswered) if one.state in {"refused", "skipped"}]
    assert other.state == plain.state
    assert other.movements() == plain.movements()
    assert len(refused) >= len(
        [one for one in plain.plans(CountLineAnswered) if one.state in {"refused", "skipped"}]
    )


def test_the_random_lives_count() -> None:
    """The scripts these tests draw do book, hold back and book out late facts."""
    states: Counter[str] = Counter()
    late = 0
    for seed in range(30):
        story = run(script_of(seed, 120))
        states.update(one.state for one in story.plans(CountLineAnswered))
        late += sum("late" in movement.flags for movement in story.movements())
    assert {"open", "counted", "waiting", "recount", "refused"} <= set(states)
    assert late
