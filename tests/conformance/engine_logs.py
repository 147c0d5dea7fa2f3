"""The worlds in which the engine's logs must behave alike: real Kafka, and the double of it."""

import asyncio
from typing import Final, Protocol

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete

from ingest.contracts.settings import KafkaSettings
from simulators.whole.memory import InMemoryInputLog, InMemoryStateLog, MemoryKafka
from streams.engine.adapters.connection import client_options
from streams.engine.adapters.kafka import KafkaLogs
from streams.engine.adapters.reader import read_topic
from streams.engine.fold import FoldSpec
from streams.engine.ports import InputLog, StateLog
from streams.engine.settings import EngineSettings

_TOPICS_TIMEOUT_S: Final = 30.0
_POLL_S: Final = 0.05


class LogWorld(Protocol):
    """A broker, and the engine's ways to it."""

    async def create(self, topics: list[str], partitions: int) -> None:
        """Create topics."""

    async def make_again(self, topic: str, partitions: int) -> None:
        """Delete a topic and create it anew."""

    async def truncate(self, topic: str, partition: int, begin_offset: int) -> None:
        """Drop the records below an offset."""

    def open(self, spec: FoldSpec, partition: int) -> tuple[StateLog, InputLog]:
        """Return new logs of a partition, as a starting worker does."""

    async def read(self, topic: str, partition: int) -> list[tuple[bytes | None, bytes | None]]:
        """Return the committed keys and values of a partition."""

    async def close(self) -> None:
        """Release everything."""


class MemoryWorld:
    """The double."""

    def __init__(self) -> None:
        """Make an empty broker."""
        self._kafka = MemoryKafka()

    async def create(self, topics: list[str], partitions: int) -> None:
        """Create topics."""
        for topic in topics:
            self._kafka.create_topic(topic, partitions)

    async def make_again(self, topic: str, partitions: int) -> None:
        """Delete a topic and create it anew."""
        self._kafka.create_topic(topic, partitions)

    async def truncate(self, topic: str, partition: int, begin_offset: int) -> None:
        """Drop the records below an offset."""
        self._kafka.partition(topic, partition).truncate(begin_offset)

    def open(self, spec: FoldSpec, partition: int) -> tuple[StateLog, InputLog]:
        """Return new logs of a partition."""
        state_log = InMemoryStateLog(
            self._kafka,
            transactional_id=f"{spec.name}-{partition}",
            topic=spec.state_topic,
            partition=partition,
        )
        return state_log, InMemoryInputLog(self._kafka, topic=spec.input_topic, partition=partition)

    async def read(self, topic: str, partition: int) -> list[tuple[bytes | None, bytes | None]]:
        """Return the committed keys and values of a partition."""
        records = self._kafka.partition(topic, partition).read_committed(0)
        return [(record.key, record.value) for record in records]

    async def close(self) -> None:
        """Do nothing."""


class KafkaWorld:
    """The real one."""

    def __init__(self, kafka: KafkaSettings) -> None:
        """Take where it is."""
        self._kafka = kafka
        self._opened: list[StateLog] = []
        self._logs: list[KafkaLogs] = []

    async def create(self, topics: list[str], partitions: int) -> None:
        """Create topics."""
        async with _Admin(self._kafka) as admin, asyncio.timeout(_TOPICS_TIMEOUT_S):
            await admin.create_topics([NewTopic(topic, partitions, 1) for topic in topics])
            while not set(topics) <= set(await admin.list_topics()):  # noqa: ASYNC110 - Kafka has no event
                await asyncio.sleep(_POLL_S)  # the controller answers before all know of it

    async def make_again(self, topic: str, partitions: int) -> None:
        """Delete a topic and create it anew."""
        async with _Admin(self._kafka) as admin, asyncio.timeout(_TOPICS_TIMEOUT_S):
            await admin.delete_topics([topic])
            while topic in await admin.list_topics():  # noqa: ASYNC110 - Kafka has no event
                await asyncio.sleep(_POLL_S)
        await self.create([topic], partitions)

    async def truncate(self, topic: str, partition: int, begin_offset: int) -> None:
        """Drop the records below an offset."""
        async with _Admin(self._kafka) as admin:
            await admin.delete_records(
                {TopicPartition(topic, partition): RecordsToDelete(before_offset=begin_offset)}
            )

    def open(self, spec: FoldSpec, partition: int) -> tuple[StateLog, InputLog]:
        """Return new logs of a partition."""
        logs = KafkaLogs(self._kafka, EngineSettings(), spec)
        self._logs.append(logs)
        state_log, input_log = logs.open(partition)
        self._opened.append(state_log)
        return state_log, input_log

    async def read(self, topic: str, partition: int) -> list[tuple[bytes | None, bytes | None]]:
        """Return the committed keys and values of a partition."""
        return [
            (record.key, record.value)
            async for batch in read_topic(self._kafka, topic, until_end=True)
            for record in batch
            if record.partition == partition
        ]

    async def close(self) -> None:
        """Release the connections."""
        for log in self._opened:
            await log.close()
        for logs in self._logs:
            await logs.close()


class _Admin:
    def __init__(self, kafka: KafkaSettings) -> None:
        self._admin = AIOKafkaAdminClient(**client_options(kafka))

    async def __aenter__(self) -> AIOKafkaAdminClient:
        await self._admin.start()
        return self._admin

    async def __aexit__(self, *_: object) -> None:
        await self._admin.close()
