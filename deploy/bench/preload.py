"""Writes the logs that engines read: all events are there before an engine starts."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from aiokafka import AIOKafkaProducer

from deploy.bench.events import ENCODE, OBSERVED_AT_MS, Event
from deploy.topics import create_topics
from ingest.contracts.durations import DAY_MS
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import Topic
from ingest.frames import FRAME_ITEMS_MAX, FrameCodec
from streams.engine.adapters.connection import REQUEST_BYTES_MAX, client_options, connected
from streams.engine.adapters.kafka import Pair, send_batches

PARTITIONS: Final = 4
"""Of every log: the default of an installation, and the same for all engines."""
ItemT = TypeVar("ItemT")
Placed: TypeAlias = tuple[int, bytes | None, bytes]
"""Partition, key and value of a record."""
Counts: TypeAlias = Counter[int]
"""Partition to how many events it has."""

_BATCH_BYTES_MAX: Final = 256 * 1024
_SEND_BYTES_MIN: Final = 512 * 1024
_SENT_RECORD_BYTES: Final = 32
"""About what Kafka adds to a record."""


@dataclass(frozen=True, kw_only=True)
class Log:
    """One input log, written whole."""

    topic: str
    frames: bool
    mix: str
    events: int
    """All events in it."""
    counts: Mapping[int, int]
    """Partition to how many events it has, once it is written."""
    warm_events: int
    """An engine's rates begin after so many."""

    def events_in(self, frames: Mapping[int, int]) -> int:
        """Return how many events the first so many frames of each partition hold."""
        return sum(
            min(frames.get(partition, 0) * FRAME_ITEMS_MAX, events)
            for partition, events in self.counts.items()
        )


def state_topic(name: str) -> Topic:
    """Return a compacted topic, with the settings of the product's own state topics."""
    return Topic(name=name, partitioned_by="sku", retention_ms=None, doc="")


def log_topic(name: str) -> Topic:
    """Return a topic that keeps its records for longer than any benchmark runs."""
    return Topic(name=name, partitioned_by="sku", retention_ms=DAY_MS, doc="")


async def make_topics(kafka: KafkaSettings, topics: Sequence[Topic]) -> None:
    """Create topics of `PARTITIONS` partitions and wait for their leaders."""
    await create_topics(kafka, PARTITIONS, topics=topics)


def as_records(found: Iterable[tuple[int, Event]], counts: Counts) -> Iterator[Placed]:
    """Yield one record an event, under its key; count events by partition."""
    for partition, event in found:
        counts[partition] += 1
        yield partition, event.sku.encode(), ENCODE(event)


def as_frames(
    found: Iterable[tuple[int, ItemT]], codec: FrameCodec[ItemT], counts: Counts
) -> Iterator[Placed]:
    """Yield full frames, then each partition's rest; count items by partition.

    The first frame is of `OBSERVED_AT_MS`, and a millisecond passes with every item.
    """
    waiting: list[list[ItemT]] = [[] for _ in range(PARTITIONS)]
    at_ms = OBSERVED_AT_MS
    for partition, item in found:
        at_ms += 1
        items = waiting[partition]
        items.append(item)
        if len(items) == FRAME_ITEMS_MAX:
            counts[partition] += FRAME_ITEMS_MAX
            yield partition, None, codec.encode(items, received_at_ms=at_ms)
            waiting[partition] = []
    for partition, items in enumerate(waiting):
        if items:
            counts[partition] += len(items)
            yield partition, None, codec.encode(items, received_at_ms=at_ms)


async def write_log(kafka: KafkaSettings, topic: str, records: Iterable[Placed]) -> None:
    """Write the records to a topic that is there, in large batches."""
    producer = AIOKafkaProducer(
        **client_options(kafka),
        enable_idempotence=True,
        max_batch_size=_BATCH_BYTES_MAX,
        max_request_size=REQUEST_BYTES_MAX,
    )
    waiting: list[list[Pair]] = [[] for _ in range(PARTITIONS)]
    waiting_bytes = [0] * PARTITIONS
    async with connected(producer):
        for partition, key, value in records:
            waiting[partition].append((key, value))
            waiting_bytes[partition] += len(value) + _SENT_RECORD_BYTES
            if waiting_bytes[partition] >= _SEND_BYTES_MIN:
                await send_batches(producer, topic, partition, waiting[partition])
                waiting[partition], waiting_bytes[partition] = [], 0
        for partition, pairs in enumerate(waiting):
            await send_batches(producer, topic, partition, pairs)
        await producer.flush()
