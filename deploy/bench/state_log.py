"""State topics for the benchmark of recovery: written by the engine's own transactions."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from deploy.bench.engine_worker import spec_of
from deploy.bench.events import ENCODE, FRAMES, OBSERVED_AT_MS, SEED, SEQ_FIRST, Event
from deploy.bench.preload import PARTITIONS, log_topic, make_topics, state_topic
from ingest.contracts.settings import KafkaSettings
from ingest.partitions import partition_of
from streams.engine.adapters.kafka import KafkaLogs
from streams.engine.adapters.reader import RecordWriter
from streams.engine.fold import Changes
from streams.engine.ports import Applied
from streams.engine.settings import EngineSettings

KEYS_A_TRANSACTION: Final = 20_000
UPDATES_A_TRANSACTION: Final = 2_000
"""An hour's tail has 125 records a transaction; so few would take an hour to write."""


class StateTopics:
    """The topics of one counting fold, and what is written to them before a worker starts."""

    def __init__(self, kafka: KafkaSettings, name: str, keys: int) -> None:
        """Take the fold's name and how many keys it shall have."""
        self.name = name
        self.input_topic = f"{name}-in"
        self._kafka = kafka
        self._spec = spec_of("counting", name, self.input_topic)
        self._keys: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
        for number in range(keys):
            sku = f"sku-{number:012d}"
            self._keys[partition_of(sku, PARTITIONS)].append(sku.encode())

    async def create(self) -> None:
        """Create input, state and progress topics."""
        logs = [log_topic(self.input_topic), log_topic(f"{self.name}-progress")]
        await make_topics(self._kafka, [*logs, state_topic(self._spec.state_topic)])

    async def fill(self) -> None:
        """Write each key once."""
        await self._commit([iter(keys) for keys in self._keys], KEYS_A_TRANSACTION)

    async def update(self, updates: int, transaction: int = UPDATES_A_TRANSACTION) -> None:
        """Write so many changes of keys drawn evenly; most keys then have old values too.

        `transaction` is how many a transaction has.
        """
        rng = random.Random(SEED)  # noqa: S311 - no secret
        draws = [rng.choices(keys, k=updates // PARTITIONS) for keys in self._keys]
        await self._commit([iter(drawn) for drawn in draws], transaction)

    def frame(self, partition: int, number: int) -> bytes:
        """Return an input frame that changes one key of a partition."""
        keys = self._keys[partition]
        sku = keys[number % len(keys)].decode()
        event = Event(sku, "sensor-0000", SEQ_FIRST + number, OBSERVED_AT_MS + number, 1)
        return FRAMES.encode([event], received_at_ms=event.observed_at_ms)

    async def _commit(self, keys: Sequence[Iterator[bytes]], transaction: int) -> None:
        logs = KafkaLogs(self._kafka, EngineSettings(), self._spec)

        async def commit_one(partition: int) -> None:
            state_log, input_log = logs.open(partition)
            await state_log.fence()
            applied = Applied((await input_log.facts()).topic_id, -1)
            number = 0
            while part := list(islice(keys[partition], transaction)):
                number += 1
                value: bytes | None = ENCODE([number, 1_000 * number])
                await state_log.commit(Changes(dict.fromkeys(part, value)), applied)
            await state_log.close()

        await asyncio.gather(*(commit_one(partition) for partition in range(PARTITIONS)))
        await logs.close()


async def write_load(kafka: KafkaSettings, topics: StateTopics, interval_s: float) -> None:
    """Write a small frame to each partition every so often, until cancelled."""
    async with RecordWriter(kafka) as writer:
        number = 0
        while True:
            for partition in range(PARTITIONS):
                frame = topics.frame(partition, number)
                await writer.write(topics.input_topic, partition, None, frame)
            number += 1
            await asyncio.sleep(interval_s)
