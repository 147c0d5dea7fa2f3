"""A consumer group that reads committed records and commits by hand: sinks, senders, the floor."""

from collections.abc import Mapping, Sequence
from typing import Final, Self

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from ingest.contracts.settings import KafkaSettings
from streams.engine.adapters.connection import client_options, ended, started
from streams.engine.ports import LogRecord

_log = structlog.get_logger(__name__)

_FETCH_BYTES_MAX: Final = 8 * 1024 * 1024
_POLL_INTERVAL_MS_MAX: Final = 3_600_000
"""A sink waits out an outage of its database for an hour before the group gives it up."""


class GroupReader:
    """Committed records of some topics, shared by all readers of one group."""

    def __init__(
        self,
        kafka: KafkaSettings,
        group: str,
        topics: Sequence[str],
        *,
        poll_records_max: int = 5_000,
        poll_wait_ms: int = 500,
        session_timeout_ms: int = 6_000,
    ) -> None:
        """Prepare; `async with` connects."""
        self._group = group
        self._topics = list(topics)
        self._poll_records_max = poll_records_max
        self._poll_wait_ms = poll_wait_ms
        self._consumer = AIOKafkaConsumer(
            *self._topics,
            **client_options(kafka),
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=_FETCH_BYTES_MAX,
            session_timeout_ms=session_timeout_ms,
            heartbeat_interval_ms=session_timeout_ms // 4,
            max_poll_interval_ms=_POLL_INTERVAL_MS_MAX,
        )

    async def __aenter__(self) -> Self:
        """Connect and join the group."""
        await started(self._consumer)
        return self

    async def __aexit__(self, *error: object) -> None:
        """Leave the group."""
        await ended(self._consumer)

    async def poll(self) -> list[LogRecord]:
        """Return the next records, in order within a partition; empty after a short wait."""
        batches = await self._consumer.getmany(
            timeout_ms=self._poll_wait_ms, max_records=self._poll_records_max
        )
        return [
            LogRecord(tp.topic, tp.partition, m.offset, m.key, m.value, m.timestamp)
            for tp, messages in batches.items()
            for m in messages
        ]

    async def commit(self, offsets: Mapping[tuple[str, int], int] | None = None) -> None:
        """Commit next offsets by (topic, partition); by default the whole of what was polled.

        What a rebalance has taken away since is left to its new owner, who reads it again.
        """
        assigned = self._consumer.assignment()
        kept: dict[TopicPartition, int] | None = None
        if offsets is not None:
            named = {TopicPartition(*place): offset for place, offset in offsets.items()}
            kept = {place: offset for place, offset in named.items() if place in assigned}
        if not assigned or kept == {}:
            return
        try:
            await self._consumer.commit(kept)
        except (CommitFailedError, IllegalStateError) as error:
            _log.warning("commit left to the new owner", topics=self._topics, reason=str(error))

    async def lags(self) -> dict[tuple[str, str, int], int]:
        """Return records (and markers) not read yet, by (group, topic, partition)."""
        assigned = sorted(self._consumer.assignment())
        ends = await self.end_offsets(assigned)
        return {
            (self._group, tp.topic, tp.partition): ends[tp] - await self._consumer.position(tp)
            for tp in assigned
        }

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the committed end of any partitions, read by this group or not."""
        return dict(await self._consumer.end_offsets(partitions)) if partitions else {}
