"""What small folds share: timers, the table of records, the outbox."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ingest.frames import FRAME_ITEMS_MAX, INPUT_FRAMES, TickInput
from streams.contracts.plans import PlanClock
from streams.contracts.state import CLOCK, SEPARATOR, key
from streams.engine.outbox import FrameOutbox
from streams.engine.table import RecordTable
from streams.engine.timers import Timers


def test_timers_come_up_by_time_then_by_name() -> None:
    """The order is explicit, whatever the order in which they were set."""
    timers = Timers()
    for name, due_ms in [("b", 5), ("c", 3), ("a", 5), ("d", 9)]:
        timers.set(name, due_ms)
    assert [timers.pop_due(5) for _ in range(4)] == ["c", "a", "b", None]
    assert len(timers) == 1
    assert timers.due_ms("d") == 9


def test_a_timer_has_one_time_and_can_be_cancelled() -> None:
    """Setting replaces, also by an earlier time; what is cancelled never comes up."""
    timers = Timers()
    timers.set("a", 9)
    timers.set("a", 3)
    timers.set("b", 4)
    timers.cancel("b")
    assert [timers.pop_due(10), timers.pop_due(10)] == ["a", None]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 50)), max_size=400))
def test_the_heap_stays_small_however_often_timers_move(moves: list[tuple[str, int]]) -> None:
    """Dead entries never outnumber the live ones by more than the slack."""
    timers = Timers()
    expected: dict[str, int] = {}
    for name, due_ms in moves:
        timers.set(name, due_ms)
        expected[name] = due_ms
        assert len(timers._heap) <= 2 * len(timers) + 64
    found = []
    while (name := timers.pop_due(100)) is not None:  # type: ignore[assignment] # a loop variable above
        found.append(name)
    assert found == sorted(expected, key=lambda it: (expected[it], it))


def test_a_table_tells_changes_by_key_and_deletions() -> None:
    """Drained once, in key order; a record that came and went is a deletion."""
    table = RecordTable({CLOCK: PlanClock}, SEPARATOR)
    table.load({key(CLOCK, "z"): msgspec.msgpack.encode(PlanClock(now_ms=3)), b"other": b"?"})
    table.put(key(CLOCK, "b"), PlanClock(now_ms=2))
    table.put(key(CLOCK, "a"), PlanClock(now_ms=1))
    table.delete(key(CLOCK, "z"))
    table.delete(key(CLOCK, "never"))
    assert [record.now_ms for _, record in table.of_kind(CLOCK)] == [1, 2]
    drained = table.drain()
    assert list(drained) == [key(CLOCK, "a"), key(CLOCK, "b"), key(CLOCK, "z")]
    assert drained[key(CLOCK, "z")] is None
    assert table.drain() == {}


def test_the_outbox_cuts_frames_at_the_limit_and_by_time() -> None:
    """Items of two times never share a frame; order within a partition is kept."""
    outbox = FrameOutbox()
    for number in range(FRAME_ITEMS_MAX + 1):
        outbox.add("t", 1, INPUT_FRAMES, TickInput(number), at_ms=5)
    outbox.add("t", 1, INPUT_FRAMES, TickInput(0), at_ms=6)
    outbox.add("s", 0, INPUT_FRAMES, TickInput(0), at_ms=6)
    frames: list[Any] = [(out.topic, INPUT_FRAMES.decode(out.value)) for out in outbox.drain()]
    assert [(topic, f.received_at_ms, len(f.items)) for topic, f in frames] == [
        ("s", 6, 1),
        ("t", 5, FRAME_ITEMS_MAX),
        ("t", 5, 1),
        ("t", 6, 1),
    ]
    assert outbox.drain() == []
