"""Real workers that are killed: what their successors have to read, and from where."""

import asyncio
import contextlib
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.contracts.settings import KafkaSettings
from streams.engine.adapters.reader import RecordWriter, end_offsets
from tests.integration.counting_fold import ENCODE
from tests.integration.engine_world import (
    PARTITIONS,
    Worker,
    eventually,
    make_again,
    make_topics,
)
from tests.integration.test_engine_workers import read_totals

KEYS_PER_PARTITION = 5_000
FRAME_PAIRS = 500
ENGINE: dict[str, int | str] = {
    "session_timeout_ms": 6_000,
    "heartbeat_interval_ms": 500,
    "commit_interval_ms": 50,
}

pytestmark = pytest.mark.integration

Start = Callable[..., Worker]


@pytest.fixture
def name() -> str:
    """Return a name for a fold and its topics."""
    return f"standby-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def start(stack: Any, name: str, tmp_path: Path) -> Iterator[Start]:
    """Start workers with settings of their own; none outlives the test."""
    with contextlib.ExitStack() as workers:

        def start_one(label: str, **engine: int | str) -> Worker:
            worker = Worker(name, stack.kafka, {**ENGINE, **engine}, tmp_path / f"{label}.log")
            workers.callback(worker.end)
            return worker

        yield start_one


async def write_rounds(kafka: KafkaSettings, name: str, rounds: int) -> None:
    """Write each key of each partition once a round."""
    async with RecordWriter(kafka) as writer:
        for _ in range(rounds):
            for partition in range(PARTITIONS):
                for begin in range(0, KEYS_PER_PARTITION, FRAME_PAIRS):
                    keys = range(begin, begin + FRAME_PAIRS)
                    pairs = [(b"%d-%d" % (partition, key), 1) for key in keys]
                    await writer.write(f"{name}-in", partition, None, ENCODE(pairs))


async def await_rounds(kafka: KafkaSettings, name: str, rounds: int) -> None:
    """Wait until each key has been counted so often, and no key more."""
    wanted = PARTITIONS * rounds * KEYS_PER_PARTITION // FRAME_PAIRS

    async def folded() -> bool:
        ends = await end_offsets(kafka, f"{name}-out")
        return sum(ends.values()) >= wanted and await exact()

    async def exact() -> bool:
        totals = await read_totals(kafka, f"{name}-state")
        expected = PARTITIONS * KEYS_PER_PARTITION
        return len(totals) == expected and set(totals.values()) == {(rounds, rounds)}

    await eventually(f"{rounds} rounds are folded", folded)


async def owns_all(worker: Worker, times: int = 1) -> None:
    """Wait until a worker has restored so many partitions in its life."""

    async def check() -> bool:
        return len(worker.said("partition restored")) >= times

    await eventually(f"{worker.log.name} restores {times} partitions", check)


def test_a_standby_takes_over_by_the_rest_alone(stack: Any, name: str, start: Start) -> None:
    """The owner is killed; what it owned is restored from where its follower had come."""

    async def scenario() -> None:
        topics = [f"{name}-{leaf}" for leaf in ("in", "out", "state")]
        await make_topics(stack.kafka, topics, PARTITIONS)
        first = start("first", standby_replicas=1)
        await write_rounds(stack.kafka, name, 1)
        await await_rounds(stack.kafka, name, 1)
        second = start("second", standby_replicas=1)
        await owns_all(second, PARTITIONS // 2)
        own = {line["partition"] for line in second.said("partition restored")}

        async def follows() -> bool:
            return len(second.said("follower is near")) == PARTITIONS - len(own)

        await eventually("the second worker has the others' state at hand", follows)
        first.signal(signal.SIGKILL)
        await first.exit_code()
        await write_rounds(stack.kafka, name, 1)
        await owns_all(second, PARTITIONS)
        taken = [line for line in second.said("partition restored") if line["partition"] not in own]
        assert len(taken) == PARTITIONS - len(own)
        for line in taken:
            assert line["from_offset"] > KEYS_PER_PARTITION
            assert line["records"] < KEYS_PER_PARTITION // 10
        await await_rounds(stack.kafka, name, 2)

    asyncio.run(scenario())


def test_a_disk_store_restarts_by_the_rest_alone(
    stack: Any, name: str, start: Start, tmp_path: Path
) -> None:
    """A worker that was killed and started again with its name and folder reads what came since."""
    mine = {"store": "disk", "data_folder": str(tmp_path / "data"), "instance_id": f"{name}-0"}

    async def scenario() -> None:
        topics = [f"{name}-{leaf}" for leaf in ("in", "out", "state")]
        await make_topics(stack.kafka, topics, PARTITIONS)
        first = start("first", **mine)
        await write_rounds(stack.kafka, name, 1)
        await await_rounds(stack.kafka, name, 1)
        first.signal(signal.SIGKILL)
        await first.exit_code()
        second = start("second", **mine)
        await write_rounds(stack.kafka, name, 1)
        await owns_all(second, PARTITIONS)
        for line in second.said("partition restored"):
            assert line["from_offset"] > KEYS_PER_PARTITION
            assert line["records"] <= KEYS_PER_PARTITION // 10
        await await_rounds(stack.kafka, name, 2)
        second.signal(signal.SIGTERM)
        assert await second.exit_code() == 0
        await another_topic_is_noticed(mine)

    async def another_topic_is_noticed(mine: dict[str, str]) -> None:
        """The state topic is made again: the store is of no use, and the log says so."""
        await make_again(stack.kafka, f"{name}-state", f"{name}-in", f"{name}-out")
        third = start("third", **mine)
        await write_rounds(stack.kafka, name, 1)
        await owns_all(third, PARTITIONS)
        assert len(third.said("store discarded")) == PARTITIONS
        await await_rounds(stack.kafka, name, 1)

    asyncio.run(scenario())
