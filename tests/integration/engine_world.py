"""Topics, frames and worker processes for the engine's integration tests."""

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from ingest.contracts.settings import KafkaSettings
from streams.engine.adapters.connection import client_options
from streams.engine.adapters.reader import RecordWriter
from tests.integration.counting_fold import ENCODE

PARTITIONS = 4
ABORT_EVERY_FRAMES = 50
ROOT = Path(__file__).parents[2]


async def make_topics(kafka: KafkaSettings, names: list[str], partitions: int) -> None:
    """Create topics that keep all, on a single broker."""
    admin = AIOKafkaAdminClient(**client_options(kafka))
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1) for name in names])
    finally:
        await admin.close()


async def make_again(kafka: KafkaSettings, *names: str) -> None:
    """Delete topics and make them anew."""
    admin = AIOKafkaAdminClient(**client_options(kafka))
    await admin.start()
    try:
        await admin.delete_topics(list(names))
        while set(names) & set(await admin.list_topics()):  # noqa: ASYNC110 - Kafka has no event
            await asyncio.sleep(0.05)
    finally:
        await admin.close()
    await make_topics(kafka, list(names), PARTITIONS)


async def eventually(
    what: str, check: Callable[[], Awaitable[bool]], *, seconds: float = 40.0
) -> None:
    """Poll until `check` holds, or fail naming `what`."""
    deadline = time.monotonic() + seconds
    while not await check():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.1)


class FrameWriter:
    """Writes frames to all partitions until it is left, and some in transactions it aborts."""

    def __init__(self, kafka: KafkaSettings, topic: str, *, seed: int) -> None:
        """Take the topic; the same seed writes the same pairs."""
        self.frames = 0
        self.totals: dict[bytes, tuple[int, int]] = {}
        self._kafka = kafka
        self._topic = topic
        self._random = random.Random(seed)
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin."""
        self._task = asyncio.create_task(self._write())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Stop between two frames."""
        assert self._task is not None
        self._stopping = True
        await self._task

    async def _write(self) -> None:
        aborting = AIOKafkaProducer(
            **client_options(self._kafka), transactional_id=f"{self._topic}-aborting"
        )
        async with RecordWriter(self._kafka) as writer, aborting:
            while not self._stopping:
                if self.frames % ABORT_EVERY_FRAMES == 0:
                    await self._abort_one(aborting)
                partition = self.frames % PARTITIONS
                pairs = [
                    (b"%d-%d" % (partition, self._random.randrange(50)), self._random.randrange(9))
                    for _ in range(20)
                ]
                await writer.write(self._topic, partition, None, ENCODE(pairs))
                self.frames += 1
                for key, quantity in pairs:
                    count, total = self.totals.get(key, (0, 0))
                    self.totals[key] = (count + 1, total + quantity)
                await asyncio.sleep(0.005)

    async def _abort_one(self, producer: AIOKafkaProducer) -> None:
        """Write frames that nobody may ever fold."""
        await producer.begin_transaction()
        for partition in range(PARTITIONS):
            await producer.send_and_wait(
                self._topic, ENCODE([(b"aborted", 1)]), partition=partition
            )
        await producer.abort_transaction()


class Worker:
    """A real worker process of the counting fold, with its log in a file."""

    def __init__(
        self, name: str, kafka: KafkaSettings, engine: Mapping[str, int | str], log: Path
    ) -> None:
        """Start the process."""
        password = kafka.password.get_secret_value()
        spec = {
            "name": name,
            "kafka": {**kafka.model_dump(mode="json"), "password": password},
            "engine": dict(engine),
            "installation": {"partition_count": PARTITIONS, "time": "wall"},
        }
        self.log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.counting_fold", json.dumps(spec)],
                cwd=ROOT,
                stderr=out,
            )

    def lines(self) -> list[dict[str, Any]]:
        """Return what it has logged, oldest first."""
        found = self.log.read_text().splitlines()
        return [json.loads(line) for line in found if line.startswith("{")]

    def said(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of one event, oldest first."""
        return [line for line in self.lines() if line["event"] == event]

    def owned(self) -> list[int]:
        """Return the partitions it was assigned last."""
        for line in reversed(self.lines()):
            if line["event"] == "partitions assigned":
                return [int(partition) for partition in line["owned"]]
        return []

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    async def exit_code(self) -> int:
        """Wait for its end."""

        async def ended() -> bool:
            return self._process.poll() is not None

        await eventually(f"end of {self.log.name}", ended)
        return self._process.returncode

    def end(self) -> None:
        """Kill it if it lives, also when it is stopped."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
