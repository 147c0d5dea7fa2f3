"""Sequence windows and timers."""

from streams.domain.timers import Timers
from streams.domain.windows import (
    BOOTS_PER_SOURCE_MAX,
    LANES_CLOSED_MAX,
    WINDOW_BITS,
    SourceLanes,
    decode_lanes,
    encode_lanes,
)


def _admit(lanes: SourceLanes, seq: int, boot: str = "b1", now_ms: int = 0) -> str:
    return lanes.admit(boot, seq, historical=False, now_ms=now_ms)


def test_disorder_inside_the_window_is_accepted_once() -> None:
    """At the limit: the last bit of the window, and one below it."""
    lanes = SourceLanes("scanner")
    top = 3 * WINDOW_BITS
    assert _admit(lanes, top) == "new"
    assert _admit(lanes, top - WINDOW_BITS + 1) == "new"
    assert _admit(lanes, top - WINDOW_BITS + 1) == "repeat"
    assert _admit(lanes, top - WINDOW_BITS) == "too_old"


def test_a_leap_ahead_forgets_the_window() -> None:
    """Also one of a whole window and more."""
    lanes = SourceLanes("scanner")
    assert [_admit(lanes, seq) for seq in (1, WINDOW_BITS, 10**12, 10**12)] == [
        *("new", "new", "new", "repeat")
    ]


def test_the_window_survives_its_encoding() -> None:
    """A restored window knows the same numbers."""
    lanes = SourceLanes("scanner")
    for seq in (5, 900, 33):
        _admit(lanes, seq)
    restored = decode_lanes(encode_lanes(lanes))
    assert encode_lanes(restored) == encode_lanes(lanes)
    assert [_admit(restored, seq) for seq in (5, 900, 33, 34)] == ["repeat"] * 3 + ["new"]


def test_only_the_newest_sessions_are_remembered() -> None:
    """The one that was used longest ago goes, not the one that began first."""
    lanes = SourceLanes("scanner")
    for number in range(BOOTS_PER_SOURCE_MAX):
        _admit(lanes, 1, boot=f"b{number}", now_ms=number)
    _admit(lanes, 2, boot="b0", now_ms=50)
    _admit(lanes, 1, boot="new", now_ms=51)
    assert "b0" in lanes.lanes
    assert "b1" not in lanes.lanes
    assert len(lanes.lanes) == BOOTS_PER_SOURCE_MAX


def test_timers_come_up_in_order_and_once() -> None:
    """By due time, then by key; one armed earlier replaces a later one."""
    timers = Timers()
    timers.arm(("b",), 20)
    timers.arm(("a",), 20)
    timers.arm(("c",), 90)
    timers.arm(("c",), 10)
    assert list(timers.due(50)) == [(10, ("c",)), (20, ("a",)), (20, ("b",))]
    assert list(timers.due(100)) == []
    assert len(timers) == 0


def _restarted(times: int) -> SourceLanes:
    """Return a source that was started so often, with one number in each session."""
    lanes = SourceLanes("scanner")
    for number in range(times):
        _admit(lanes, 1, boot=f"b{number}", now_ms=number)
    return lanes


def test_a_session_without_a_window_is_closed() -> None:
    """Which of its numbers were seen is not known any more: none may count, old or new."""
    lanes = _restarted(BOOTS_PER_SOURCE_MAX + 1)
    restored = decode_lanes(encode_lanes(lanes))
    assert [_admit(restored, seq, boot="b0") for seq in (1, 2)] == ["too_old", "too_old"]
    assert _admit(restored, 1, boot="b1") == "repeat"
    assert restored.admit("b0", 1, historical=True, now_ms=99) == "new"


def test_closed_sessions_are_remembered_up_to_a_limit() -> None:
    """The one closed first is forgotten first; the record stays small."""
    lanes = _restarted(BOOTS_PER_SOURCE_MAX + LANES_CLOSED_MAX)
    assert _admit(lanes, 1, boot="b0", now_ms=10**6) == "too_old"
    assert len(lanes.closed) == 8 * LANES_CLOSED_MAX
    _admit(lanes, 1, boot="one more", now_ms=10**6)
    assert len(lanes.closed) == 8 * LANES_CLOSED_MAX
    assert _admit(lanes, 1, boot="b1", now_ms=10**6) == "too_old"
    assert _admit(lanes, 1, boot="b0", now_ms=10**6) == "new"
