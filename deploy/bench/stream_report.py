"""The report of the stream benchmark: rows by engine and mix, and the ratios that are promised."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from deploy.bench.engines import DOMAIN, OURS, Engine
from deploy.bench.events import KEYS_DEFAULT
from deploy.bench.preload import Log
from deploy.bench.rates import Rate, spread_of
from deploy.bench.report import BenchOptions, Cell, Report, Value
from deploy.bench.workload import Sizes, domain_keys
from ingest.frames import FRAME_ITEMS_MAX


@dataclass
class Measured:
    """One engine on one log, and its rounds so far."""

    engine: Engine
    log: Log
    rates: list[Rate] = field(default_factory=list)
    wrong: str = ""
    """Why its restorable state differs from the recount of the log."""


RATIOS: Final = {
    "ratio_quix": ("quix", "all", "events_per_s"),
    "ratio_faust": ("faust", "all", "events_per_s"),
    "ratio_kafka_streams_cpu": ("kafka_streams", "all", "events_per_cpu_s"),
    "ratio_bare": ("bare", "all", "events_per_s"),
    "ratio_bare_5pct": ("bare", "5%", "events_per_s"),
    "ratio_bare_cpu": ("bare", "all", "events_per_cpu_s"),
}
"""Name of a ratio to the peer's key, the mix, and the rate that is compared."""


def stream_report(
    measured: Sequence[Measured],
    absent: Mapping[str, str],
    options: BenchOptions,
    sizes: Sizes,
) -> Report:
    """Return the report; a ratio whose peer was not measured or was wrong is null."""
    headline: dict[str, Value] = {
        "events_per_s": median(measured, OURS, "all", "events_per_s"),
        "events_per_cpu_s": median(measured, OURS, "all", "events_per_cpu_s"),
    }
    for name, (key, mix, rate) in RATIOS.items():
        mine, theirs = median(measured, OURS, mix, rate), median(measured, key, mix, rate)
        headline[name] = round(mine / theirs, 3) if mine and theirs else None
    for name, mix in (("domain_events_per_s", "all"), ("domain_events_per_s_5pct", "5%")):
        headline[name] = median(measured, DOMAIN, mix, "events_per_s")
    headline["absent"] = dict(absent)
    return Report(
        name="stream",
        headline=headline,
        rows=[_row(each) for each in measured if each.rates],
        notes=_notes(options, sizes),
        plot="events/s",
        failures=[f"{e.engine.name}, {e.log.mix}: {e.wrong}" for e in measured if e.wrong],
    )


def median(measured: Sequence[Measured], key: str, mix: str, rate: str) -> float | None:
    """Return the median of a rate over the rounds of an engine, or None where there is none."""
    for each in measured:
        if each.engine.key == key and each.log.mix == mix and each.rates and not each.wrong:
            return round(spread_of(each.rates, rate).median)
    return None


def _notes(options: BenchOptions, sizes: Sizes) -> list[str]:
    warm = f"{sizes.java_warm:,} of {sizes.java:,}"
    return [
        f"{options.rounds} rounds, engines in turn; median (smallest - largest)",
        f"events of 45 bytes, {KEYS_DEFAULT:,} keys; frames hold up to {FRAME_ITEMS_MAX}",
        f"events in frames: {sizes.frames:,}; to Quix: {sizes.few_frames:,}",
        f"events in records, to Quix: {sizes.records:,}; to Faust: {sizes.few:,}",
        f"events in records, to Kafka Streams: {sizes.java:,}",
        f"scans in frames, to the stock fold: {sizes.domain:,}",
        f"the first tenth of a log is not measured; of Kafka Streams' {warm} events",
        f"the stock fold has {domain_keys(sizes):,} levels; its 5% mix resends 19 of 20 scans",
    ]


def _row(each: Measured) -> dict[str, Cell]:
    return {
        "engine": each.engine.name,
        "input": each.engine.feeds,
        "mix": each.log.mix,
        "guarantee": each.engine.guarantee,
        "events/s": spread_of(each.rates, "events_per_s"),
        "events/CPU-s": spread_of(each.rates, "events_per_cpu_s"),
        "broker CPU us/event": spread_of(each.rates, "broker_cpu_us"),
        "lag slope/s": spread_of(each.rates, "lag_slope_per_s"),
        "state": "wrong" if each.wrong else "equals the recount",
    }
