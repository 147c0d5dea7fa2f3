"""The whole of Shelfstream in one process and one seed: real logic, doubled brokers and clock.

The real bridge, engine and folds run over the doubles of `memory` in the virtual time of `loop`,
while `harness_faults` kills, freezes and cuts. When all is mended and drained, `harness_checks`
compares what is committed with what truly happened.
"""

import asyncio
import zlib
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Final

from alerting.alerts import alert_spec
from ingest.contracts.topics import EVENTS, INPUTS, TOPICS
from ingest.frames import INPUT_FRAMES, BarrierInput
from ingest.ports import RecordSink
from simulators.whole.harness_catalog import LOAD_VERSION, SimulatedCatalog, first_items
from simulators.whole.harness_checks import Checks
from simulators.whole.harness_faults import Faults
from simulators.whole.harness_log import items_of, table_of
from simulators.whole.harness_options import Options, draw
from simulators.whole.harness_processes import WorkerProcess, bridge_main
from simulators.whole.harness_system import Environment, SimulationError, System
from simulators.whole.harness_world import World
from simulators.whole.loop import DeadlockError, StepLimitError, VirtualLoop, virtual_loop
from simulators.whole.memory_bridge import InMemoryRecordSink
from simulators.whole.memory_clients import InMemoryStateLog
from simulators.whole.memory_group import MemoryGroup
from streams.contracts.events import EVENT_FRAMES, BarrierPassed
from streams.engine.fold import FoldSpec
from streams.engine.ports import StateLog
from streams.planning import planning_spec
from streams.stock import stock_spec

STEPS_MAX: Final = 3_000_000
DRAIN_S_MAX: Final = 180.0
"""Virtual seconds within which all must have drained."""
DRAIN_POLL_S: Final = 0.1
DRAIN_ROUNDS: Final = 2
"""The folds feed each other; after as many rounds of barriers nothing is on its way."""
SETTLE_S: Final = 5.0
"""Longer than the transaction time-out: what dead producers left open is aborted by then."""
TRACE_LINES_TOLD: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What is simulated; tests put broken parts in."""

    specs: tuple[FoldSpec, ...] = field(
        default_factory=lambda: (stock_spec(), planning_spec(), alert_spec())
    )
    """The stock fold first."""
    wrap_state_log: Callable[[InMemoryStateLog], StateLog] = lambda log: log
    wrap_sink: Callable[[InMemoryRecordSink], RecordSink] = lambda sink: sink


@dataclass(frozen=True, slots=True)
class Report:
    """What one seed did."""

    seed: int
    counts: Counter[str]
    virtual_s: float
    steps: int
    digest: int
    """Of everything committed to Kafka; equal for equal seeds."""


def run_seed(
    seed: int, *, whole: Whole | None = None, options: Options | None = None, trace: bool = False
) -> Report:
    """Run one seed and check it.

    Raises:
        SimulationError: A promise was broken; the text ends with the command that repeats it.
    """
    options = options if options is not None else draw(seed)
    with virtual_loop(Random(f"loop-{seed}"), steps_max=STEPS_MAX) as loop:  # noqa: S311 - a simulation's dice
        simulation = Simulation(loop, options, whole if whole is not None else Whole())
        try:
            loop.run(simulation.run())
            simulation.check()
        except (SimulationError, DeadlockError, StepLimitError) as error:
            raise SimulationError(simulation.told(error)) from error
        finally:
            if trace:
                print("\n".join(simulation.system.trace))  # noqa: T201 - asked for
        return simulation.report()


class Simulation:
    """One seed's whole."""

    def __init__(self, loop: VirtualLoop, options: Options, whole: Whole) -> None:
        """Lay out brokers, world and processes; nothing runs yet."""
        self.system = System(loop, options)
        self.catalog = SimulatedCatalog(options)
        self.world = World(self.system, self.catalog)
        self._whole = whole
        self._options = options
        self._groups: dict[str, MemoryGroup] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Let everything happen, then mend, drain and stop.

        Raises:
            SimulationError: It does not drain, or a process died of a bug.
        """
        self._create_topics()
        self._start_processes()
        faults = Faults(self.system, self.world, self._start_stock_worker)
        breaking = asyncio.get_running_loop().create_task(faults.run(), name="faults")
        self._start_world()
        await asyncio.sleep(self._options.duration_ms / 1000)
        breaking.cancel()
        self.world.busy = False
        await faults.mend()
        self.system.note("all faults are mended; draining")
        await self._drain()
        await self._stop()

    def check(self) -> None:
        """Check all promises against what is committed."""
        Checks(self.system, self.world, self._whole.specs).all()

    def report(self) -> Report:
        """Return what happened, in numbers."""
        counts = Counter(self.system.counts)
        kafka, mqtt = self.system.kafka.counts, self.system.mqtt.counts
        counts.update(
            {
                "scans": len(self.world.scans),
                "transactions committed": kafka.commits,
                "transactions aborted": kafka.aborts,
                "aborted by a newer owner": kafka.aborts_by_fence,
                "aborted by time-out": kafka.aborts_by_timeout,
                "fenced requests": kafka.fences,
                "MQTT redeliveries": mqtt.redelivered,
                "MQTT messages lost": mqtt.lost,
                "resent events": sum(one.gateway.resent_events for one in self.world.lines),
                "rebalances": sum(group.rebalances for group in self._groups.values()),
                "members expelled": sum(group.expelled for group in self._groups.values()),
            }
        )
        loop = self.system.loop
        return Report(self._options.seed, counts, loop.time(), loop.steps, self._digest())

    def told(self, error: BaseException) -> str:
        """Return the failure with the end of the trace and the command that repeats it."""
        lines = list(self.system.trace)[-TRACE_LINES_TOLD:]
        seed = self._options.seed
        return "\n".join(
            [
                *lines,
                repr(self._options),
                f"{type(error).__name__}: {error}",
                f"make sim SEED={seed}",
            ]
        )

    def _create_topics(self) -> None:
        for topic in TOPICS:
            count = topic.partitions(self._options.partition_count)
            self.system.kafka.create_topic(topic.name, count)
        dice = self.system.dice("catalogue")
        items = first_items(self.catalog, self._options, self.world.opening, dice)
        for partition, first in items.items():
            at_ms = self.system.now_ms()
            frame = INPUT_FRAMES.encode(first, received_at_ms=at_ms, reference_version=LOAD_VERSION)
            self.system.kafka.append(INPUTS.name, partition, None, frame)

    def _start_processes(self) -> None:
        for index in range(self._options.bridge_count):
            main = partial(
                bridge_main, index=index, catalog=self.catalog, wrap_sink=self._whole.wrap_sink
            )
            self.system.start(f"bridge-{index}", main)
        for spec in self._whole.specs:
            self._groups[spec.name] = MemoryGroup(
                self._options.partition_count,
                session_timeout_s=2.0,
                rebalance_timeout_s=3.0,
                rng=self.system.dice(f"group-{spec.name}"),
            )
        for number in range(self._options.worker_count):
            self._start_stock_worker(number)
        for spec in self._whole.specs[1:]:
            self.system.start(f"{spec.name}-0", partial(self._worker_main, spec))

    def _start_stock_worker(self, number: int) -> None:
        spec = self._whole.specs[0]
        self.system.start(f"{spec.name}-{number}", partial(self._worker_main, spec))

    def _worker_main(self, spec: FoldSpec, environment: Environment) -> Coroutine[Any, Any, None]:
        group, wrap = self._groups[spec.name], self._whole.wrap_state_log
        return WorkerProcess(environment, spec, group, wrap).run()

    def _start_world(self) -> None:
        works = [self.world.run_gateways, self.world.run_shoppers, self.world.run_staff]
        if self._options.time == "driven":
            works.append(self.world.run_clock)
        for work in works:
            task = asyncio.get_running_loop().create_task(work(), name=work.__name__)
            self._tasks.append(task)

    async def _drain(self) -> None:
        await self._until("gateways drain", self._gateways_drained)
        for round_number in range(DRAIN_ROUNDS):
            barrier_id = f"end-{round_number}"
            for partition in range(self._options.partition_count):
                frame = INPUT_FRAMES.encode([BarrierInput(barrier_id, partition)], received_at_ms=0)
                self.system.kafka.append(INPUTS.name, partition, None, frame)
            await self._until("barriers pass", partial(self._passed, barrier_id))
            ends = self._ends(self._whole.specs)
            await self._until("folds catch up", partial(self._applied, ends))

    async def _until(self, what: str, holds: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + DRAIN_S_MAX
        while not holds():
            if self.system.failure is not None:
                raise SimulationError(
                    f"a process died of a bug: {self.system.failure!r}"
                ) from self.system.failure
            for task in self._tasks:
                if task.done() and not task.cancelled():
                    task.result()
            if loop.time() > deadline_s:
                raise SimulationError(f"in {DRAIN_S_MAX} s: {what}")
            await asyncio.sleep(DRAIN_POLL_S)

    def _gateways_drained(self) -> bool:
        return self.world.unaccepted_events == 0 and self.world.chores == 0

    def _passed(self, barrier_id: str) -> bool:
        passed = {
            event.partition
            for event in items_of(self.system.kafka, EVENTS.name, EVENT_FRAMES)
            if isinstance(event, BarrierPassed) and event.barrier_id == barrier_id
        }
        return len(passed) == self._options.partition_count

    def _ends(self, specs: Sequence[FoldSpec]) -> dict[tuple[str, int], int]:
        ends = {}
        for spec in specs:
            for partition in range(self._options.partition_count):
                records = self.system.kafka.partition(spec.input_topic, partition).read_committed(0)
                ends[spec.state_topic, partition] = records[-1].offset if records else -1
        return ends

    def _applied(self, ends: dict[tuple[str, int], int]) -> bool:
        for (state_topic, partition), offset in ends.items():
            applied = table_of(self.system.kafka.partition(state_topic, partition)).applied
            if offset >= 0 and (applied is None or applied.input_offset < offset):
                return False
        return True

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        # The stock fold first: what it told the others last they still take in.
        await self._stop_processes("bridge", self._whole.specs[0].name)
        ends = self._ends(self._whole.specs[1:])
        await self._until("the other folds catch up", partial(self._applied, ends))
        await self._stop_processes("")

    async def _stop_processes(self, *prefixes: str) -> None:
        for prefix in prefixes:
            for name in self.system.names(prefix):
                self.system.stop(name)
        await asyncio.sleep(SETTLE_S)
        if self.system.failure is not None:
            raise SimulationError(f"a process died of a bug: {self.system.failure!r}")

    def _digest(self) -> int:
        digest = 0
        for name in sorted(self.system.kafka.topics):
            for log in self.system.kafka.topics[name].partitions:
                for record in log.read_committed(0):
                    digest = zlib.crc32(record.key or b"", digest)
                    digest = zlib.crc32(record.value or b"", digest)
        return digest
