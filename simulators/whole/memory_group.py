"""A double of a consumer group: members, sessions, generations, committed offsets.

The coordinator knows only who called lately. A member that is silent past its session is put out,
whatever it still believes; a member's word is taken only in the present generation.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

from ingest.contracts.errors import ShelfstreamError

SESSION_CHECK_S: Final = 0.25

Word = Literal["stay", "rejoin", "unknown"]


class GenerationError(ShelfstreamError):
    """An offset was committed by a member that the group has left behind."""


@dataclass(slots=True)
class _Member:
    seen_at_s: float
    generation: int = -1
    """The last generation it joined."""


class MemoryGroup:
    """The coordinator of one group on one topic."""

    def __init__(
        self,
        partition_count: int,
        *,
        session_timeout_s: float,
        rebalance_timeout_s: float,
        rng: Random,
    ) -> None:
        """Begin with no member; `rng` chooses who gets which partition."""
        self.committed: dict[int, int] = {}
        """Next offset by partition."""
        self.rebalances = 0
        self.expelled = 0
        """Members put out since their session ended."""
        self.generation = 0
        self._partition_count = partition_count
        self._session_timeout_s = session_timeout_s
        self._rebalance_timeout_s = rebalance_timeout_s
        self._rng = rng
        self._members: dict[str, _Member] = {}
        self._assigned: dict[str, list[int]] = {}
        self._deadline_s: float | None = None
        self._later(SESSION_CHECK_S, self._check_sessions)

    def join(self, member_id: str) -> int:
        """Enter the group, or the generation that begins; return that generation."""
        now_s = self._now_s()
        member = self._members.get(member_id)
        if member is None or self._deadline_s is None:
            self._begin_rebalance()
        member = self._members.setdefault(member_id, _Member(now_s))
        member.seen_at_s = now_s
        member.generation = self.generation
        self._end_rebalance_if_due()
        return self.generation

    def leave(self, member_id: str) -> None:
        """Leave the group."""
        if self._members.pop(member_id, None) is not None:
            self._begin_rebalance()

    def heartbeat(self, member_id: str, generation: int) -> Word:
        """Say that a member lives, and hear what it must do."""
        member = self._members.get(member_id)
        if member is None:
            return "unknown"
        member.seen_at_s = self._now_s()
        return "stay" if generation == self.generation else "rejoin"

    def assignment(self, member_id: str, generation: int) -> list[int] | None:
        """Return a member's partitions; None while the generation is not complete.

        Raises:
            GenerationError: Another generation has begun.
        """
        if generation != self.generation or member_id not in self._members:
            raise GenerationError(f"{member_id}: generation {generation} has passed")
        if self._deadline_s is not None:
            return None
        return self._assigned.get(member_id, [])

    def commit(self, member_id: str, generation: int, offsets: dict[int, int]) -> None:
        """Commit next offsets by partition.

        Raises:
            GenerationError: The member was put out, or another generation is complete.
        """
        member = self._members.get(member_id)
        settled = self._deadline_s is None and generation != self.generation
        if member is None or settled or member.generation != generation:
            raise GenerationError(f"{member_id}: generation {generation} has passed")
        self.committed.update(offsets)

    def _begin_rebalance(self) -> None:
        self.generation += 1
        self.rebalances += 1
        self._deadline_s = self._now_s() + self._rebalance_timeout_s
        self._assigned = {}

    def _end_rebalance_if_due(self) -> None:
        if self._deadline_s is None:
            return
        joined = sorted(
            name for name, one in self._members.items() if one.generation == self.generation
        )
        if len(joined) < len(self._members) and self._now_s() < self._deadline_s:
            return
        self._members = {name: self._members[name] for name in joined}
        self._deadline_s = None
        partitions = list(range(self._partition_count))
        self._rng.shuffle(partitions)
        self._assigned = {name: [] for name in joined}
        for index, partition in enumerate(partitions):
            if joined:
                self._assigned[joined[index % len(joined)]].append(partition)

    def _check_sessions(self) -> None:
        now_s = self._now_s()
        for name, member in list(self._members.items()):
            if now_s - member.seen_at_s > self._session_timeout_s:
                self.expelled += 1
                self.leave(name)
        self._end_rebalance_if_due()
        self._later(SESSION_CHECK_S, self._check_sessions)

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()

    def _later(self, delay_s: float, callback: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(delay_s, callback, context=Context())
