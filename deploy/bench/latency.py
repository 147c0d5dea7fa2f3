"""`shelfstream bench latency`: from a device's time stamp to the breach and to the alert.

Each row is an open-loop load on the whole pipeline (mosquitto, bridge, Kafka, stock fold, alert
fold, sender), one event a message, QoS 1. A breach counts as seen when a read_committed consumer
of `shelfstream.events` has it, an alert when a webhook has its message. Latency counts from the
device time stamp, which is the time at which the event was due.
"""

import asyncio
import contextlib
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from deploy.bench.open_loop import URL_VARIABLE, Load, catalogue, crossings, percentile
from deploy.bench.processes import running
from deploy.bench.report import BenchOptions, Cell, Report, Value
from deploy.bench.sightings import Outcome, Watch, follow_events, webhook
from deploy.bench.whole import Whole, running_whole
from deploy.catalog_load import load_catalog
from deploy.stack.plan import StackOptions
from ingest.contracts.errors import BenchError
from ingest.contracts.topics import EVENTS
from streams.engine.adapters.reader import end_offsets

RATE_PER_S: Final = 2_000
"""The rate of the row that the headline is about."""
LABEL: Final = f"{RATE_PER_S:,} events/s"
SHARES: Final = (0.1, 0.5, 0.8)
PERCENTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p99_9": 0.999}
SLOPE_MAX: Final = 0.05
"""A rate is sustained while latency grows by less than this, seconds a second: what comes in and is
not worked off is under a twentieth."""
LATENCY_MS_MAX: Final = 1_000.0
"""The middle of a sustained rate's latencies."""
READY_S_MAX: Final = 60.0
DRAIN_S_MAX: Final = 45.0
LINE_S_MAX: Final = 30.0
SETTLE_S: Final = 0.3
_POLL_S: Final = 0.02


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long and how dense the loads are."""

    warm_s: float
    """Load before the first row: a broker's virtual machine compiles for a minute, on our cores."""
    row_s: float
    step_s: float
    """One step of the ramp to the highest rate."""
    growth: float
    """The next step's rate over this one's."""
    crossings_per_s: int
    shares: Sequence[float] = SHARES
    ramp: bool = True


QUICK: Final = Plan(
    warm_s=4.0, row_s=4.0, step_s=1.5, growth=2.0, crossings_per_s=60, shares=(0.5,)
)
WHOLE: Final = Plan(warm_s=60.0, row_s=20.0, step_s=5.0, growth=1.25, crossings_per_s=60)
SMALLEST: Final = Plan(
    warm_s=1.0, row_s=2.0, step_s=1.0, growth=2.0, crossings_per_s=40, ramp=False
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One load and what became of it."""

    label: str
    load: Load
    outcome: Outcome
    late_ms: float
    """The longest that the publisher sent an event after it was due."""
    cores: Mapping[str, float]
    """CPU-seconds a second of each part, while the load ran."""
    bytes_per_event: Mapping[str, float]
    """Bytes on the broker's disk for one event, by topic."""

    @property
    def sustained(self) -> bool:
        """Whether the pipeline kept up."""
        return keeps_up(self.outcome.breaches, self.outcome.lost)


def keeps_up(breaches: Sequence[tuple[float, float]], lost: int) -> bool:
    """Tell whether latencies (due time in s, latency in ms) show no queue that grows.

    The slope is that of the least squares line.
    """
    if lost or len(breaches) < 2:  # noqa: PLR2004 - a line needs two points
        return False
    due_s, latency_ms = zip(*breaches, strict=True)
    slope = statistics.linear_regression(due_s, latency_ms).slope / 1_000
    return slope < SLOPE_MAX and statistics.median(latency_ms) < LATENCY_MS_MAX


def run(options: BenchOptions) -> Report:
    """Measure; the errors are those of the stack.

    Raises:
        BenchError: The pipeline does not work, or a part had to be started again.
    """
    rows, sustained_per_s = measured(QUICK if options.quick else WHOLE, options)
    return report_of(rows, sustained_per_s)


def measured(plan: Plan, options: BenchOptions) -> tuple[list[Row], int | None]:
    """Run a pipeline under each load; return the rows and the highest sustained rate.

    Raises:
        BenchError: The pipeline does not work, or a part had to be started again.
    """
    return asyncio.run(_measured(plan, options))


async def _measured(plan: Plan, options: BenchOptions) -> tuple[list[Row], int | None]:
    watch = Watch()
    with webhook(watch, asyncio.get_running_loop()) as url:
        options.say("starting a pipeline")
        stack = running_whole(StackOptions(influx=False), **{URL_VARIABLE: url})
        whole = await asyncio.to_thread(stack.__enter__)
        try:
            bench = _Bench(plan, options, whole, watch)
            return await bench.run()
        finally:
            await asyncio.to_thread(stack.__exit__, None, None, None)


class _Bench:
    def __init__(self, plan: Plan, options: BenchOptions, whole: Whole, watch: Watch) -> None:
        self._plan = plan
        self._options = options
        self._whole = whole
        self._watch = watch
        self._next_probe = 0
        self._loads = 0

    async def run(self) -> tuple[list[Row], int | None]:
        offsets = await end_offsets(self._whole.kafka, EVENTS.name)
        following = asyncio.create_task(follow_events(self._whole.kafka, offsets, self._watch))
        try:
            await self._warm_up()
            sustained_per_s = await self._ramp() if self._plan.ramp else None
            rows = [] if sustained_per_s is None else await self._shares(sustained_per_s)
            # Last: a broker's virtual machine compiles for minutes, and an installation's has.
            rows.insert(0, await self._row(LABEL, RATE_PER_S, self._plan.row_s))
        finally:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following
        if self._whole.restarts():
            raise BenchError(f"a part had to be started again: see {self._whole.home.path}/logs")
        return rows, sustained_per_s

    async def _warm_up(self) -> None:
        await load_catalog(self._whole.kafka, catalogue(), now_ms=0)
        await asyncio.to_thread(self._whole.await_log, "bridge-0", "mqtt_subscribed", READY_S_MAX)
        self._options.say("warming up")
        row = await self._row("warm-up", RATE_PER_S, self._plan.warm_s)
        if row.outcome.lost:
            raise BenchError(f"{row.outcome.lost} breaches or alerts of the warm-up are missing")

    async def _shares(self, sustained_per_s: int) -> list[Row]:
        return [
            await self._row(
                f"{share:.0%} of the highest", int(sustained_per_s * share), self._plan.row_s
            )
            for share in self._plan.shares
        ]

    async def _ramp(self) -> int | None:
        """Return the highest rate that is kept up with, None if even the first is not."""
        rate, best = RATE_PER_S, None
        while True:
            row = await self._row(f"step {rate}", rate, self._plan.step_s)
            if not row.sustained:
                return best
            best, rate = rate, int(rate * self._plan.growth)

    async def _row(self, label: str, rate_per_s: int, seconds: float) -> Row:
        load = Load(
            rate_per_s=rate_per_s,
            seconds=seconds,
            crossings_per_s=min(self._plan.crossings_per_s, max(1, rate_per_s // 4)),
            first_probe=self._next_probe,
        )
        self._next_probe = load.next_probe
        before, bytes_before = self._whole.cpu_s(), self._whole.log_bytes()
        outcome, late_ms = await self._sent(load)
        after, bytes_after = self._whole.cpu_s(), self._whole.log_bytes()
        row = Row(
            label=label,
            load=load,
            outcome=outcome,
            late_ms=late_ms,
            cores={name: (after[name] - before.get(name, 0.0)) / seconds for name in after},
            bytes_per_event={
                topic: (size - bytes_before.get(topic, 0)) / load.events
                for topic, size in bytes_after.items()
            },
        )
        self._options.say(_line(row))
        await asyncio.sleep(SETTLE_S)
        return row

    async def _sent(self, load: Load) -> tuple[Outcome, float]:
        self._loads += 1
        argv = [sys.executable, "-m", "deploy.bench.publisher", json.dumps(asdict(load))]
        log = Path(self._whole.home.log(f"publisher-{self._loads}"))
        environment = self._whole.devices_environ
        with running(argv, log=log, environment=environment) as publisher:
            begun = await asyncio.to_thread(publisher.await_line, "begun ", LINE_S_MAX)
            outcome = self._watch.expect(crossings(load), int(begun.text.split()[1]))
            allowed_s = load.seconds + LINE_S_MAX
            sent = await asyncio.to_thread(publisher.await_line, "sent ", allowed_s)
            await asyncio.to_thread(publisher.await_line, "acknowledged ", LINE_S_MAX)
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + DRAIN_S_MAX
        while not outcome.complete and loop.time() < deadline_s:  # noqa: ASYNC110 - two tasks see
            await asyncio.sleep(_POLL_S)
        return outcome, float(sent.text.split()[2])


def report_of(rows: Sequence[Row], sustained_per_s: int | None) -> Report:
    """Return headline, table and notes of measured rows; the first is the headline's."""
    first = rows[0]
    half = next((row for row in rows if row.label.startswith("50%")), None)
    headline: dict[str, Value] = {
        "rate_per_s": first.load.rate_per_s,
        **_latencies("", first.outcome),
        "alert_p50_ms": _rounded(_of(first.outcome.alerts, 0.5)),
        "alert_p99_ms": _rounded(_of(first.outcome.alerts, 0.99)),
        "highest_rate_per_s": sustained_per_s,
        "half_p99_ms": _latencies("", half.outcome)["p99_ms"] if half else None,
        "lost": sum(row.outcome.lost for row in rows),
        "doubled": sum(row.outcome.doubled + row.outcome.strangers for row in rows),
        "crossings": first.outcome.expected,
    }
    for part, cores in sorted(first.cores.items()):
        headline[f"cores_{part}"] = round(cores, 3)
    for topic, size in sorted(first.bytes_per_event.items()):
        if topic.startswith("shelfstream."):
            headline[f"bytes_per_event_{topic.removeprefix('shelfstream.')}"] = round(size, 1)
    failures = [
        f"{row.label}: {row.outcome.lost} crossings lost, {row.outcome.doubled} seen twice, "
        f"{row.outcome.strangers} breaches nobody caused"
        for row in rows
        if row.outcome.lost or row.outcome.doubled or row.outcome.strangers
    ]
    return Report(
        name="latency",
        headline=headline,
        rows=[_cells(row) for row in rows],
        notes=NOTES,
        plot="breach p99_ms",
        failures=failures,
    )


NOTES: Final = (
    "Open loop: an event is sent when it is due; latency counts from then, whatever comes back.",
    "One event a message, QoS 1, dwell 0; every event changes a level.",
    "The load, the two brokers and all processes share this machine's cores.",
    "The highest rate is the last step of a ramp at which latency does not grow.",
    f"It is null where even {RATE_PER_S:,} events/s were not kept up with.",
    "cores: CPU-seconds a second, from before the load until its last alert was told.",
)


def _cells(row: Row) -> dict[str, Cell]:
    breaches = [latency_ms for _, latency_ms in row.outcome.breaches]
    return {
        "load": row.label,
        "events/s": row.load.rate_per_s,
        "crossings": row.outcome.expected,
        **{f"breach {name}_ms": _of(breaches, share) for name, share in PERCENTILES.items()},
        **{
            f"alert {name}_ms": _of(row.outcome.alerts, share)
            for name, share in PERCENTILES.items()
        },
        "sent late, ms at most": row.late_ms,
        "kept up": "yes" if row.sustained else "no",
        **{f"cores {name}": round(used, 3) for name, used in sorted(row.cores.items())},
    }


def _latencies(prefix: str, outcome: Outcome) -> dict[str, float | None]:
    latencies = [latency_ms for _, latency_ms in outcome.breaches]
    return {
        f"{prefix}{name}_ms": _rounded(_of(latencies, share)) for name, share in PERCENTILES.items()
    }


def _of(latencies: Sequence[float], share: float) -> float | None:
    return percentile(sorted(latencies), share)


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 1)


def _line(row: Row) -> str:
    told = _latencies("", row.outcome)
    cores = ", ".join(f"{name} {used:.2f}" for name, used in sorted(row.cores.items()))
    alert_ms = _rounded(_of(row.outcome.alerts, 0.99))
    return (
        f"{row.label}: breach p50 {told['p50_ms']} ms, p99 {told['p99_ms']} ms, alert p99 "
        f"{alert_ms} ms, {row.outcome.lost} missing, kept up: {row.sustained}, sent late "
        f"{row.late_ms:.0f} ms ({cores})"
    )
