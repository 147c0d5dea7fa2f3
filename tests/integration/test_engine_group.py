"""Consumer groups of sinks and senders on real Kafka: what is committed, and by whom."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from ingest.contracts.settings import KafkaSettings
from streams.adapters.watched import WatchedReader
from streams.engine.adapters.group import GroupReader
from streams.engine.adapters.reader import RecordWriter, topic_facts_if_up
from streams.engine.ports import LogRecord
from tests.integration.engine_world import eventually, make_topics

pytestmark = pytest.mark.integration


@asynccontextmanager
async def filled_topic(kafka: KafkaSettings) -> AsyncIterator[str]:
    """Yield a topic of two partitions with three records in each."""
    topic = f"group-{uuid.uuid4().hex[:8]}"
    await make_topics(kafka, [topic], 2)
    async with RecordWriter(kafka) as writer:
        for number in range(6):
            await writer.write(topic, number % 2, None, b"%d" % number)
    yield topic


async def poll_all(reader: GroupReader, count: int) -> list[LogRecord]:
    """Poll until so many records came."""
    found: list[LogRecord] = []

    async def check() -> bool:
        found.extend(await reader.poll())
        return len(found) >= count

    await eventually(f"{count} records", check)
    return found


async def values_after(kafka: KafkaSettings, topic: str, count: int) -> list[bytes]:
    """Return what a new member of the group reads, sorted."""
    async with GroupReader(kafka, topic, [topic], poll_wait_ms=100) as reader:
        return sorted((record.value or b"") for record in await poll_all(reader, count))


def test_named_offsets_are_where_the_next_member_begins(stack: Any) -> None:
    """Records after them come again; naming nothing at all commits nothing."""

    async def scenario() -> None:
        kafka: KafkaSettings = stack.kafka
        async with filled_topic(kafka) as topic:
            async with GroupReader(kafka, topic, [topic], poll_wait_ms=100) as reader:
                await poll_all(reader, 6)
                await reader.commit({(topic, 0): 2})
                await reader.commit({})
                assert set((await reader.lags()).values()) == {0}
            assert await values_after(kafka, topic, 4) == [b"1", b"3", b"4", b"5"]

    asyncio.run(scenario())


def test_the_lag_of_another_group_is_told_too(stack: Any) -> None:
    """Beside its own: what the other has committed against the end; nothing of an unknown one."""

    async def scenario() -> None:
        kafka: KafkaSettings = stack.kafka
        async with filled_topic(kafka) as topic:
            async with GroupReader(kafka, f"{topic}-other", [topic], poll_wait_ms=100) as other:
                await poll_all(other, 6)
                await other.commit({(topic, 0): 2})
            watched = {f"{topic}-other": topic, f"{topic}-nobody": topic}
            async with WatchedReader(kafka, topic, [topic], watched, poll_wait_ms=100) as reader:
                await poll_all(reader, 6)
                lags = await reader.lags()
            assert {place[0] for place in lags} == {topic, f"{topic}-other"}
            assert lags[f"{topic}-other", topic, 0] > 0
            assert {lag for place, lag in lags.items() if place[0] == topic} == {0}

    asyncio.run(scenario())


def test_what_a_rebalance_took_away_is_left_to_its_new_owner(stack: Any) -> None:
    """Neither commit fails; the new owner reads again what the old one had polled."""

    async def scenario() -> None:
        kafka: KafkaSettings = stack.kafka
        async with filled_topic(kafka) as topic, AsyncExitStack() as members:
            first = await members.enter_async_context(
                GroupReader(kafka, topic, [topic], poll_wait_ms=100)
            )
            polled = await poll_all(first, 6)
            second = await members.enter_async_context(
                GroupReader(kafka, topic, [topic], poll_wait_ms=100)
            )
            again = {(r.partition, r.value) for r in await poll_all(second, 3)}
            taken = {partition for partition, _ in again}
            assert len(taken) == 1
            await first.commit({(topic, partition): 3 for partition in (0, 1)})
            await first.commit()
            assert again == {(r.partition, r.value) for r in polled if r.partition in taken}
            await second.commit()

    asyncio.run(scenario())


def test_a_topic_made_again_has_another_id(stack: Any) -> None:
    """That is how a running worker notices; no broker means no verdict."""

    async def scenario() -> None:
        kafka: KafkaSettings = stack.kafka
        async with filled_topic(kafka) as one, filled_topic(kafka) as other:
            facts, others = (
                await topic_facts_if_up(kafka, one),
                await topic_facts_if_up(kafka, other),
            )
            assert facts is not None
            assert others is not None
            assert facts.end_offsets == {0: 3, 1: 3}
            assert facts.topic_id not in ("", others.topic_id)
            assert await topic_facts_if_up(kafka, one) == facts
        away = kafka.model_copy(update={"bootstrap": "127.0.0.1:1"})
        assert await topic_facts_if_up(away, "any") is None

    asyncio.run(scenario())
