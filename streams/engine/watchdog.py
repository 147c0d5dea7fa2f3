"""Tells a worker that has frames to read and gets nowhere from one that is only idle.

After long outages of a broker a consumer can live on without consuming. The supervisor sees a
living process, so the process must end itself.
"""

from dataclasses import dataclass
from typing import Final

OBSERVATIONS_STALLED: Final = 4
"""So many observations in a row without progress make a stall; a process that was paused between
two of them has made only one."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One look at a partition."""

    applied_offset: int
    position: int
    """Offset that the consumer reads next."""
    end_offset: int
    """Committed end of the input partition."""
    held_frames: int
    """Frames read and not yet committed."""


class StallWatch:
    """Watches one worker's partitions; make one look at each every quarter of the limit."""

    def __init__(self) -> None:
        """Begin with no partition seen."""
        self._last: dict[int, Progress] = {}
        self._stalled: dict[int, int] = {}

    def observe(self, partition: int, progress: Progress) -> bool:
        """Return whether the partition has had frames and made no progress for too long."""
        last = self._last.get(partition)
        self._last[partition] = progress
        behind = progress.position < progress.end_offset or progress.held_frames > 0
        moved = last is None or (last.applied_offset, last.position) != (
            progress.applied_offset,
            progress.position,
        )
        self._stalled[partition] = (
            self._stalled.get(partition, 0) + 1 if behind and not moved else 0
        )
        return self._stalled[partition] >= OBSERVATIONS_STALLED

    def forget(self, partition: int) -> None:
        """Forget a partition that is no longer owned."""
        self._last.pop(partition, None)
        self._stalled.pop(partition, None)
