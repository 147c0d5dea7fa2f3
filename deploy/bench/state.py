"""`shelfstream bench state`: how much memory state takes, and how long it takes to have it back.

The state is that of the counting fold, in a compacted topic, written by the engine's own
transactions. Workers are real processes; those that crash are killed.
"""

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.bench.place import Place, bench_stack
from deploy.bench.preload import PARTITIONS
from deploy.bench.report import BenchOptions, Cell, Report, Spread, Value
from deploy.bench.state_domain import domain_state
from deploy.bench.state_log import StateTopics
from deploy.bench.state_workers import StateWorker, loaded

NAME: Final = "bench-state"
FIRST: Final = {"INSTANCE_ID": "first", "STANDBY_REPLICAS": "1"}
SECOND: Final = {"INSTANCE_ID": "second", "STANDBY_REPLICAS": "1"}
SUPERVISOR_DELAY_S: Final = 0.25
"""The local stack's supervisor starts a part again after this."""
HOUR_UPDATES_PER_KEY: Final = 18
"""An hour of 5 thousand updates a second over a million keys."""


NOTES: Final = (
    f"counting state in {PARTITIONS} partitions, one broker; memory beyond an idle worker's",
    "a take-over counts from the assignment, when all is fenced, to the last restore",
    "to flow: from kill -9 until every partition commits again, the supervisor's 0.25 s included",
    "session time 6 s; a worker that is started again has a name in its group, and waits for none",
    "an hour's updates (18 a key) are in transactions of 2,000 records; the broker compacts or not",
)


@dataclass(frozen=True)
class Sizes:
    """How much state there is."""

    keys: int
    domain_skus: int


FULL: Final = Sizes(1_000_000, 10_000)
QUICK: Final = Sizes(50_000, 200)


def run(options: BenchOptions) -> Report:
    """Measure memory, restores and take-overs.

    Raises:
        BenchError: A worker ended, or did not restore in time.
        StackError: There is no Kafka.
    """
    sizes = QUICK if options.quick else FULL
    with (
        bench_stack(options.say) as place,
        tempfile.TemporaryDirectory(prefix="shelfstream-bench-state-") as folder,
    ):
        bench = StateBench(place, options, sizes, Path(folder))
        asyncio.run(bench.measure())
    return bench.report()


@dataclass
class StateBench:
    """One run, and what it has found so far."""

    place: Place
    options: BenchOptions
    sizes: Sizes
    folder: Path
    headline: dict[str, Value] = field(default_factory=dict)
    rows: list[dict[str, Cell]] = field(default_factory=list)
    started: int = 0

    async def measure(self) -> None:
        """Take all figures, one after the other."""
        topics = StateTopics(self.place.kafka, NAME, self.sizes.keys)
        await topics.create()
        idle = self._start(topics, FIRST)
        await idle.restored()
        idle_bytes = idle.resident_bytes()
        idle.kill()
        self.headline["keys"] = self.sizes.keys
        self.options.say(f"writing {self.sizes.keys:,} keys")
        await topics.fill()
        worker = await self._memory(topics, idle_bytes)
        worker = await self._restart(topics, worker)
        worker = await self._standby(topics, worker)
        worker.kill()
        await self._disk(topics)
        await self._tail(topics)
        self._domain()

    def report(self) -> Report:
        """Return what was found."""
        return Report(
            name="state",
            headline=self.headline,
            rows=self.rows,
            notes=NOTES,
        )

    async def _memory(self, topics: StateTopics, idle_bytes: int) -> StateWorker:
        takes: list[float] = []
        while True:
            worker = self._start(topics, FIRST)
            await worker.restored()
            takes.append(worker.take_over_s())
            if len(takes) == self.options.rounds:
                break
            worker.kill()
        per_key = (worker.resident_bytes() - idle_bytes) / self.sizes.keys
        self.headline["bytes_per_key"] = round(per_key)
        self._found("recovery_s", "restored to memory, nothing at hand", Spread.of(takes), worker)
        return worker

    async def _restart(self, topics: StateTopics, worker: StateWorker) -> StateWorker:
        async with loaded(self.place, topics) as flow:
            await flow.everywhere()
            killed_s = worker.kill()
            await asyncio.sleep(SUPERVISOR_DELAY_S)
            successor = self._start(topics, FIRST)
            flows_s = await flow.everywhere() - killed_s
        self._found(
            "restart_to_flow_s", "kill -9, started again, memory: to flow", flows_s, successor
        )
        return successor

    async def _standby(self, topics: StateTopics, owner: StateWorker) -> StateWorker:
        follower = self._start(topics, SECOND)
        await follower.followed(PARTITIONS // 2)
        await owner.followed(PARTITIONS // 2)
        async with loaded(self.place, topics) as flow:
            await flow.everywhere()
            killed_s = owner.kill()
            await follower.restored(PARTITIONS)
            flows_s = await flow.everywhere() - killed_s
        self._found("standby_to_flow_s", "kill -9, standby elsewhere: to flow", flows_s, follower)
        self._found("standby_s", "the same: taken over", follower.take_over_s(), follower)
        return follower

    async def _disk(self, topics: StateTopics) -> None:
        settings = SECOND | {"STORE": "disk", "DATA_FOLDER": str(self.folder / "data")}
        first = self._start(topics, settings)
        await first.restored()
        self._found("disk_fill_s", "restored to disk, nothing at hand", first.take_over_s(), first)
        async with loaded(self.place, topics) as flow:
            await flow.everywhere()
            killed_s = first.kill()
            await asyncio.sleep(SUPERVISOR_DELAY_S)
            again = self._start(topics, settings)
            flows_s = await flow.everywhere() - killed_s
        self._found(
            "disk_restart_s", "kill -9, own disk store: restored", again.take_over_s(), again
        )
        self._found("disk_to_flow_s", "the same: to flow", flows_s, again)
        again.kill()

    async def _tail(self, topics: StateTopics) -> None:
        updates = self.sizes.keys * HOUR_UPDATES_PER_KEY
        self.options.say(f"writing {updates:,} updates")
        await topics.update(updates)
        worker = self._start(topics, SECOND)
        await worker.restored()
        name = f"restored to memory, after {updates:,} more updates"
        self._found("recovery_with_tail_s", name, worker.take_over_s(), worker)
        worker.kill()

    def _domain(self) -> None:
        found = domain_state(self.sizes.domain_skus)
        self.headline["domain_bytes_per_level"] = round(found.bytes_per_level)
        start_us = found.start_cpu_s / found.levels * 1e6
        self.headline["domain_start_us_per_level"] = round(start_us, 2)
        self.rows.append(
            {
                "what": f"stock fold started on {found.levels:,} levels (CPU)",
                "seconds": found.start_cpu_s,
            }
        )

    def _found(self, key: str, what: str, seconds: Spread | float, worker: StateWorker) -> None:
        middle = seconds.median if isinstance(seconds, Spread) else seconds
        self.headline[key] = round(middle, 2)
        records = worker.records_restored()
        self.rows.append({"what": what, "seconds": seconds, "records read": records})
        self.options.say(f"{what}: {middle:.2f} s, {records:,} records read")

    def _start(self, topics: StateTopics, settings: dict[str, str]) -> StateWorker:
        self.started += 1
        return StateWorker(self.place, topics, f"worker-{self.started}", settings)
