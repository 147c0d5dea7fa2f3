"""The real bridge and the real engine, each inside a simulated process."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from ingest.bridge import Bridge
from ingest.ports import RecordSink
from ingest.slices import SliceRouter, client_id
from simulators.whole.harness_catalog import SimulatedCatalog
from simulators.whole.harness_log import transactional_id_of
from simulators.whole.harness_system import Environment
from simulators.whole.memory_bridge import (
    InMemoryCatalogFeed,
    InMemoryMessageSource,
    InMemoryRecordSink,
)
from simulators.whole.memory_clients import InMemoryInputLog, InMemoryStateLog
from simulators.whole.memory_group import GenerationError, MemoryGroup, Word
from simulators.whole.memory_link import Link
from streams.engine.fold import FoldSpec
from streams.engine.partition import PartitionRunner
from streams.engine.ports import StateLog
from streams.engine.settings import EngineSettings

BRIDGE_BUSY_MS_MAX: Final = 5
BRIDGE_IDLE_MS_MAX: Final = 30
FETCH_RECORDS_MAX: Final = 20
JOIN_POLL_S: Final = 0.05


async def bridge_main(
    environment: Environment,
    index: int,
    catalog: SimulatedCatalog,
    wrap_sink: Callable[[InMemoryRecordSink], RecordSink],
) -> None:
    """Run one slice of the bridge until its process ends."""
    system = environment.system
    count = system.options.bridge_count
    source = InMemoryMessageSource(
        system.mqtt,
        client_id(index, count),
        receive_max=system.options.receive_max,
        link=environment.mqtt_link(),
    )
    environment.at_end(source.drop)
    bridge = Bridge(
        source=source,
        sink=wrap_sink(InMemoryRecordSink(system.kafka, link=environment.kafka_link())),
        catalog=catalog,
        feed=InMemoryCatalogFeed(system.kafka),
        router=SliceRouter(index, count, driven=system.options.time == "driven"),
        now_ms=system.now_ms,
        monotonic_ms=lambda: int(system.loop.time() * 1000),
    )
    while True:
        busy = bridge.step()
        pause_ms = BRIDGE_BUSY_MS_MAX if busy else BRIDGE_IDLE_MS_MAX
        await asyncio.sleep(environment.rng.randint(1, pause_ms) / 1000)


def engine_settings(environment: Environment) -> EngineSettings:
    """Return the engine's settings of a seed: the production ones, made faster."""
    options = environment.system.options
    return EngineSettings(
        commit_interval_ms=environment.rng.choice([1, 20, 100]),
        commit_interval_ms_max=300,
        backlog_frames_min=2,
        applied_interval_ms=500,
        commit_timeout_ms=10_000,
        pending_frames_max=options.pending_frames_max,
        drain_timeout_ms=1_000,
        tick_interval_ms=1_000,
        session_timeout_ms=2_000,
        heartbeat_interval_ms=300,
    )


class WorkerProcess:
    """A member of a fold's group that runs `PartitionRunner`s, as the Faust worker does."""

    def __init__(
        self,
        environment: Environment,
        spec: FoldSpec,
        group: MemoryGroup,
        wrap_state_log: Callable[[InMemoryStateLog], StateLog],
    ) -> None:
        """Prepare; `run` joins the group. `wrap_state_log` lets a test break the log."""
        self._wrap_state_log = wrap_state_log
        self._environment = environment
        self._system = environment.system
        self._spec = spec
        self._group = group
        self._engine = engine_settings(environment)
        self._link: Link = environment.kafka_link()
        self._generation = -1
        self._runners: list[PartitionRunner] = []
        self._word: asyncio.Event = asyncio.Event()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Serve the partitions of each generation until something fails."""
        member = self._environment.name
        heart = asyncio.create_task(self._beat(), name=f"{member}-heart")
        while True:
            self._generation = await self._link.request(partial(self._group.join, member))
            self._word.clear()
            try:
                partitions = await self._assigned()
            except GenerationError:
                continue
            await self._serve(sorted(partitions), heart)

    async def _assigned(self) -> list[int]:
        member, generation = self._environment.name, self._generation
        while True:
            partitions = await self._link.request(
                partial(self._group.assignment, member, generation)
            )
            if partitions is not None:
                return partitions
            await asyncio.sleep(JOIN_POLL_S)

    async def _beat(self) -> None:
        while True:
            word: Word = await self._link.request(
                lambda: self._group.heartbeat(self._environment.name, self._generation)
            )
            if word != "stay":
                self._word.set()
            await asyncio.sleep(self._engine.heartbeat_interval_ms / 1000)

    async def _serve(self, partitions: list[int], heart: asyncio.Task[None]) -> None:
        runners = self._runners = [self._runner(partition) for partition in partitions]
        tasks = [asyncio.create_task(self._run_partition(runner)) for runner in runners]
        tasks.append(asyncio.create_task(self._commit_offsets()))
        told = asyncio.create_task(self._told())
        watched: list[asyncio.Future[None]] = [*tasks, heart, self._failed]
        await asyncio.wait([*watched, told], return_when=asyncio.FIRST_COMPLETED)
        for one in watched:
            if one.done():
                one.result()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for runner in runners:
            if runner.end_offset >= 0:
                await runner.close()
            else:
                await runner.abandon()
        with suppress(GenerationError):
            await self._commit_now()

    async def _told(self) -> None:
        await self._word.wait()

    async def _run_partition(self, runner: PartitionRunner) -> None:
        await runner.take_over()
        self._system.count(f"{self._spec.name} take-over")
        partition = runner.partition
        log = self._system.kafka.partition(self._spec.input_topic, partition)
        position = await self._link.request(lambda: self._group.committed.get(partition, 0))
        while True:
            begin = position
            records, position = await self._link.request(
                partial(log.fetch, begin, FETCH_RECORDS_MAX)
            )
            for number, record in enumerate(records, 1):
                value, frames_behind = record.value or b"", len(records) - number
                await runner.offer(record.offset, value, frames_behind=frames_behind)
            if not records:
                await log.readable(position)

    def _runner(self, partition: int) -> PartitionRunner:
        kafka = self._system.kafka
        return PartitionRunner(
            self._spec,
            partition,
            self._system.options.partition_count,
            state_log=self._wrap_state_log(
                InMemoryStateLog(
                    kafka,
                    transactional_id=transactional_id_of(self._spec, partition),
                    topic=self._spec.state_topic,
                    partition=partition,
                    link=self._environment.kafka_link(),
                )
            ),
            input_log=InMemoryInputLog(
                kafka,
                topic=self._spec.input_topic,
                partition=partition,
                link=self._environment.kafka_link(),
            ),
            engine=self._engine,
            now_ms=self._system.now_ms,
            on_failed=self._on_failed,
            ticks=self._system.options.time == "wall",
        )

    def _on_failed(self, error: BaseException) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)

    async def _commit_offsets(self) -> None:
        while True:
            await asyncio.sleep(self._system.options.commit_lag_ms / 1000)
            with suppress(GenerationError):
                await self._commit_now()

    async def _commit_now(self) -> None:
        applied = {one.partition: one.applied_offset + 1 for one in self._runners}
        offsets = {partition: offset for partition, offset in applied.items() if offset}
        await self._link.request(
            partial(self._group.commit, self._environment.name, self._generation, offsets)
        )
