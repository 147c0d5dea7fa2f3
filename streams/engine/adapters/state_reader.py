"""Reads a state partition in bulk, below aiokafka's records.

aiokafka's consumer makes an object of eleven fields for each record, which takes longer than all
else in a restore. Here its own fetch request and its own parser of batches are used, so compression
and CRCs are its business, and a record becomes no more than the pair that is kept.
"""

import asyncio
from collections.abc import AsyncIterator
from math import inf
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException, KafkaError, OffsetOutOfRangeError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords

from ingest.contracts.settings import KafkaSettings
from streams.engine.adapters.connection import (
    FETCH_PARTITION_BYTES_MAX,
    client_options,
    connected,
)
from streams.engine.ports import StateBatch

_WAIT_MS: Final = 500
_RETRY_S: Final = 0.1
_RETRIES_MAX: Final = 100
"""A leader that is not known, or not one any more, is asked again so often; then it is an error."""

Pair = tuple[bytes, bytes | None]


class _Pairs(PartitionRecords):  # type: ignore[misc] # aiokafka has no types
    """Takes whole batches of a fetch apart; its base class knows of aborted transactions."""

    next_fetch_offset: int

    def pairs(self, end_offset: int | None) -> list[Pair]:
        """Return what is committed below an offset, and move on past all of it.

        Raises:
            CorruptRecordException: A batch is not what its CRC says.
        """
        found: list[Pair] = []
        while self._records.has_next():
            batch = self._records.next_batch()
            if not batch.validate_crc():
                raise CorruptRecordException(f"{self._tp} at {batch.base_offset}")
            self._consume_aborted_up_to(batch.base_offset)
            begin_offset, self.next_fetch_offset = self.next_fetch_offset, batch.next_offset
            if batch.is_control_batch:
                if self._contains_abort_marker(batch):
                    self._aborted_producers.discard(batch.producer_id)
            elif batch.is_transactional and batch.producer_id in self._aborted_producers:
                pass
            elif batch.base_offset >= begin_offset and batch.next_offset <= (end_offset or inf):
                found += [(record.key, record.value) for record in batch]
            else:
                wanted = range(begin_offset, end_offset or batch.next_offset)
                found += [(one.key, one.value) for one in batch if one.offset in wanted]
        return found


class StateReader:
    """One reader of one partition, with a connection of its own."""

    def __init__(self, kafka: KafkaSettings, topic: str, partition: int) -> None:
        """Take where Kafka is and which partition this is."""
        self._kafka = kafka
        self._place = TopicPartition(topic, partition)

    async def read(
        self, begin_offset: int, end_offset: int | None = None
    ) -> AsyncIterator[StateBatch]:
        """Yield the committed records from an offset on; without an end for ever.

        An offset that is not in the log any more is taken for the oldest that is.

        Raises:
            KafkaError: The broker can't be asked, or has no leader for the partition.
        """
        consumer = AIOKafkaConsumer(**client_options(self._kafka))
        async with connected(consumer):
            begins = await consumer.beginning_offsets([self._place])
            position = max(begin_offset, int(begins[self._place]))
            while end_offset is None or position < end_offset:
                batch = await self._fetch(consumer._client, position, end_offset)  # noqa: SLF001 - aiokafka offers no other client that is logged in
                position = batch.next_offset
                yield batch

    async def _fetch(self, client: Any, position: int, end_offset: int | None) -> StateBatch:
        for _ in range(_RETRIES_MAX):
            leader = client.cluster.leader_for_partition(self._place)
            if leader is not None and leader != -1:
                response = await client.send(leader, self._request(position))
                [(_, [(_, code, *_, aborted, records)])] = _without_replica(response)
                if not code:
                    return self._batch(position, end_offset, aborted, records)
                error = for_code(code)
                if issubclass(error, OffsetOutOfRangeError) or not error.retriable:
                    raise error(f"{self._place} at {position}")
            await asyncio.sleep(_RETRY_S)
            await client.force_metadata_update()
        raise KafkaError(f"{self._place} has had no leader for {_RETRIES_MAX} questions")

    def _request(self, position: int) -> FetchRequest:
        partitions = [(self._place.partition, position, FETCH_PARTITION_BYTES_MAX)]
        return FetchRequest(
            _WAIT_MS,
            1,
            FETCH_PARTITION_BYTES_MAX,
            READ_COMMITTED,
            [(self._place.topic, partitions)],
        )

    def _batch(self, position: int, end_offset: int | None, aborted: Any, raw: Any) -> StateBatch:
        found = _Pairs(
            self._place, MemoryRecords(raw), aborted, position, None, None, True, READ_COMMITTED
        )
        return StateBatch(found.pairs(end_offset), found.next_fetch_offset)


def _without_replica(response: Any) -> Any:
    """Return the topics of a response; from version 11 on a preferred replica stands in it."""
    if response.API_VERSION < 11:  # noqa: PLR2004 - Kafka's own number
        return response.topics
    return [
        (topic, [(*part[:-2], part[-1]) for part in partitions])
        for topic, partitions in response.topics
    ]
