"""Workers of the benchmark of recovery: started, watched by their log, killed."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from deploy.bench.place import Place
from deploy.bench.preload import PARTITIONS
from deploy.bench.processes import BenchProcess
from deploy.bench.state_log import StateTopics, write_load
from deploy.stack.children import import_path
from deploy.stack.run import environment_of
from ingest.contracts.errors import BenchError
from ingest.contracts.settings import ENV_PREFIX
from streams.engine.adapters.reader import TopicReader

RESTORE_TIMEOUT_S: Final = 180.0
FLOW_TIMEOUT_S: Final = 60.0
LOAD_INTERVAL_S: Final = 0.05
_LOOK_S: Final = 0.02
_IN_FLIGHT_S: Final = 0.3
"""What a killed worker had committed is read within this."""


class StateWorker:
    """One worker process of the counting fold."""

    def __init__(
        self, place: Place, topics: StateTopics, label: str, settings: Mapping[str, str]
    ) -> None:
        """Start it with these engine settings: `SHELFSTREAM_ENGINE_{name}`."""
        environ = dict(os.environ)  # noqa: TID251 - children get what we have
        environment = environment_of(place.home, environ)
        environment |= {f"{ENV_PREFIX}ENGINE_{key}": value for key, value in settings.items()}
        environment["PYTHONPATH"] = import_path(environ)
        self.begun_s = time.monotonic()
        self._log: Path = place.logs / f"{label}.log"
        argv = [sys.executable, "-m", "deploy.bench.engine_worker", "counting"]
        self._process = BenchProcess(
            [*argv, topics.name, topics.input_topic], log=self._log, environment=environment
        )

    async def restored(self, partitions: int = PARTITIONS) -> float:
        """Wait until so many partitions were restored in its life; return the monotonic time.

        Raises:
            BenchError: It ended, or took too long.
        """
        return await self._await_lines("partition restored", partitions)

    async def followed(self, partitions: int) -> float:
        """Wait until it stands by, up to date, for so many partitions."""
        return await self._await_lines("follower is near", partitions)

    def take_over_s(self) -> float:
        """Return the seconds from its last assignment, all fenced, to its last restore."""
        assigned, restored = self._said("partitions assigned"), self._said("partition restored")
        return _at_s(restored[-1]) - _at_s(assigned[-1])

    def records_restored(self) -> int:
        """Return how many records the partitions of its last assignment were restored from."""
        new = self._said("partitions assigned")[-1]["new"]
        last = {line["partition"]: line["records"] for line in self._said("partition restored")}
        return sum(int(last[partition]) for partition in new)

    def resident_bytes(self) -> int:
        """Return its resident memory now."""
        return self._process.usage().resident_bytes

    def kill(self) -> float:
        """Kill it as a crash would; return the monotonic time."""
        killed_s = time.monotonic()
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.end()
        return killed_s

    async def _await_lines(self, event: str, count: int) -> float:
        deadline_s = time.monotonic() + RESTORE_TIMEOUT_S
        while len(self._said(event)) < count:
            self._process.check_alive()
            if time.monotonic() > deadline_s:
                raise BenchError(f"{self._log.stem}: not {count} times {event!r} in time")
            await asyncio.sleep(_LOOK_S)
        return time.monotonic()

    def _said(self, event: str) -> list[dict[str, Any]]:
        lines = (line for line in self._log.read_text().splitlines() if line.startswith("{"))
        return [said for said in map(json.loads, lines) if said["event"] == event]


def _at_s(line: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(line["at"]).timestamp()


@contextlib.asynccontextmanager
async def loaded(place: Place, topics: StateTopics) -> AsyncIterator["Flow"]:
    """Write a light load for the length of a block, and watch what is committed of it."""
    load = asyncio.create_task(write_load(place.kafka, topics, LOAD_INTERVAL_S))
    try:
        async with TopicReader(place.kafka, f"{topics.name}-progress") as reader:
            yield Flow(reader)
    finally:
        load.cancel()
        await asyncio.wait([load])


class Flow:
    """The progress that workers commit: whether every partition moves."""

    def __init__(self, reader: TopicReader) -> None:
        """Take a reader of the progress topic."""
        self._reader = reader

    async def everywhere(self) -> float:
        """Wait until every partition has moved since this call; return the monotonic time.

        Raises:
            BenchError: One stands still for too long.
        """
        await asyncio.sleep(_IN_FLIGHT_S)
        await self._reader.poll(timeout_ms=0)
        still = set(range(PARTITIONS))
        deadline_s = time.monotonic() + FLOW_TIMEOUT_S
        while still:
            if time.monotonic() > deadline_s:
                raise BenchError(f"partitions {sorted(still)} stand still")
            still -= {record.partition for record in await self._reader.poll(timeout_ms=50)}
        return time.monotonic()
