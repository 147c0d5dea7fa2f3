"""What views read of real topics: committed records only, to an end that markers stand at."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from ingest.contracts.errors import InstallationError
from ingest.contracts.settings import KafkaSettings
from streams.engine.adapters.connection import client_options
from streams.engine.adapters.reader import (
    RecordWriter,
    TopicReader,
    end_offsets,
    read_topic,
    write_transaction,
)
from streams.engine.fold import Output
from tests.integration.engine_world import make_topics

pytestmark = pytest.mark.integration


async def values_of(records: AsyncIterator[list[Any]]) -> dict[int, list[bytes]]:
    """Return the values read, by partition."""
    values: dict[int, list[bytes]] = {}
    async for batch in records:
        for record in batch:
            values.setdefault(record.partition, []).append(record.value)
    return values


async def write_some(kafka: KafkaSettings, topic: str) -> None:
    """Write a plain record, a transaction over two partitions, and one that is aborted."""
    async with RecordWriter(kafka) as writer:
        assert await writer.write(topic, 0, b"k", b"plain") == 0
    records = [Output(topic, p, b"k", b"%d" % p) for p in (0, 1, 0)]
    await write_transaction(kafka, f"{topic}-writer", records)
    aborting = AIOKafkaProducer(**client_options(kafka), transactional_id=f"{topic}-aborting")
    async with aborting:
        await aborting.begin_transaction()
        await aborting.send_and_wait(topic, b"never", partition=1)
        await aborting.abort_transaction()


def test_reads_committed_records_to_the_end_and_on(stack: Any) -> None:
    """The end is reached though markers stand there; positions given back go on behind it."""
    kafka: KafkaSettings = stack.kafka
    topic = f"read-{uuid.uuid4().hex[:8]}"

    async def scenario() -> None:
        await make_topics(kafka, [topic], 2)
        await write_some(kafka, topic)
        whole = await values_of(read_topic(kafka, topic, until_end=True))
        assert whole == {0: [b"plain", b"0", b"0"], 1: [b"1"]}
        async with TopicReader(kafka, topic) as reader:
            while reader.positions != await reader.ends():
                await reader.poll()
            positions = reader.positions
        assert positions == await end_offsets(kafka, topic)
        async with RecordWriter(kafka) as writer:
            await writer.write(topic, 1, None, b"later")
        later = read_topic(kafka, topic, from_offsets=positions, until_end=True)
        assert await values_of(later) == {1: [b"later"]}

    asyncio.run(scenario())


def test_a_missing_topic_is_refused(stack: Any) -> None:
    """By name, not by an endless wait."""

    async def scenario() -> None:
        await end_offsets(stack.kafka, "no-such-topic")

    with pytest.raises(InstallationError, match="no-such-topic"):
        asyncio.run(scenario())


def test_a_later_writer_fences_an_earlier_one(stack: Any) -> None:
    """Two loads of a catalogue at once: the earlier fails whole, or was whole before."""
    kafka: KafkaSettings = stack.kafka
    topic = f"load-{uuid.uuid4().hex[:8]}"

    async def scenario() -> None:
        await make_topics(kafka, [topic], 2)
        loads = [
            write_transaction(
                kafka, "load", [Output(topic, p % 2, None, b"%d" % load) for p in range(200)]
            )
            for load in range(2)
        ]
        await asyncio.gather(*loads, return_exceptions=True)
        values = await values_of(read_topic(kafka, topic, until_end=True))
        seen = [value for partition in values.values() for value in partition]
        assert all(seen.count(b"%d" % load) in (0, 200) for load in range(2))
        assert seen

    asyncio.run(scenario())
