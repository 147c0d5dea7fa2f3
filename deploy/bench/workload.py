"""The logs of the stream benchmark: written once a run, recounted once."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from deploy.bench.domain import SITES, books_of, preparation, scans
from deploy.bench.engines import Engine
from deploy.bench.events import DECODE_EVENT, FRAMES, MIXES, events
from deploy.bench.preload import PARTITIONS, Counts, Log, as_frames, as_records, write_log
from deploy.bench.recount import totals_of, values_of
from ingest.contracts.settings import KafkaSettings
from ingest.frames import INPUT_FRAMES

WARM_SHARE: Final = 0.1
"""The first tenth of a log is not measured: an engine's start, its first fetches."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How many events each kind of engine is given: rates are compared, not totals."""

    frames: int
    few_frames: int
    records: int
    few: int
    java: int
    java_warm: int
    """Events of `java` that only warm the virtual machine up."""
    domain: int
    domain_skus: int
    """Each at every site."""


FULL: Final = Sizes(
    frames=3_000_000,
    few_frames=600_000,
    records=300_000,
    few=20_000,
    java=6_000_000,
    java_warm=1_000_000,
    domain=1_000_000,
    domain_skus=4_000,
)
QUICK: Final = Sizes(
    frames=500_000,
    few_frames=100_000,
    records=20_000,
    few=2_500,
    java=80_000,
    java_warm=30_000,
    domain=240_000,
    domain_skus=200,
)


@dataclass
class Workload:
    """The logs on one Kafka, and what a recount of each says."""

    kafka: KafkaSettings
    sizes: Sizes
    logs: dict[str, Log] = field(default_factory=dict)
    recounts: dict[str, Mapping[Any, Any]] = field(default_factory=dict)

    def log_for(self, engine: Engine, mix: str) -> Log:
        """Return the log that an engine is given, written now where it is not there yet."""
        topic = f"bench-{engine.size}-{mix.rstrip('%')}"
        if topic not in self.logs:
            write = self._write_scans if engine.size == "domain" else self._write_events
            self.logs[topic] = write(topic, engine, mix)
        return self.logs[topic]

    def recount(self, engine: Engine, log: Log) -> Mapping[Any, Any]:
        """Return what a log says itself: totals by SKU, or books by SKU and site."""
        if log.topic not in self.recounts:
            values = asyncio.run(values_of(self.kafka, log.topic))
            if engine.size == "domain":
                items = (item for value in values for item in INPUT_FRAMES.decode(value).items)
                self.recounts[log.topic] = books_of(items)
            elif log.frames:
                framed = (event for value in values for event in FRAMES.decode(value).items)
                self.recounts[log.topic] = totals_of(framed)
            else:
                self.recounts[log.topic] = totals_of(map(DECODE_EVENT, values))
        return self.recounts[log.topic]

    def _write_events(self, topic: str, engine: Engine, mix: str) -> Log:
        total: int = getattr(self.sizes, engine.size)
        counts: Counts = Counter()
        made = events(total, MIXES[mix], PARTITIONS)
        if engine.feeds == "frames":
            placed = as_frames(made, FRAMES, counts)
        else:
            placed = as_records(made, counts)
        asyncio.run(write_log(self.kafka, topic, placed))
        warm_events = int(total * WARM_SHARE)
        if engine.size == "java":
            warm_events = self.sizes.java_warm
        frames = engine.feeds == "frames"
        return Log(topic=topic, frames=frames, mix=mix, counts=counts, warm_events=warm_events)

    def _write_scans(self, topic: str, _: Engine, mix: str) -> Log:
        sizes, counts = self.sizes, Counter[int]()
        first = preparation(sizes.domain_skus, PARTITIONS)
        made = scans(sizes.domain, MIXES[mix], sizes.domain_skus, PARTITIONS)
        placed = as_frames((item for part in (first, made) for item in part), INPUT_FRAMES, counts)
        asyncio.run(write_log(self.kafka, topic, placed))
        warm_events = len(first) + int(sizes.domain * WARM_SHARE)
        return Log(topic=topic, frames=True, mix=mix, counts=counts, warm_events=warm_events)


def domain_keys(sizes: Sizes) -> int:
    """Return how many levels the stock fold's workload has."""
    return sizes.domain_skus * SITES
