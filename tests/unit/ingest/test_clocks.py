"""Offsets of the sources' clocks."""

import pytest

from ingest import clocks
from ingest.clocks import (
    CLOCK_OFFSET_MS_LIMIT,
    CLOCK_SAMPLES_MIN,
    CLOCK_WINDOW_MS,
    SourceClocks,
)

NOW_MS = 1_700_000_000_000


def _heard(one: SourceClocks, behind_ms: int, *, start_ms: int = NOW_MS, count: int = 20) -> int:
    """Let a source speak every 10 s with a clock that is behind; return the last arrival."""
    at_ms = start_ms
    for place in range(count):
        at_ms = start_ms + place * 10_000
        one.corrected_ms("s", at_ms - behind_ms - place % 3, False, at_ms)
    return at_ms


@pytest.mark.parametrize("behind_ms", [3_600_000, -3_600_000])
def test_a_wrong_clock_is_corrected(behind_ms: int) -> None:
    """An hour behind or ahead ends within a few milliseconds of our clock."""
    one = SourceClocks()
    at_ms = _heard(one, behind_ms)
    corrected_ms = one.corrected_ms("s", at_ms - behind_ms, False, at_ms)
    assert abs(corrected_ms - at_ms) <= 3


def test_a_right_clock_is_left_alone() -> None:
    """A delay within the tolerance is the way to us and not the clock."""
    one = SourceClocks()
    at_ms = _heard(one, 500)
    assert one.corrected_ms("s", at_ms - 500, False, at_ms) == at_ms - 500


def test_historical_events_teach_nothing_and_are_corrected() -> None:
    """What was buffered says nothing of the clock, but is off by it too."""
    one = SourceClocks()
    at_ms = _heard(one, 3_600_000)
    for _ in range(50):
        one.corrected_ms("s", 0, True, at_ms)
    seen_ms = one.corrected_ms("s", at_ms - 7_200_000, True, at_ms)
    assert abs(seen_ms - (at_ms - 3_600_000)) <= 3


def test_history_with_a_broken_clock_teaches_nothing() -> None:
    """Not even where it claims to be of the future, which a live event would be believed."""
    one = SourceClocks()
    at_ms = _heard(one, 3_600_000)
    known_ms = one.offset_ms("s")
    for _ in range(50):
        one.corrected_ms("s", at_ms + 86_400_000, True, at_ms)
    _heard(one, 3_600_000, start_ms=at_ms + CLOCK_WINDOW_MS)
    assert abs(one.offset_ms("s") - known_ms) <= 3


def test_few_events_are_not_believed() -> None:
    """One less than the least number corrects nothing, however long it took."""
    one = SourceClocks()
    at_ms = _heard(one, 3_600_000, count=CLOCK_SAMPLES_MIN - 1)
    assert at_ms - NOW_MS >= 60_000
    assert one.offset_ms("s") == 0
    one.corrected_ms("s", at_ms + 10_000 - 3_600_000, False, at_ms + 10_000)
    assert abs(one.offset_ms("s") - 3_600_000) <= 3


def test_a_slow_way_is_not_taken_for_the_clock() -> None:
    """The window before still counts: its lowest delays know the shortest way."""
    one = SourceClocks()
    at_ms = _heard(one, 3_600_000)
    _heard(one, 3_900_000, start_ms=at_ms + CLOCK_WINDOW_MS)
    assert abs(one.offset_ms("s") - 3_600_000) <= 3


@pytest.mark.parametrize(("driven", "behind_ms"), [(True, 3_600_000), (False, 2_000)])
def test_an_offset_within_the_tolerance_changes_nothing(driven: bool, behind_ms: int) -> None:
    """Driven time moves in steps, so it forgives an hour; wall time two seconds."""
    one = SourceClocks(driven=driven)
    for place in range(20):
        at_ms = NOW_MS + place * 10_000
        assert one.corrected_ms("s", at_ms - behind_ms, False, at_ms) == at_ms - behind_ms
    assert one.offset_ms("s") == behind_ms
    for place in range(20, 200):
        at_ms = NOW_MS + place * 10_000
        corrected_ms = one.corrected_ms("s", at_ms - behind_ms - 1, False, at_ms)
    assert corrected_ms == at_ms


def test_no_time_is_before_the_beginning() -> None:
    """A clock far ahead that once says 0 is corrected to 0 and no further."""
    one = SourceClocks(driven=True)
    for place in range(20):
        at_ms = 10_000 + place * 10_000
        one.corrected_ms("s", at_ms + 7_200_000, False, at_ms)
    assert one.offset_ms("s") == -7_200_000
    assert one.corrected_ms("s", 5, True, 300_000) == 0


def test_a_backlog_after_an_outage_is_no_offset() -> None:
    """Old events in one burst are not taken for a slow clock, however many they are."""
    one = SourceClocks()
    for place in range(500):
        seen_ms = NOW_MS - 600_000 + place
        assert one.corrected_ms("s", seen_ms, False, NOW_MS + place) == seen_ms


def test_one_stray_event_moves_nothing() -> None:
    """A single event from the future is not the clock's offset."""
    one = SourceClocks()
    at_ms = _heard(one, 0)
    one.corrected_ms("s", at_ms + 86_400_000, False, at_ms)
    assert abs(one.offset_ms("s")) <= 3


def test_no_event_is_of_the_future() -> None:
    """In wall time the corrected time is never after the arrival; driven time has no such rule."""
    assert SourceClocks().corrected_ms("s", NOW_MS + 9_000, False, NOW_MS) == NOW_MS
    assert SourceClocks(driven=True).corrected_ms("s", 9_000, False, 0) == 9_000


def test_old_delays_are_forgotten() -> None:
    """A clock that was set right is seen as right two windows later."""
    one = SourceClocks()
    at_ms = _heard(one, -3_600_000)
    assert one.flagged() == ["s"]
    assert abs(one.offset_ms("s")) > CLOCK_OFFSET_MS_LIMIT
    for window in (1, 2):
        _heard(one, 0, start_ms=at_ms + window * CLOCK_WINDOW_MS)
    assert one.flagged() == []


def test_the_number_of_sources_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit the source known longest is forgotten."""
    monkeypatch.setattr(clocks, "CLOCK_SOURCES_MAX", 2)
    one = SourceClocks()
    for source in ("a", "b", "c"):
        one.corrected_ms(source, 0, False, NOW_MS)
    assert set(one._sources) == {"b", "c"}
