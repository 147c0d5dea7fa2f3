"""Timers of a fold: when something is due, by name; rebuilt from state at every start."""

import heapq
from typing import Final

_SLACK: Final = 64
"""Dead heap entries that are tolerated beside as many dead ones as there are timers."""


class Timers:
    """A heap of named due times; what is due comes out by time, then by name.

    A name has one due time; setting it again replaces it. The heap is at most twice as long as
    there are timers (and `_SLACK`), however often they are moved.
    """

    def __init__(self) -> None:
        """Begin with no timer."""
        self._due_ms: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def __len__(self) -> int:
        """Return how many timers are set."""
        return len(self._due_ms)

    def clear(self) -> None:
        """Forget all timers."""
        self._due_ms.clear()
        self._heap.clear()

    def set(self, name: str, due_ms: int) -> None:
        """Let `name` be due at `due_ms`, in place of any earlier or later time."""
        if self._due_ms.get(name) == due_ms:
            return
        self._due_ms[name] = due_ms
        heapq.heappush(self._heap, (due_ms, name))
        if len(self._heap) > 2 * len(self._due_ms) + _SLACK:
            self._heap = [(due, kept) for kept, due in self._due_ms.items()]
            heapq.heapify(self._heap)

    def cancel(self, name: str) -> None:
        """Forget the timer of `name`, if there is one."""
        self._due_ms.pop(name, None)

    def due_ms(self, name: str) -> int | None:
        """Return when `name` is due, or None."""
        return self._due_ms.get(name)

    def pop_due(self, now_ms: int) -> str | None:
        """Take and return the first name due at or before `now_ms`, or None."""
        while self._heap and self._heap[0][0] <= now_ms:
            due_ms, name = heapq.heappop(self._heap)
            if self._due_ms.get(name) == due_ms:
                del self._due_ms[name]
                return name
        return None
