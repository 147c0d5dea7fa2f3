"""The logs of the stream benchmark: written once a run, recounted once."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from deploy.bench.domain import SITES, books_of, preparation, scans
from deploy.bench.engines import Engine
from deploy.bench.events import DECODE_EVENT, FRAMES, MIXES, events
from deploy.bench.preload import (
    PARTITIONS,
    Counts,
    Log,
    Placed,
    as_frames,
    as_records,
    log_topic,
    make_topics,
    write_log,
)
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
    frames=600_000,
    few_frames=100_000,
    records=15_000,
    few=2_000,
    java=80_000,
    java_warm=30_000,
    domain=160_000,
    domain_skus=2_000,
)


@dataclass
class Workload:
    """The logs on one Kafka, and what a recount of each says."""

    sizes: Sizes
    logs: dict[str, Log] = field(default_factory=dict)
    recounts: dict[str, Mapping[Any, Any]] = field(default_factory=dict)
    _unwritten: dict[str, Iterable[Placed]] = field(default_factory=dict)

    def log_for(self, engine: Engine, mix: str) -> Log:
        """Return the log that an engine is given; it is there after the next `write`."""
        topic = f"bench-{engine.size}-{mix.rstrip('%')}"
        if topic not in self.logs:
            plan = self._scans if engine.size == "domain" else self._events
            self.logs[topic], self._unwritten[topic] = plan(topic, engine, mix)
        return self.logs[topic]

    def make(self) -> None:
        """Make every record of the logs that are not there yet, in memory: for small ones."""
        for topic, records in self._unwritten.items():
            self._unwritten[topic] = list(records)

    async def write(self, kafka: KafkaSettings) -> None:
        """Write the logs that are not there yet, all at once: most of it is waiting."""
        unwritten, self._unwritten = self._unwritten, {}
        await make_topics(kafka, [log_topic(topic) for topic in unwritten])
        await asyncio.gather(*(write_log(kafka, *each) for each in unwritten.items()))

    async def recount(self, kafka: KafkaSettings, engine: Engine, log: Log) -> Mapping[Any, Any]:
        """Return what a log says itself: totals by SKU, or books by SKU and site."""
        if log.topic not in self.recounts:
            values = await values_of(kafka, log.topic)
            if engine.size == "domain":
                items = (item for value in values for item in INPUT_FRAMES.decode(value).items)
                self.recounts[log.topic] = books_of(items)
            elif log.frames:
                framed = (event for value in values for event in FRAMES.decode(value).items)
                self.recounts[log.topic] = totals_of(framed)
            else:
                self.recounts[log.topic] = totals_of(map(DECODE_EVENT, values))
        return self.recounts[log.topic]

    def _events(self, topic: str, engine: Engine, mix: str) -> tuple[Log, Iterator[Placed]]:
        total: int = getattr(self.sizes, engine.size)
        counts: Counts = Counter()
        made = events(total, MIXES[mix], PARTITIONS)
        frames = engine.feeds == "frames"
        placed = as_frames(made, FRAMES, counts) if frames else as_records(made, counts)
        warm_events = int(total * WARM_SHARE)
        if engine.size == "java":
            warm_events = self.sizes.java_warm
        log = Log(
            topic=topic,
            frames=frames,
            mix=mix,
            events=total,
            counts=counts,
            warm_events=warm_events,
        )
        return log, placed

    def _scans(self, topic: str, _: Engine, mix: str) -> tuple[Log, Iterator[Placed]]:
        sizes, counts = self.sizes, Counter[int]()
        first = preparation(sizes.domain_skus, PARTITIONS)
        made = scans(sizes.domain, MIXES[mix], sizes.domain_skus, PARTITIONS)
        log = Log(
            topic=topic,
            frames=True,
            mix=mix,
            events=len(first) + sizes.domain,
            counts=counts,
            warm_events=len(first) + int(sizes.domain * WARM_SHARE),
        )
        return log, as_frames(chain(first, made), INPUT_FRAMES, counts)


def domain_keys(sizes: Sizes) -> int:
    """Return how many levels the stock fold's workload has."""
    return sizes.domain_skus * SITES
