"""Real worker processes of a counting fold: joined, killed, paused past their session, ended."""

import asyncio
import contextlib
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.contracts.settings import KafkaSettings
from streams.engine.adapters.reader import end_offsets, read_topic
from streams.engine.worker import EXIT_FENCED, EXIT_STOPPED
from tests.integration.counting_fold import TOTAL_DECODER
from tests.integration.engine_world import PARTITIONS, FrameWriter, Worker, eventually, make_topics

ENGINE = {"session_timeout_ms": 3_000, "heartbeat_interval_ms": 500, "commit_interval_ms": 300}

pytestmark = pytest.mark.integration


@pytest.fixture
def start(stack: Any, tmp_path: Path) -> Iterator[Callable[[str, str], Worker]]:
    """Start workers; whatever happens, none outlives the test."""
    with contextlib.ExitStack() as workers:

        def start_one(name: str, label: str) -> Worker:
            worker = Worker(name, stack.kafka, ENGINE, tmp_path / f"{label}.log")
            workers.callback(worker.end)
            return worker

        yield start_one


async def read_outputs(kafka: KafkaSettings, topic: str) -> int:
    """Return how many outputs are visible."""
    return sum([len(batch) async for batch in read_topic(kafka, topic, until_end=True)])


async def read_totals(kafka: KafkaSettings, topic: str) -> dict[bytes, tuple[int, int]]:
    """Return the table as its committed records say."""
    table: dict[bytes, bytes | None] = {}
    async for batch in read_topic(kafka, topic, until_end=True):
        table |= {r.key: r.value for r in batch if r.key and r.key[:1] != b"\x00"}
    return {key: TOTAL_DECODER.decode(value) for key, value in table.items() if value}


async def run_scenario(
    kafka: KafkaSettings, name: str, start: Callable[[str, str], Worker]
) -> tuple[FrameWriter, Worker, Worker]:
    """Join, kill, start again, pause past the session, wake: under load all the while."""

    async def owns(worker: Worker, count: int) -> None:
        async def check() -> bool:
            return len(worker.owned()) == count

        await eventually(f"{worker.log.name} owns {count} partitions", check)

    async def moves_on() -> None:
        async def end() -> int:
            return sum((await end_offsets(kafka, f"{name}-out")).values())

        begin = await end()

        async def check() -> bool:
            return await end() >= begin + 100

        await eventually("outputs of further frames", check)

    async with FrameWriter(kafka, f"{name}-in", seed=7) as writer:
        first = start(name, "first")
        await owns(first, PARTITIONS)
        await moves_on()
        second = start(name, "second")
        await owns(second, PARTITIONS // 2)
        await moves_on()
        first.signal(signal.SIGKILL)
        await first.exit_code()
        await owns(second, PARTITIONS)
        third = start(name, "third")
        await owns(third, PARTITIONS // 2)
        await moves_on()
        third.signal(signal.SIGSTOP)
        await owns(second, PARTITIONS)
        third.signal(signal.SIGCONT)
    return writer, second, third


def test_killed_paused_and_moved_workers_stay_exact(
    stack: Any, start: Callable[[str, str], Worker]
) -> None:
    """The table equals a recount of the log and each output is there once."""
    name = f"count-{uuid.uuid4().hex[:8]}"
    kafka: KafkaSettings = stack.kafka

    async def scenario() -> None:
        topics = [f"{name}-{leaf}" for leaf in ("in", "out", "state")]
        await make_topics(kafka, topics, PARTITIONS)
        writer, second, third = await run_scenario(kafka, name, start)
        assert await third.exit_code() == EXIT_FENCED
        fenced = [line for line in third.lines() if line["event"] == "worker ends"]
        assert [line["reason"] for line in fenced] == ["FencedError"]

        async def caught_up() -> bool:
            return await read_outputs(kafka, f"{name}-out") >= writer.frames

        await eventually("all frames folded", caught_up)
        second.signal(signal.SIGTERM)
        assert await second.exit_code() == EXIT_STOPPED
        assert await read_outputs(kafka, f"{name}-out") == writer.frames
        assert await read_totals(kafka, f"{name}-state") == writer.totals
        assert sum((await end_offsets(kafka, f"{name}-in")).values()) >= writer.frames

    asyncio.run(scenario())
