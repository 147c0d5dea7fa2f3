"""Timers: a heap of when something is due, rebuilt from the state after a restore.

A timer that was put off stays in the heap where it was; it finds out when it comes up. So a
refreshed time costs one look-up and no heap operation, and what is due always comes up in the
order of its true due time, whether the heap was built live or by a restore.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from math import inf

TimerKey = tuple[str, ...]
"""A kind and the parts of what it is of: `("level", sku, site)`."""


class Timers:
    """At most one due time a key."""

    def __init__(self) -> None:
        """Begin with none."""
        self._heap: list[tuple[int, TimerKey]] = []
        self._armed: dict[TimerKey, int] = {}
        self.next_ms: float = inf
        """When the next timer may come up; infinite while there is none."""

    def __len__(self) -> int:
        """Return how many keys have a due time."""
        return len(self._armed)

    def clear(self) -> None:
        """Forget all."""
        self._heap = []
        self._armed = {}
        self.next_ms = inf

    def arm(self, timer_key: TimerKey, due_ms: int) -> None:
        """Let `timer_key` come up at `due_ms` or earlier; a later armed time is replaced."""
        armed_ms = self._armed.get(timer_key)
        if armed_ms is None or due_ms < armed_ms:
            self._armed[timer_key] = due_ms
            heappush(self._heap, (due_ms, timer_key))
            self.next_ms = self._heap[0][0]

    def due(self, now_ms: int) -> Iterator[tuple[int, TimerKey]]:
        """Take what comes up by now, in order of (due time, key); it may arm itself again."""
        heap = self._heap
        while heap and heap[0][0] <= now_ms:
            due_ms, timer_key = heappop(heap)
            self.next_ms = heap[0][0] if heap else inf
            if self._armed.get(timer_key) == due_ms:
                del self._armed[timer_key]
                yield due_ms, timer_key
