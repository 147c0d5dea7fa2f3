"""Committed topics for those who only look, and plain writers of commands.

Console, CLI, sinks and checks build their own views with `read_topic`; all they may write are
frames of commands and barriers, by `RecordWriter`, or a whole catalogue by `write_transaction`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from itertools import groupby
from typing import Final, NamedTuple, Self, TypeAlias

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import InvalidProducerIdMapping, KafkaError, ProducerFenced

from ingest.contracts.errors import FencedError, StalledError
from ingest.contracts.settings import KafkaSettings
from streams.engine.adapters.connection import (
    FETCH_PARTITION_BYTES_MAX,
    RECORDS_READ_MAX,
    REQUEST_BYTES_MAX,
    client_options,
    connected,
    ended,
    started,
    topic_identity,
)
from streams.engine.adapters.kafka import Pair, send_batches
from streams.engine.fold import Output

_POLL_MS: Final = 200
READ_STALLED_MS_MAX: Final = 60_000
"""A reader that knows where the end is gives up after this long without a step."""
_FETCH_WAIT_MS: Final = 100
_TRANSACTION_TIMEOUT_MS: Final = 30_000
VISIBLE_WAIT_S_MAX: Final = 10.0
_VISIBLE_POLL_S: Final = 0.01


class TopicRecord(NamedTuple):
    """One committed record; `value` None is a tombstone."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int


class TopicFacts(NamedTuple):
    """What the broker says of a topic now."""

    topic_id: str
    """Another one when the topic was made again under its name."""
    end_offsets: dict[int, int]
    """Committed end of each partition."""


class TopicWrite(NamedTuple):
    """One record to write; `value` None is a tombstone."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None


class TopicReader:
    """Reads all partitions of one topic, committed records only, with no consumer group.

    `positions` is where each partition is read next, past records, transaction markers and gaps:
    store it, and hand it back as `from_offsets` to go on.
    """

    def __init__(
        self, kafka: KafkaSettings, topic: str, *, from_offsets: Mapping[int, int] | None = None
    ) -> None:
        """Take the topic and the offset to begin at by partition; others begin at the oldest."""
        self.positions: dict[int, int] = {}
        self.topic_id = ""
        self._kafka = kafka
        self._topic = topic
        self._from_offsets = dict(from_offsets or {})
        self._consumer: AIOKafkaConsumer | None = None

    async def __aenter__(self) -> Self:
        """Connect and find the partitions.

        Raises:
            InstallationError: There is no such topic.
        """
        consumer = AIOKafkaConsumer(
            **client_options(self._kafka),
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FETCH_PARTITION_BYTES_MAX,
            fetch_max_wait_ms=_FETCH_WAIT_MS,
        )
        async with contextlib.AsyncExitStack() as undo:
            undo.push_async_callback(ended, consumer)
            await consumer.start()
            self._consumer = consumer
            await self._seek(consumer)
            undo.pop_all()
        return self

    async def _seek(self, consumer: AIOKafkaConsumer) -> None:
        self.topic_id, partition_count = await topic_identity(consumer._client, self._topic)  # noqa: SLF001 - aiokafka offers no other client that is logged in
        places = [TopicPartition(self._topic, partition) for partition in range(partition_count)]
        consumer.assign(places)
        begins = await consumer.beginning_offsets(places)
        for place in places:
            offset = max(self._from_offsets.get(place.partition, 0), int(begins[place]))
            consumer.seek(place, offset)
            self.positions[place.partition] = offset

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await ended(consumer)

    async def poll(self, *, timeout_ms: int = _POLL_MS) -> list[TopicRecord]:
        """Return what is there, in order within each partition; empty after `timeout_ms`."""
        consumer = self._open()
        polled = await consumer.getmany(timeout_ms=timeout_ms, max_records=RECORDS_READ_MAX)
        records = [
            TopicRecord(m.partition, m.offset, m.key, m.value, m.timestamp)
            for messages in polled.values()
            for m in messages
        ]
        for partition in self.positions:
            place = TopicPartition(self._topic, partition)
            self.positions[partition] = await consumer.position(place)
        return records

    async def ends(self) -> dict[int, int]:
        """Return the committed end of each partition: the offset after its last record."""
        consumer = self._open()
        ends = await consumer.end_offsets(
            [TopicPartition(self._topic, partition) for partition in self.positions]
        )
        return {place.partition: int(offset) for place, offset in ends.items()}

    def _open(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise RuntimeError("a reader is entered before it is used")
        return self._consumer


async def read_topic(
    kafka: KafkaSettings,
    topic: str,
    *,
    from_offsets: Mapping[int, int] | None = None,
    until_end: bool = False,
) -> AsyncIterator[list[TopicRecord]]:
    """Yield batches of committed records of all partitions, in order within each partition.

    With `until_end` it stops at the end that was committed when it began; without, never.

    Raises:
        InstallationError: There is no such topic.
        StalledError: With `until_end`, nothing came for `READ_STALLED_MS_MAX` before the end.
    """
    async with TopicReader(kafka, topic, from_offsets=from_offsets) as reader:
        ends = await reader.ends() if until_end else {}
        silent_polls = 0
        while not until_end or any(reader.positions[p] < end for p, end in ends.items()):
            before = dict(reader.positions)
            records = await reader.poll()
            # Positions also move over transaction markers, which are no records.
            silent_polls = silent_polls + 1 if reader.positions == before else 0
            if until_end and silent_polls * _POLL_MS > READ_STALLED_MS_MAX:
                raise StalledError(f"{topic} gave nothing for {READ_STALLED_MS_MAX} ms")
            if until_end:
                records = [record for record in records if record.offset < ends[record.partition]]
            if records:
                yield records


async def end_offsets(kafka: KafkaSettings, topic: str) -> dict[int, int]:
    """Return the committed end of each partition of a topic: the offset after its last record.

    Raises:
        InstallationError: There is no such topic.
    """
    async with TopicReader(kafka, topic) as reader:
        return await reader.ends()


async def topic_facts_if_up(kafka: KafkaSettings, topic: str) -> TopicFacts | None:
    """Return which topic it is now and where it ends, or None while the broker can't be asked.

    Raises:
        InstallationError: There is no such topic.
    """
    try:
        async with TopicReader(kafka, topic) as reader:
            return TopicFacts(reader.topic_id, await reader.ends())
    except KafkaError:
        return None


class RecordWriter:
    """An idempotent producer that names the partition itself: for commands and barriers."""

    def __init__(self, kafka: KafkaSettings) -> None:
        """Take where Kafka is; connects when entered."""
        self._producer_options = {**client_options(kafka), "max_request_size": REQUEST_BYTES_MAX}
        self._producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> Self:
        """Connect."""
        self._producer = await started(
            AIOKafkaProducer(**self._producer_options, enable_idempotence=True)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send what is buffered and disconnect."""
        if self._producer is not None:
            await self._producer.stop()

    async def write(self, topic: str, partition: int, key: bytes | None, value: bytes) -> int:
        """Write one record and wait until Kafka has it; return its offset.

        Raises:
            KafkaError: The broker refused it or could not be asked.
        """
        if self._producer is None:
            raise RuntimeError("a writer is entered before it is used")
        told = await self._producer.send_and_wait(topic, value, key=key, partition=partition)
        return int(told.offset)


Writable: TypeAlias = Output | TopicWrite


async def write_transaction(
    kafka: KafkaSettings,
    transactional_id: str,
    records: Sequence[Writable] | Callable[[], Awaitable[Sequence[Writable]]],
) -> None:
    """Write records to any topics as one transaction: all of them appear, or none.

    It returns when readers see them. Two writers of one `transactional_id` exclude each other: the
    later fences the earlier. Records that depend on what is on the broker are made by a function,
    which is called after the fencing: what it reads then can't be changed by an earlier writer.

    Raises:
        FencedError: A later writer of this id has taken over; nothing is visible.
        KafkaError: The broker refused it or could not be asked; nothing is visible.
    """
    producer = AIOKafkaProducer(
        **client_options(kafka),
        transactional_id=transactional_id,
        transaction_timeout_ms=_TRANSACTION_TIMEOUT_MS,
        max_request_size=REQUEST_BYTES_MAX,
    )
    async with connected(producer):
        made = await records() if callable(records) else records
        if not made:
            return
        try:
            written = await _write_all(producer, made)
        except (ProducerFenced, InvalidProducerIdMapping) as error:
            raise FencedError(f"a later writer has taken {transactional_id} over") from error
    await _await_visible(kafka, written)


async def _write_all(
    producer: AIOKafkaProducer, records: Sequence[Writable]
) -> dict[TopicPartition, int]:
    """Write records and commit; return an offset of the transaction by partition."""
    written: dict[TopicPartition, int] = {}
    async with producer.transaction():
        for (topic, partition), group in groupby(records, key=lambda r: (r.topic, r.partition)):
            pairs: list[Pair] = [(record.key, record.value) for record in group]
            for batch in await send_batches(producer, topic, partition, pairs):
                told = await batch.future
                written[TopicPartition(topic, partition)] = told.offset
    return written


async def _await_visible(kafka: KafkaSettings, written: Mapping[TopicPartition, int]) -> None:
    """Wait until readers see a committed transaction.

    The broker writes the markers after it has answered the commit, so whoever reads at once could
    still miss it. It is committed in any case, therefore a late marker is no error.
    """
    consumer = AIOKafkaConsumer(**client_options(kafka), isolation_level="read_committed")
    async with connected(consumer):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(VISIBLE_WAIT_S_MAX):
                while any(  # noqa: ASYNC110 - the broker tells nobody
                    end <= written[place]
                    for place, end in (await consumer.end_offsets(list(written))).items()
                ):
                    await asyncio.sleep(_VISIBLE_POLL_S)
