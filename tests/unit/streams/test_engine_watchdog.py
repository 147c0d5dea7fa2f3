"""A stall is frames to read and no progress, several looks in a row; all else is none."""

import pytest

from ingest.contracts.errors import FencedError, LogGapError, StalledError
from streams.engine import worker
from streams.engine.watchdog import OBSERVATIONS_STALLED, Progress, StallWatch

BEHIND = Progress(applied_offset=4, position=5, end_offset=9, held_frames=0)
IDLE = Progress(applied_offset=4, position=9, end_offset=9, held_frames=0)
HOLDING = Progress(applied_offset=4, position=9, end_offset=9, held_frames=1)


@pytest.mark.parametrize("look", [BEHIND, HOLDING])
def test_no_progress_with_frames_to_read_is_a_stall(look: Progress) -> None:
    """Told at the limit and not before; the first look only begins."""
    watch = StallWatch()
    told = [watch.observe(0, look) for _ in range(OBSERVATIONS_STALLED + 1)]
    assert told == [False] * OBSERVATIONS_STALLED + [True]


def test_an_idle_partition_is_no_stall() -> None:
    """Also when transaction markers are all that stands above the applied offset."""
    watch = StallWatch()
    assert not any(watch.observe(0, IDLE) for _ in range(10 * OBSERVATIONS_STALLED))


def test_any_progress_begins_anew() -> None:
    """Of the applied offset, or of what was read."""
    watch = StallWatch()
    for applied_offset in range(20):
        for _ in range(OBSERVATIONS_STALLED):
            look = Progress(applied_offset, position=30, end_offset=40, held_frames=3)
            assert not watch.observe(0, look)


def test_partitions_are_watched_apart() -> None:
    """One that moves does not hide one that does not; a forgotten one begins anew."""
    watch = StallWatch()
    for _ in range(OBSERVATIONS_STALLED):
        assert not watch.observe(0, BEHIND)
        assert not watch.observe(1, IDLE)
    watch.forget(0)
    assert not watch.observe(0, BEHIND)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FencedError("newer"), worker.EXIT_FENCED),
        (LogGapError("gap"), worker.EXIT_INSTALLATION),
        (StalledError("stalled"), worker.EXIT_STALLED),
        (ZeroDivisionError(), worker.EXIT_FAILED),
    ],
)
def test_the_exit_code_tells_what_ended_a_worker(error: BaseException, code: int) -> None:
    """A supervisor and a person read it."""
    assert worker.exit_code(error) == code
