"""`shelfstream bench bridge`: this bridge and its peers on the same messages, in one run.

An open-loop publisher sends at a fixed rate, whatever becomes of it; every event is then looked for
in Kafka. Bridges take turns, several rounds.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from deploy.bench.bridge_contenders import (
    OURS,
    PEER_TOPICS,
    QUIX,
    TELEGRAF,
    TWO,
    contenders,
    wanted,
)
from deploy.bench.bridge_limit import codec_events_per_cpu_s
from deploy.bench.bridge_load import BridgeLoad, catalogue
from deploy.bench.bridge_rounds import Contender, Measured, running_bridge
from deploy.bench.place import Place, bench_stack
from deploy.bench.preload import make_topics
from deploy.bench.report import BenchOptions, Cell, Report, Spread, Value
from deploy.catalog_load import load_catalog
from ingest.contracts.errors import BenchError

NS_PER_MS: Final = 1_000_000
BATCH_EVENTS: Final = 100
PER_MESSAGE: Final = "messages a CPU-second"
NOTES: Final = (
    "QoS 1, acks=all, no compression; CPU of the bridge alone, first message to last record",
    "the publisher is open-loop: 'late' is the longest that it sent a message after it was due",
    "the peers carry payloads unread; Shelfstream checks, resolves and frames every event",
)


@dataclass(frozen=True, kw_only=True)
class Mix:
    """One kind of load."""

    key: str
    batch_events: int
    messages: int
    rate_per_s: int
    messages_slow: int
    """For slow peers; 0 leaves them out."""


FULL: Final = (
    Mix(key="one", batch_events=1, messages=150_000, rate_per_s=25_000, messages_slow=30_000),
    Mix(
        key="batch",
        batch_events=BATCH_EVENTS,
        messages=6_000,
        rate_per_s=1_500,
        messages_slow=3_000,
    ),
)
QUICK: Final = (
    Mix(key="one", batch_events=1, messages=50_000, rate_per_s=25_000, messages_slow=10_000),
    Mix(key="batch", batch_events=BATCH_EVENTS, messages=2_000, rate_per_s=1_500, messages_slow=0),
)


def run(options: BenchOptions) -> Report:
    """Measure every bridge that this machine can run; the others are absent, with the reason.

    Raises:
        BenchError: This bridge itself can't be measured.
        StackError: There are no brokers.
    """
    return run_mixes(options, QUICK if options.quick else FULL)


def run_mixes(options: BenchOptions, mixes: tuple[Mix, ...]) -> Report:
    """Measure with these loads, in turn, round by round; the errors are those of `run`."""
    keys = wanted(options)
    with bench_stack(options.say, only=None, time="wall") as place:
        now_ms = time.time_ns() // NS_PER_MS  # noqa: TID251 - a main's work
        asyncio.run(load_catalog(place.kafka, catalogue(), now_ms=now_ms))
        asyncio.run(make_topics(place.kafka, PEER_TOPICS))
        found, absent = contenders(place, options.say, keys)
        bench = Bench(place, options, mixes, absent)
        for number in range(options.rounds):
            for contender in found:
                bench.measure(contender, number)
    return bench.report(codec_events_per_cpu_s(BATCH_EVENTS))


@dataclass
class Series:
    """All rounds of one bridge with one mix."""

    contender: Contender
    mix: Mix
    rounds: list[tuple[BridgeLoad, Measured]] = field(default_factory=list)

    @property
    def messages_per_cpu_s(self) -> Spread:
        """How many messages it took for a CPU-second."""
        return Spread.of(work.messages / one.cpu_s for work, one in self.rounds)

    @property
    def events_per_cpu_s(self) -> Spread:
        """How many events it took for a CPU-second."""
        return Spread.of(work.events / one.cpu_s for work, one in self.rounds)

    @property
    def lost(self) -> int:
        """Events that are in no record, of all rounds."""
        return sum(one.lost for _, one in self.rounds)

    @property
    def doubled(self) -> int:
        """Records of events beyond the first, of all rounds."""
        return sum(one.doubled for _, one in self.rounds)

    def row(self) -> dict[str, Cell]:
        """Return its row of the table."""
        return {
            "bridge": self.contender.name,
            "events a message": str(self.mix.batch_events),
            PER_MESSAGE: self.messages_per_cpu_s,
            "events a CPU-second": self.events_per_cpu_s,
            "CPU share": Spread.of(one.cpu_s / one.wall_s for _, one in self.rounds),
            "lost": self.lost,
            "doubled": self.doubled,
            "late, ms": Spread.of(one.late_ms for _, one in self.rounds),
            "guarantee": self.contender.guarantee,
        }


@dataclass
class Bench:
    """One run, and what it has found so far."""

    place: Place
    options: BenchOptions
    mixes: tuple[Mix, ...]
    absent: dict[str, str]
    """Which peers have no figure, and why; grows while peers fail."""
    series: dict[tuple[str, str], Series] = field(default_factory=dict)
    begun_s: float = field(default_factory=time.monotonic)

    def measure(self, contender: Contender, number: int) -> None:
        """Run one bridge once over every mix; a peer that fails is absent from then on.

        Raises:
            BenchError: It is this bridge that failed.
        """
        if contender.key in self.absent:
            return
        label = f"{contender.key}-{number}"
        try:
            with running_bridge(self.place, contender, label) as bridge:
                self.say(f"{contender.key} runs")
                for mix in self.mixes:
                    work = load_of(mix, contender, label)
                    if work is not None:
                        self._add(contender, mix, work, bridge.measured(work))
        except BenchError as error:
            if contender.key in {OURS, TWO}:
                raise
            self.absent[contender.key] = str(error)
            self.say(f"{contender.key} is left out: {error}")

    def say(self, text: str) -> None:
        """Tell of progress, with the seconds since the stack was up."""
        self.options.say(f"{time.monotonic() - self.begun_s:5.1f} s  {text}")

    def report(self, codec_only: int) -> Report:
        """Return what was found; `codec_only` as `report_of` takes it."""
        return report_of(list(self.series.values()), self.absent, codec_only)

    def _add(self, contender: Contender, mix: Mix, work: BridgeLoad, seen: Measured) -> None:
        key = contender.key, mix.key
        series = self.series.setdefault(key, Series(contender, mix))
        series.rounds.append((work, seen))
        self.say(
            f"{contender.key}, {mix.key}: {work.events / seen.cpu_s:,.0f} events a CPU-second, "
            f"{seen.lost} lost, {seen.doubled} doubled, {seen.late_ms:.0f} ms late"
        )


def load_of(mix: Mix, contender: Contender, label: str) -> BridgeLoad | None:
    """Return the load of a bridge; None where a slow one is left out."""
    messages = mix.messages_slow if contender.is_slow else mix.messages
    if not messages:
        return None
    return BridgeLoad(
        boot=f"{label}-{mix.key}",
        messages=messages,
        rate_per_s=mix.rate_per_s,
        batch_events=mix.batch_events,
    )


def report_of(found: Sequence[Series], absent: dict[str, str], codec_only: int) -> Report:
    """Return the report of a run.

    Args:
        found: What was measured.
        absent: Which peers have no figure, and why.
        codec_only: Events in batches that a CPU-second only decodes and encodes.
    """
    series = {(one.contender.key, one.mix.key): one for one in found}
    own = [one for one in found if one.contender.key in {OURS, TWO}]
    headline: dict[str, Value] = {
        "messages_per_cpu_s": _rounded(series.get((OURS, "one")), "messages_per_cpu_s"),
        "events_per_cpu_s_batch100": _rounded(series.get((OURS, "batch")), "events_per_cpu_s"),
        "events_per_cpu_s_codec_only": codec_only,
        "ratio_telegraf_cpu": _ratio(series, "one", TELEGRAF),
        "ratio_telegraf_cpu_batch100": _ratio(series, "batch", TELEGRAF),
        "ratio_quix_cpu": _ratio(series, "one", QUIX),
        "messages_per_cpu_s_two": _rounded(series.get((TWO, "one")), "messages_per_cpu_s"),
        "lost": sum(one.lost for one in own),
        "doubled": sum(one.doubled for one in own),
        "absent": absent,
    }
    failures = [
        f"{one.contender.name}, {one.mix.key}: {one.lost} events lost, {one.doubled} doubled"
        for one in own
        if one.lost or one.doubled
    ]
    return Report(
        name="bridge",
        headline=headline,
        rows=[one.row() for one in found],
        notes=NOTES,
        plot=PER_MESSAGE,
        failures=failures,
    )


def _rounded(series: Series | None, figure: str) -> int | None:
    return None if series is None else round(getattr(series, figure).median)


def _ratio(series: dict[tuple[str, str], Series], mix: str, peer: str) -> float | None:
    """Return how many times the peer's messages a CPU-second are ours, by the medians."""
    own, other = series.get((OURS, mix)), series.get((peer, mix))
    if own is None or other is None:
        return None
    return round(own.messages_per_cpu_s.median / other.messages_per_cpu_s.median, 2)
