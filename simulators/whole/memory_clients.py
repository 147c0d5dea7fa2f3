"""The engine's ports over the double of Kafka: what stands where aiokafka stands in production."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

from simulators.whole.memory_kafka import MemoryKafka, PartitionLog, ProducerId
from simulators.whole.memory_link import Link
from streams.engine.fold import Changes, Output
from streams.engine.ports import Applied, InputFacts, StateBatch, StateFacts
from streams.engine.records import applied_record

RETRY_S: Final = 0.005
"""A producer told to wait for the markers of its last transaction asks again after this."""
READ_RECORDS_MAX: Final = 64
SEND_RECORDS_MAX: Final = 8
"""Records in one request to the broker; a crash falls between two requests."""


class InMemoryStateLog:
    """`StateLog` on a `MemoryKafka`; one instance is one producer and one consumer."""

    def __init__(
        self,
        kafka: MemoryKafka,
        *,
        transactional_id: str,
        topic: str,
        partition: int,
        link: Link | None = None,
    ) -> None:
        """Take the broker, the producer's name and the state partition; `link` is the way there."""
        self._kafka = kafka
        self._transactional_id = transactional_id
        self._topic = topic
        self._partition = partition
        self._link = link if link is not None else Link()
        self._writer = ProducerId(transactional_id, -1)

    async def fence(self) -> None:
        """Start the transactional producer; fences the older one and ends its transaction."""
        while True:
            writer = await self._link.request(
                lambda: self._kafka.init_producer(self._transactional_id)
            )
            if writer is not None:
                self._writer = writer
                return
            await asyncio.sleep(RETRY_S)

    async def facts(self) -> StateFacts:
        """Return topic id and uncommitted end of the state partition."""
        return await self._link.request(
            lambda: StateFacts(self._kafka.topics[self._topic].topic_id, self._log().end_offset)
        )

    async def read(
        self, begin_offset: int, end_offset: int | None = None
    ) -> AsyncIterator[StateBatch]:
        """Yield the committed records from `begin_offset` on, in order, in batches."""
        oldest = await self._link.request(lambda: self._log().begin_offset)
        position = max(begin_offset, oldest)
        while end_offset is None or position < end_offset:
            begin = position
            records, position = await self._link.request(
                lambda begin=begin: self._log().fetch(begin, READ_RECORDS_MAX)  # type: ignore[misc] # the default binds the loop's variable
            )
            if position == begin:
                await asyncio.sleep(RETRY_S)
            yield StateBatch(
                [
                    (record.key or b"", record.value)
                    for record in records
                    if end_offset is None or record.offset < end_offset
                ],
                position,
            )

    async def commit(self, changes: Changes, applied: Applied) -> int:
        """Write outputs, state and the applied record as one transaction.

        Returns:
            The offset after the applied record.

        Raises:
            FencedError: A newer producer has started.
            BrokerGoneError: The broker went away; the outcome is not known.
        """
        await self._begin()
        sent = [
            self._link.send(lambda part=part: self._append(part))  # type: ignore[misc] # the same
            for part in _parts(self._records(changes, applied))
        ]
        offset = 0
        for answer in sent:
            offset = await answer
        await self._link.request(lambda: self._kafka.end(self._writer, commit=True))
        return offset + 1

    async def _begin(self) -> None:
        while True:
            if await self._link.request(lambda: self._kafka.begin(self._writer)):
                return
            await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        """Close the connection; an open transaction stays for the broker to abort."""
        self._link.cut()

    def _log(self) -> PartitionLog:
        return self._kafka.partition(self._topic, self._partition)

    def _records(self, changes: Changes, applied: Applied) -> list[Output]:
        last = applied_record(applied)
        state = [*changes.state.items(), (last.key, last.value)]
        return [
            *changes.outputs,
            *(Output(self._topic, self._partition, key, value) for key, value in state),  # type: ignore[arg-type] # a tombstone
        ]

    def _append(self, part: Sequence[Output]) -> int:
        offset = 0
        for output in part:
            offset = self._kafka.append_transactional(
                self._writer, output.topic, output.partition, key=output.key, value=output.value
            )
        return offset


class InMemoryInputLog:
    """`InputLog` on a `MemoryKafka`."""

    def __init__(
        self, kafka: MemoryKafka, *, topic: str, partition: int, link: Link | None = None
    ) -> None:
        """Take the broker and the input partition; `link` is the way there."""
        self._kafka = kafka
        self._topic = topic
        self._partition = partition
        self._link = link if link is not None else Link()

    async def facts(self) -> InputFacts:
        """Return topic id, oldest offset and partition count."""
        return await self._link.request(self._facts)

    async def append(self, value: bytes) -> None:
        """Append a frame by a plain producer."""
        await self._link.request(
            lambda: self._kafka.append(self._topic, self._partition, None, value)
        )

    def _facts(self) -> InputFacts:
        topic = self._kafka.topics[self._topic]
        begin_offset = topic.partitions[self._partition].begin_offset
        return InputFacts(topic.topic_id, begin_offset, len(topic.partitions))


def _parts(outputs: list[Output]) -> Iterator[list[Output]]:
    for begin in range(0, len(outputs), SEND_RECORDS_MAX):
        yield outputs[begin : begin + SEND_RECORDS_MAX]
