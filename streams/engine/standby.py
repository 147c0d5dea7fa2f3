"""A follower: keeps a store of a partition that another worker owns close to the log's end.

When its worker takes the partition over, the store needs only the rest. Only committed records
are read, so a follower never has what its owner may still lose.
"""

from collections.abc import Callable

import structlog

from streams.engine.ports import StateLog
from streams.engine.restore import take, trusted
from streams.engine.store import StateStore, StorePosition

_log = structlog.get_logger(__name__)


class Follower:
    """Follows one state partition into one store."""

    def __init__(
        self, origin: str, state_log: StateLog, store: StateStore, now_ms: Callable[[], int]
    ) -> None:
        """Take an unfenced log and an open store; `origin` names the input partition in logs."""
        self.store = store
        self._origin = origin
        self._state_log = state_log
        self._now_ms = now_ms

    async def follow(self) -> None:
        """Read until cancelled; cut anywhere, the store is as good as its position says.

        Raises:
            KafkaError: The broker has been away for too long, or the topic was made again.
        """
        facts = await self._state_log.facts()
        begin_offset, applied = trusted(self._origin, self.store, facts, self._now_ms())
        _log.info("partition followed", input=self._origin, begin_offset=begin_offset)
        known = self.store.position
        saved_at_ms = known.saved_at_ms if known is not None else self._now_ms()
        is_near = False
        async for batch in self._state_log.read(begin_offset):
            applied = take(self.store, batch) or applied
            if not is_near and batch.next_offset >= facts.end_offset:
                is_near = True
                _log.info("follower is near", input=self._origin, offset=batch.next_offset)
            if is_near:  # before, the store is no younger than it was
                saved_at_ms = self._now_ms()
            position = StorePosition(facts.topic_id, batch.next_offset, applied, saved_at_ms)
            self.store.save(position)

    async def close(self) -> None:
        """Release the log; the store is the caller's."""
        await self._state_log.close()
