"""`shelfstream bench stream`: this engine and its peers on the same events, in one run.

All events are in Kafka before an engine starts; engines take turns, several rounds.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from deploy.bench.engines import Engine, ours, ours_full, peers
from deploy.bench.events import MIXES
from deploy.bench.place import Place, bench_stack
from deploy.bench.preload import make_topics
from deploy.bench.processes import BenchProcess
from deploy.bench.rates import rate_of, short_rate_of
from deploy.bench.recount import difference, restored
from deploy.bench.report import BenchOptions, Report
from deploy.bench.rounds import Turn, await_ready, run_round, started, topics_of
from deploy.bench.stream_report import Measured, stream_report
from deploy.bench.warm import warm_transactions
from deploy.bench.workload import FULL, QUICK, Sizes, Workload
from deploy.stack.home import Home
from ingest.contracts.errors import BenchError

QUICK_BEGIN_S_MAX: Final = 30.0
"""A quick run begins with no further peer after this: it has 50 s, and this engine is last."""
TURNS: Final = ("few", "records", "java", "few_frames", "domain", "frames")
"""Whose turn comes first, by the log that an engine is given."""


def run(options: BenchOptions) -> Report:
    """Measure every engine that this machine can run; the others are absent, with the reason.

    Raises:
        BenchError: This engine itself can't be measured.
        StackError: There is no Kafka.
    """
    found, absent = peers(options.say)
    begun_s = time.monotonic()  # making the peers' environment, once, is no part of a run
    engines = in_turn(chosen([ours(), ours_full(), *found], options))
    sizes = QUICK if options.quick else FULL
    return run_engines(options, engines, absent, sizes, begun_s=begun_s)


def chosen(engines: Sequence[Engine], options: BenchOptions) -> list[Engine]:
    """Return the engines of a run: those that were named, or all that fit into it.

    Raises:
        BenchError: A name is no engine that this machine can run.
    """
    keys = [engine.key for engine in engines]
    unknown = [name for name in options.only if name not in keys]
    if unknown:
        raise BenchError(f"{unknown[0]} is no engine here: there are {', '.join(keys)}")
    if options.only:
        return [engine for engine in engines if engine.key in options.only]
    return [engine for engine in engines if engine.in_quick or not options.quick]


def in_turn(engines: Sequence[Engine]) -> list[Engine]:
    """Return peers first: they warm the broker, and one that is late is left out of a quick run."""
    return sorted(engines, key=lambda engine: (engine.is_ours, TURNS.index(engine.size)))


def run_engines(
    options: BenchOptions,
    engines: list[Engine],
    absent: dict[str, str],
    sizes: Sizes,
    *,
    begun_s: float,
) -> Report:
    """Measure these engines, in turn, round by round; the errors are those of `run`.

    `begun_s` is when the run began, by the monotonic clock.
    """
    with ExitStack() as opened:
        bench = Bench(options, Workload(sizes), absent, begun_s, opened)
        measured = bench.planned(engines)
        with bench_stack(options.say, meanwhile=partial(bench.start_ahead, measured)) as place:
            bench.prepare(place, measured)
            for number in range(options.rounds):
                for each in measured:
                    bench.measure(place, each, number)
                asyncio.run(bench.check(place))
    return stream_report(measured, absent, options, sizes)


@dataclass
class Bench:
    """One run."""

    options: BenchOptions
    workload: Workload
    absent: dict[str, str]
    """Which peers have no figure, and why; grows while peers fail."""
    begun_s: float
    opened: ExitStack
    """Ends every process that was started."""
    held: dict[str, BenchProcess] = field(default_factory=dict)
    """Engines that wait for their turn, by the names of their rounds."""
    making: Future[None] | None = None
    """Makes the logs in memory while the broker starts."""
    unchecked: list[tuple[Measured, str]] = field(default_factory=list)
    """Engines whose state is not compared yet, with the names of their rounds."""

    def planned(self, engines: Sequence[Engine]) -> list[Measured]:
        """Plan every engine's log; a quick run of all engines has one mix alone."""
        return [
            Measured(engine, self.workload.log_for(engine, mix))
            for engine in engines
            for mix in MIXES
            if mix == "all" or self.options.only or not self.options.quick
        ]

    def start_ahead(self, measured: Sequence[Measured], home: Home) -> None:
        """In a quick run import all engines, and make the logs, while the broker starts."""
        if not self.options.quick:
            return
        for each in measured:
            if each.engine.waits:
                turn = turn_of(each, 0)
                self.held[turn.name] = self._started(home, turn, None)
        pool = self.opened.enter_context(ThreadPoolExecutor(1))
        self.making = pool.submit(self.workload.make)

    def prepare(self, place: Place, measured: Sequence[Measured]) -> None:
        """Write every log, warm the broker, and wait for what was started ahead."""
        if self.making is not None:
            self.making.result()
        asyncio.run(self._write(place, measured))
        self.say(f"{len(self.workload.logs)} logs are written, the broker is warm")
        for each in measured:
            turn = turn_of(each, 0)
            process = self.held.get(turn.name)
            if process is not None:
                self._or_absent(each.engine, partial(await_ready, turn, process))
        if self.held:
            self.say(f"{len(self.held)} engines wait for their turn")

    async def _write(self, place: Place, measured: Sequence[Measured]) -> None:
        rounds = range(self.options.rounds)
        turns = [turn_of(each, number) for each in measured for number in rounds]
        await make_topics(place.kafka, [topic for turn in turns for topic in topics_of(turn)])
        await asyncio.gather(self.workload.write(place.kafka), warm_transactions(place.kafka))

    def measure(self, place: Place, each: Measured, number: int) -> None:
        """Run one engine once, unless it is absent, and say how fast it was.

        A peer that fails is absent from then on, with the reason.

        Raises:
            BenchError: It is this engine that failed.
        """
        engine = each.engine
        if engine.key in self.absent:
            return
        if self._is_late() and not engine.is_ours:
            self.absent[engine.key] = "no time was left in a quick run: this machine is busy"
            self.say(f"{engine.key} is left out: {self.absent[engine.key]}")
            return
        self._or_absent(engine, partial(self._run, place, each, number))

    def _run(self, place: Place, each: Measured, number: int) -> None:
        engine, turn = each.engine, turn_of(each, number)
        process = self.held.pop(turn.name, None)
        if process is None:
            process = self._started(place.home, turn, place)
            await_ready(turn, process)
        # This engine needs seconds to join its group, and waits most of them.
        beside = self.check(place) if engine.is_ours and self.options.quick else None
        try:
            seen = run_round(place, turn, process, beside)
        finally:
            process.end()
        measured = short_rate_of if engine.is_ours and self.options.quick else rate_of
        rate = measured(seen, each.log.warm_events)
        each.rates.append(rate)
        self.unchecked.append((each, turn.name))
        self.say(
            f"{engine.key}, {each.log.mix}: {rate.events_per_s:,.0f} events/s, "
            f"{rate.events_per_cpu_s:,.0f} a CPU-second"
        )

    def _started(self, home: Home, turn: Turn, place: Place | None) -> BenchProcess:
        process = started(home, turn, place)
        self.opened.callback(process.end)
        return process

    def _or_absent(self, engine: Engine, work: Callable[[], None]) -> None:
        try:
            work()
        except BenchError as error:
            if engine.is_ours:
                raise
            self.absent[engine.key] = str(error)
            self.say(f"{engine.key} is left out: {error}")

    def _is_late(self) -> bool:
        whole = not self.options.quick or self.options.only
        return not whole and time.monotonic() - self.begun_s > QUICK_BEGIN_S_MAX

    async def check(self, place: Place) -> None:
        """Compare with a recount of its log the state of every engine that has run since."""
        unchecked, self.unchecked = self.unchecked, []
        for each, name in unchecked:
            engine, log = each.engine, each.log
            changelog = engine.changelog.format(name=name, topic=log.topic)
            expected, found = await asyncio.gather(
                self.workload.recount(place.kafka, engine, log),
                restored(place.kafka, changelog, engine.parse),
            )
            each.wrong = each.wrong or difference(expected, found)
            self.say(f"{engine.key}, {log.mix}: {each.wrong or 'the state equals the recount'}")

    def say(self, text: str) -> None:
        """Tell of progress, with the seconds since the run began."""
        self.options.say(f"{time.monotonic() - self.begun_s:5.1f} s  {text}")


def turn_of(each: Measured, number: int) -> Turn:
    """Return one engine's turn in a round."""
    key = each.engine.key.replace("_", "-")
    return Turn(each.engine, each.log, f"{each.log.topic}-{key}-{number}")
