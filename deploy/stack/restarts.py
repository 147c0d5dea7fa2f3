"""When a process that ended is started again: soon, then later, then seldom and visibly."""

from collections import deque
from dataclasses import dataclass
from typing import Final

RESTARTS_MAX: Final = 5
"""More within the window are a visible failure."""

WINDOW_S: Final = 60.0
DELAY_S_FIRST: Final = 0.25
DELAY_S_MAX: Final = 4.0
DELAY_S_FAILED: Final = 60.0
"""A failed part is still tried, once a minute: what it needed may have come back."""


@dataclass(frozen=True)
class Restart:
    """What to do with a process that has just ended."""

    delay_s: float
    is_failure: bool


class RestartHistory:
    """Remembers one process's ends within the window."""

    def __init__(self) -> None:
        """Start with no ends."""
        self._ends_s: deque[float] = deque()

    def ended(self, now_s: float) -> Restart:
        """Take note of an end at `now_s` (any monotonic clock) and say when to start again."""
        while self._ends_s and now_s - self._ends_s[0] > WINDOW_S:
            self._ends_s.popleft()
        self._ends_s.append(now_s)
        count = len(self._ends_s)
        if count > RESTARTS_MAX:
            self._ends_s.popleft()
            return Restart(delay_s=DELAY_S_FAILED, is_failure=True)
        delay_s = min(DELAY_S_FIRST * 2 ** (count - 1), DELAY_S_MAX)
        return Restart(delay_s=delay_s, is_failure=False)
