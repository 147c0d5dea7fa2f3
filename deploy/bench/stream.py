"""`shelfstream bench stream`: this engine and its peers on the same events, in one run.

All events are in Kafka before an engine starts; engines take turns, several rounds.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from deploy.bench.counting import Totals
from deploy.bench.engines import Engine, bare_loop, ours, run_round
from deploy.bench.events import MIXES, Event, as_frames, as_records, events
from deploy.bench.peer_environment import peers_python
from deploy.bench.place import Place, bench_stack
from deploy.bench.preload import PARTITIONS, Log, write_log
from deploy.bench.rates import rate_of
from deploy.bench.recount import difference, recounted, restored
from deploy.bench.report import BenchOptions, Report
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
    faust_records: int
    java_warm: int
    java_records: int


FULL: Final = Sizes(5_000_000, 500_000, 50_000, 1_000_000, 5_000_000)
QUICK: Final = Sizes(1_000_000, 100_000, 10_000, 200_000, 300_000)


def run(options: BenchOptions) -> Report:
    """Measure every engine that this machine can run; the others are absent, with the reason.

    Raises:
        BenchError: This engine itself can't be measured.
        StackError: There is no Kafka.
    """
    return run_sized(options, QUICK if options.quick else FULL)


def run_sized(options: BenchOptions, sizes: Sizes) -> Report:
    """Do what `run` does, with so many events."""
    absent: dict[str, str] = {}
    plan = [(ours(), mix) for mix in MIXES]
    try:
        python = peers_python(options.say)
        plan += [(bare_loop(python), mix) for mix in MIXES]
    except BenchError as error:
        absent["peers in Python"] = str(error)
    with bench_stack(options.say) as place:
        bench = Bench(place, options, sizes)
        measured = [Measured(engine, bench.log_for(engine, mix)) for engine, mix in plan]
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
    logs: dict[str, Log] = field(default_factory=dict)
    recounts: dict[str, Totals] = field(default_factory=dict)

    def log_for(self, engine: Engine, mix: str) -> Log:
        """Return the log that an engine is given, written now where it is not there yet."""
        count = self.sizes.frames if engine.feeds == "frames" else self.sizes.records
        topic = f"bench-{engine.feeds}-{mix.rstrip('%')}-{count}"
        if topic not in self.logs:
            self.options.say(f"writing {count:,} events as {engine.feeds}, mix {mix}")
            self.logs[topic] = self._write(topic, engine.feeds == "frames", mix, count)
        return self.logs[topic]

    def measure(self, each: Measured, number: int) -> None:
        """Run one engine once, check its state, and say how fast it was."""
        name = f"{each.log.topic}-{each.engine.key}-{number}"
        seen = run_round(self.place, each.engine, each.log, name)
        rate = rate_of(seen, each.log.warm_events)
        changelog = each.engine.changelog.format(name=name, topic=each.log.topic)
        found = asyncio.run(restored(self.place.kafka, changelog, each.engine.parse))
        each.rates.append(rate)
        each.wrong = each.wrong or difference(self._recount(each.log), found)
        self.options.say(
            f"{each.engine.name}, {each.log.mix}: {rate.events_per_s:,.0f} events/s, "
            f"{rate.events_per_cpu_s:,.0f} a CPU-second {each.wrong}"
        )

    def _write(self, topic: str, frames: bool, mix: str, count: int) -> Log:
        made = as_frames if frames else as_records
        by_partition: Counter[int] = Counter()

        def counted() -> Iterator[Event]:
            for event in events(count, MIXES[mix]):
                by_partition[partition_of(event.sku, PARTITIONS)] += 1
                yield event

        asyncio.run(write_log(self.place.kafka, topic, made(counted(), PARTITIONS)))
        return Log(
            topic=topic,
            frames=frames,
            mix=mix,
            events_by_partition=[by_partition[p] for p in range(PARTITIONS)],
            warm_events=int(count * WARM_SHARE),
        )

    def _recount(self, log: Log) -> Totals:
        if log.topic not in self.recounts:
            self.recounts[log.topic] = asyncio.run(
                recounted(self.place.kafka, log.topic, frames=log.frames)
            )
        return self.recounts[log.topic]
