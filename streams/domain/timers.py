"""Timers: a heap of when something is due, rebuilt from the state after a restore.

A timer that was put off stays in the heap where it was; it finds out when it comes up. So a
refreshed time costs one look-up and no heap operation, and what is due always comes up in the
order of its true due time, whether the heap was built live or by a restore.
"""

from collections.abc import Iterator
from heapq import heappop, heappush

TimerKey = tuple[str, ...]
"""A kind and the parts of what it is of: `("level", sku, site)`."""


class Timers:
    """At most one due time a key."""

    def __init__(self) -> None:
        """Begin with none."""
        self._heap: list[tuple[int, TimerKey]] = []
        self._armed: dict[TimerKey, int] = {}

    def __len__(self) -> int:
        """Return how many keys have a due time."""
        return len(self._armed)

    def clear(self) -> None:
        """Forget all."""
        self._heap = []
        self._armed = {}

    def arm(self, timer_key: TimerKey, due_ms: int) -> None:
        """Let `timer_key` come up at `due_ms` or earlier; a later armed time is replaced."""
        armed_ms = self._armed.get(timer_key)
        if armed_ms is None or due_ms < armed_ms:
            self._armed[timer_key] = due_ms
            heappush(self._heap, (due_ms, timer_key))

    def is_due(self, now_ms: int) -> bool:
        """Tell whether a timer may come up now."""
        return bool(self._heap) and self._heap[0][0] <= now_ms

    def due(self, now_ms: int) -> Iterator[tuple[int, TimerKey]]:
        """Take what comes up by now, in order of (due time, key); it may arm itself again."""
        heap = self._heap
        while heap and heap[0][0] <= now_ms:
            due_ms, timer_key = heappop(heap)
            if self._armed.get(timer_key) == due_ms:
                del self._armed[timer_key]
                yield due_ms, timer_key
