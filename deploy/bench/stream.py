"""`shelfstream bench stream`: this engine and its peers on the same events, in one run.

All events are in Kafka before an engine starts; engines take turns, several rounds.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from deploy.bench.engines import Engine, ours, ours_full, peers
from deploy.bench.events import MIXES
from deploy.bench.place import Place, bench_stack
from deploy.bench.rates import rate_of
from deploy.bench.recount import difference, restored
from deploy.bench.report import BenchOptions, Report
from deploy.bench.rounds import run_round
from deploy.bench.stream_report import Measured, stream_report
from deploy.bench.workload import FULL, QUICK, Sizes, Workload
from ingest.contracts.errors import BenchError

QUICK_BEGIN_S_MAX: Final = 42.0
"""A quick run starts no further engine after this; it has 50 s in all."""


def run(options: BenchOptions) -> Report:
    """Measure every engine that this machine can run; the others are absent, with the reason.

    Raises:
        BenchError: This engine itself can't be measured.
        StackError: There is no Kafka.
    """
    found, absent = peers(options.say)
    begun_s = time.monotonic()  # making the peers' environment, once, is no part of a run
    engines = chosen([ours(), ours_full(), *found], options)
    # The slowest last: a quick run on a busy machine may have no time for it.
    engines.sort(key=lambda engine: engine.size == "few")
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
    with bench_stack(options.say) as place:
        bench = Bench(place, options, Workload(place.kafka, sizes), absent, begun_s)
        measured = bench.prepared(engines)
        for number in range(options.rounds):
            for each in measured:
                bench.measure(each, number)
    return stream_report(measured, absent, options, sizes)


@dataclass
class Bench:
    """One run."""

    place: Place
    options: BenchOptions
    workload: Workload
    absent: dict[str, str]
    """Which peers have no figure, and why; grows while peers fail."""
    begun_s: float

    def prepared(self, engines: list[Engine]) -> list[Measured]:
        """Write every log; a quick run of all engines has one mix alone."""
        measured = [
            Measured(engine, self.workload.log_for(engine, mix))
            for engine in engines
            for mix in MIXES
            if mix == "all" or self.options.only or not self.options.quick
        ]
        self.say(f"{len(self.workload.logs)} logs are written")
        return measured

    def measure(self, each: Measured, number: int) -> None:
        """Run one engine once, check its state, and say how fast it was.

        A peer that fails is absent from then on, with the reason.

        Raises:
            BenchError: It is this engine that failed.
        """
        engine, log = each.engine, each.log
        if engine.key in self.absent:
            return
        if self._is_late():
            self.absent[engine.key] = "no time was left in a quick run: this machine is busy"
            self.say(f"{engine.key} is left out: {self.absent[engine.key]}")
            return
        name = f"{log.topic}-{engine.key.replace('_', '-')}-{number}"
        try:
            seen = run_round(self.place, engine, log, name)
            each.rates.append(rate_of(seen, log.warm_events))
        except BenchError as error:
            if engine.is_ours:
                raise
            self.absent[engine.key] = str(error)
            self.say(f"{engine.key} is left out: {error}")
            return
        self._check(each, name)

    def _is_late(self) -> bool:
        whole = not self.options.quick or self.options.only
        return not whole and time.monotonic() - self.begun_s > QUICK_BEGIN_S_MAX

    def _check(self, each: Measured, name: str) -> None:
        engine, log, rate = each.engine, each.log, each.rates[-1]
        changelog = engine.changelog.format(name=name, topic=log.topic)
        found = asyncio.run(restored(self.place.kafka, changelog, engine.parse))
        each.wrong = each.wrong or difference(self.workload.recount(engine, log), found)
        self.say(
            f"{engine.key}, {log.mix}: {rate.events_per_s:,.0f} events/s, "
            f"{rate.events_per_cpu_s:,.0f} a CPU-second {each.wrong}"
        )

    def say(self, text: str) -> None:
        """Tell of progress, with the seconds since the run began."""
        self.options.say(f"{time.monotonic() - self.begun_s:5.1f} s  {text}")
