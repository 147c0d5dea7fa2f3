"""One suite for every `RecordSink`: kafka-python on the real broker, and the double in memory."""

import asyncio
import time
import uuid
from collections.abc import Iterator
from typing import Any, Protocol

import pytest

from ingest.adapters.kafka import KafkaSink
from ingest.contracts.errors import DeliveryError, PartitionCountError
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import (
    DEAD_LETTERS,
    INPUTS,
    PARTITION_COUNT_DEFAULT,
    RECORD_BYTES_MAX,
    Topic,
)
from ingest.ports import RecordSink, SendHandle
from simulators.whole.memory_bridge import InMemoryRecordSink
from simulators.whole.memory_kafka import MemoryKafka
from streams.engine.adapters.reader import end_offsets, read_topic

DEADLINE_S = 20.0


class World(Protocol):
    """A Kafka, with a sink on it."""

    sink: RecordSink

    def since(self, topic: str, partition: int) -> list[tuple[bytes | None, bytes | None]]:
        """Return what was written to a partition since this world was made."""


class MemoryWorld:
    """The double."""

    def __init__(self) -> None:
        """Make the topics."""
        self._kafka = MemoryKafka()
        for name in (INPUTS.name, DEAD_LETTERS.name):
            self._kafka.create_topic(name, 4)
        self.sink: RecordSink = InMemoryRecordSink(self._kafka)

    def since(self, topic: str, partition: int) -> list[tuple[bytes | None, bytes | None]]:
        """Return everything."""
        records = self._kafka.partition(topic, partition).read_committed(0)
        return [(record.key, record.value) for record in records]


class KafkaWorld:
    """A real broker."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Take where it is, and where its logs end."""
        self._settings = settings
        self._ends = {
            name: asyncio.run(end_offsets(settings, name))
            for name in (INPUTS.name, DEAD_LETTERS.name)
        }
        self.kafka = KafkaSink(settings, partition_count=PARTITION_COUNT_DEFAULT)
        self.sink: RecordSink = self.kafka

    def since(self, topic: str, partition: int) -> list[tuple[bytes | None, bytes | None]]:
        """Return what is beyond the ends."""

        async def read() -> list[tuple[bytes | None, bytes | None]]:
            return [
                (record.key, record.value)
                async for records in read_topic(
                    self._settings, topic, from_offsets=self._ends[topic], until_end=True
                )
                for record in records
                if record.partition == partition
            ]

        return asyncio.run(read())


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.integration)])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Give each Kafka in turn."""
    if request.param == "memory":
        yield MemoryWorld()
        return
    stack: Any = request.getfixturevalue("stack")
    real = KafkaWorld(stack.kafka)
    yield real
    real.kafka.close()


def _finished(sink: RecordSink, handles: list[SendHandle]) -> list[str | None]:
    deadline_s = time.monotonic() + DEADLINE_S
    while not all(handle.done() for handle in handles):
        assert time.monotonic() < deadline_s, "records are still on their way"
        sink.poll()
    return [handle.error() for handle in handles]


def test_records_keep_their_order_in_a_partition(world: World) -> None:
    """Whatever is sent in between to others; each handle says that it is written."""
    handles = [
        world.sink.send(INPUTS.name, number % 3, None, str(number).encode())
        for number in range(300)
    ]
    assert set(_finished(world.sink, handles)) == {None}
    for partition in range(3):
        written = [value for _, value in world.since(INPUTS.name, partition)]
        assert written == [str(number).encode() for number in range(partition, 300, 3)]


def test_a_done_record_can_be_read(world: World) -> None:
    """`done` is the broker's word, and keys are kept."""
    handle = world.sink.send(DEAD_LETTERS.name, 0, b"letter-1", b"{}")
    assert _finished(world.sink, [handle]) == [None]
    assert (b"letter-1", b"{}") in world.since(DEAD_LETTERS.name, 0)


def test_flush_waits_for_all(world: World) -> None:
    """Afterwards every handle is done."""
    handles = [world.sink.send(INPUTS.name, 0, None, b"x") for _ in range(50)]
    assert world.sink.flush(DEADLINE_S)
    assert all(handle.done() and handle.error() is None for handle in handles)


@pytest.mark.integration
def test_what_kafka_can_not_take_is_an_error(stack: Any) -> None:
    """A record above the limit and a missing topic are told, never dropped."""
    sink = KafkaSink(stack.kafka, partition_count=PARTITION_COUNT_DEFAULT)
    with pytest.raises(DeliveryError, match=INPUTS.name):
        sink.send(INPUTS.name, 0, None, b"x" * (RECORD_BYTES_MAX + 1))
    sink.close()
    name = f"shelfstream.nothing-{uuid.uuid4().hex}"
    nothing = Topic(name=name, partitioned_by="sku", retention_ms=None, doc="")
    with pytest.raises(DeliveryError, match=name):
        KafkaSink(stack.kafka, partition_count=PARTITION_COUNT_DEFAULT, topics=[nothing])


@pytest.mark.integration
def test_a_wrong_partition_count_is_refused_at_the_start(stack: Any) -> None:
    """Keys placed by another count would land where no fold looks for them."""
    expected = PARTITION_COUNT_DEFAULT + 1
    sentence = f"{INPUTS.name} has {PARTITION_COUNT_DEFAULT} partitions.*expects {expected}"
    with pytest.raises(PartitionCountError, match=sentence):
        KafkaSink(stack.kafka, partition_count=expected)
