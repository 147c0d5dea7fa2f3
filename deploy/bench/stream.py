"""`shelfstream bench stream`: this engine and its peers on the same events, in one run.

All events are in Kafka before an engine starts; engines take turns, several rounds.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from deploy.bench.counting import Totals
from deploy.bench.engines import Engine, ours, peers
from deploy.bench.events import MIXES, Event, as_frames, as_records, events
from deploy.bench.place import Place, bench_stack
from deploy.bench.preload import PARTITIONS, Log, write_log
from deploy.bench.rates import rate_of
from deploy.bench.recount import difference, recounted, restored
from deploy.bench.report import BenchOptions, Report
from deploy.bench.rounds import run_round
from deploy.bench.stream_report import Measured, stream_report
from ingest.contracts.errors import BenchError
from ingest.partitions import partition_of

WARM_SHARE: Final = 0.1
"""The first tenth of a log is not measured: an engine's start, its first fetches."""


@dataclass(frozen=True)
class Sizes:
    """How many events each kind of engine is given: rates are compared, not totals."""

    frames: int
    records: int
    few: int
    java: int
    java_warm: int
    """Events of `java` that only warm the virtual machine up."""

    def warm_events(self, size: str) -> int:
        """Return how many events of a log are done before the rates begin."""
        return self.java_warm if size == "java" else int(getattr(self, size) * WARM_SHARE)


FULL: Final = Sizes(
    frames=4_000_000, records=600_000, few=40_000, java=6_000_000, java_warm=1_000_000
)
QUICK: Final = Sizes(frames=600_000, records=120_000, few=12_000, java=400_000, java_warm=150_000)


def run(options: BenchOptions) -> Report:
    """Measure every engine that this machine can run; the others are absent, with the reason.

    Raises:
        BenchError: This engine itself can't be measured.
        StackError: There is no Kafka.
    """
    return run_sized(options, QUICK if options.quick else FULL)


def run_sized(options: BenchOptions, sizes: Sizes) -> Report:
    """Do what `run` does, with so many events."""
    found, absent = peers(options.say)
    engines = [ours(), *(peer for peer in found if peer.in_quick or not options.quick)]
    with bench_stack(options.say) as place:
        bench = Bench(place, options, sizes, absent)
        measured = [
            Measured(engine, bench.log_for(engine, mix))
            for engine in engines
            for mix in bench.mixes_of(engine)
        ]
        for number in range(options.rounds):
            for each in measured:
                bench.measure(each, number)
    return stream_report(measured, absent, options)


@dataclass
class Bench:
    """One run: the logs written so far, and what a recount of each says."""

    place: Place
    options: BenchOptions
    sizes: Sizes
    absent: dict[str, str]
    """Which peers have no figure, and why; grows while peers fail."""
    logs: dict[str, Log] = field(default_factory=dict)
    recounts: dict[str, Totals] = field(default_factory=dict)
    begun_s: float = field(default_factory=time.monotonic)

    def mixes_of(self, engine: Engine) -> list[str]:
        """Return the mixes an engine is run on: in a quick run, only frames on both."""
        both = not self.options.quick or engine.size == "frames"
        return list(MIXES) if both else ["all"]

    def log_for(self, engine: Engine, mix: str) -> Log:
        """Return the log that an engine is given, written now where it is not there yet."""
        topic = f"bench-{engine.size}-{mix.rstrip('%')}"
        if topic not in self.logs:
            count: int = getattr(self.sizes, engine.size)
            self.say(f"writing {count:,} events as {engine.feeds}, mix {mix}")
            self.logs[topic] = self._write(topic, engine, mix, count)
        return self.logs[topic]

    def measure(self, each: Measured, number: int) -> None:
        """Run one engine once, check its state, and say how fast it was.

        A peer that fails is absent from then on, with the reason.

        Raises:
            BenchError: It is this engine that failed.
        """
        engine, log = each.engine, each.log
        if engine.key in self.absent:
            return
        name = f"{log.topic}-{engine.key.replace('_', '-')}-{number}"
        try:
            seen = run_round(self.place, engine, log, name)
            rate = rate_of(seen, log.warm_events)
        except BenchError as error:
            if engine.is_ours:
                raise
            self.absent[engine.key] = str(error)
            self.say(f"{engine.key} is left out: {error}")
            return
        changelog = engine.changelog.format(name=name, topic=log.topic)
        found = asyncio.run(restored(self.place.kafka, changelog, engine.parse))
        each.rates.append(rate)
        each.wrong = each.wrong or difference(self._recount(log), found)
        self.say(
            f"{engine.key}, {log.mix}: {rate.events_per_s:,.0f} events/s, "
            f"{rate.events_per_cpu_s:,.0f} a CPU-second {each.wrong}"
        )

    def say(self, text: str) -> None:
        """Tell of progress, with the seconds since the run began."""
        self.options.say(f"{time.monotonic() - self.begun_s:5.1f} s  {text}")

    def _write(self, topic: str, engine: Engine, mix: str, count: int) -> Log:
        made = as_frames if engine.feeds == "frames" else as_records
        by_partition: Counter[int] = Counter()

        def counted() -> Iterator[Event]:
            for event in events(count, MIXES[mix]):
                by_partition[partition_of(event.sku, PARTITIONS)] += 1
                yield event

        asyncio.run(write_log(self.place.kafka, topic, made(counted(), PARTITIONS)))
        return Log(
            topic=topic,
            frames=engine.feeds == "frames",
            mix=mix,
            events_by_partition=[by_partition[p] for p in range(PARTITIONS)],
            warm_events=self.sizes.warm_events(engine.size),
        )

    def _recount(self, log: Log) -> Totals:
        if log.topic not in self.recounts:
            self.recounts[log.topic] = asyncio.run(
                recounted(self.place.kafka, log.topic, frames=log.frames)
            )
        return self.recounts[log.topic]
