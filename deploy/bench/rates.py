"""From what was seen while an engine worked to its rates, its start left out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from deploy.bench.report import Spread
from ingest.contracts.errors import BenchError

LEFT_SHARE: Final = 10
"""One in so many events is left to do when an engine's clock stops."""


class Sample(NamedTuple):
    """One look at an engine at work."""

    at_s: float
    events: int
    """Done since it began."""
    cpu_s: float
    """Used by its process since it began."""


class Rate(NamedTuple):
    """How fast an engine was in one round."""

    events_per_s: float
    events_per_cpu_s: float
    lag_slope_per_s: float
    """By how many events the lag changed a second (least squares); all were there before."""
    broker_cpu_us: float
    """The broker's CPU-microseconds an event in the same time."""


@dataclass(frozen=True)
class Round:
    """What one round of one engine showed."""

    samples: list[Sample] = field(default_factory=list)
    broker_cpu_s: list[float] = field(default_factory=list)
    """The broker's CPU-seconds at each sample."""
    taken: list[Sample] = field(default_factory=list)
    """Where `samples` tell what is committed: what was folded, by the engine's own word."""

    @property
    def events(self) -> int:
        """How many events were done when it was last looked at."""
        return self.samples[-1].events if self.samples else 0

    def add(self, sample: Sample, broker_cpu_s: float) -> None:
        """Add one look."""
        self.samples.append(sample)
        self.broker_cpu_s.append(broker_cpu_s)


def rate_of(seen: Round, warm_events: int) -> Rate:
    """Return the rates from the first sample with `warm_events` done to the last with a tenth left.

    An engine's start, its imports and its joining of a group are left out so, for all alike. What
    it has under way when its clock starts is done after it, so its clock stops with as much under
    way. Where no sample is left between the two, the clock stops at the last of all.

    Raises:
        BenchError: The samples are too few to tell.
    """
    first = next((i for i, s in enumerate(seen.samples) if s.events >= max(1, warm_events)), None)
    if first is None or first == len(seen.samples) - 1:
        raise BenchError("the engine was done before it could be measured: give it more events")
    most = seen.events - seen.events // LEFT_SHARE
    last = max((i for i, s in enumerate(seen.samples) if s.events <= most), default=first)
    if last <= first:
        last = len(seen.samples) - 1
    samples = seen.samples[first : last + 1]
    broker_s = seen.broker_cpu_s[last] - seen.broker_cpu_s[first]
    return _between(samples[0], samples[-1], lag_slope(samples), broker_s)


def short_rate_of(seen: Round, warm_events: int) -> Rate:
    """Return the rates from when `warm_events` are folded to when all is committed.

    For a short log, in which an engine folds much before its first look at what is committed: so
    no event is counted whose folding was not timed. It is never too high: events that were folded
    when the clock started, and not committed, are committed at its cost.

    Raises:
        BenchError: The samples are too few to tell.
    """
    begin = next((s for s in seen.taken if s.events >= max(1, warm_events)), None)
    if begin is None or not seen.samples:
        raise BenchError("the engine was done before it could be measured: give it more events")
    looks = zip(seen.samples, seen.broker_cpu_s, strict=True)
    broker_begin_s = max((cpu for s, cpu in looks if s.at_s <= begin.at_s), default=0.0)
    broker_s = seen.broker_cpu_s[-1] - (broker_begin_s or seen.broker_cpu_s[0])
    slope = lag_slope([s for s in seen.taken if s.events >= begin.events])
    return _between(begin, seen.samples[-1], slope, broker_s)


def _between(begin: Sample, end: Sample, slope_per_s: float, broker_s: float) -> Rate:
    done, wall_s, used_s = end.events - begin.events, end.at_s - begin.at_s, end.cpu_s - begin.cpu_s
    if done <= 0 or wall_s <= 0 or used_s <= 0:
        raise BenchError("the engine was done too soon to be measured: give it more events")
    return Rate(done / wall_s, done / used_s, slope_per_s, broker_s / done * 1e6)


def lag_slope(samples: Sequence[Sample]) -> float:
    """Return the least-squares slope of what is left to do, in events a second."""
    n = len(samples)
    mean_s = sum(s.at_s for s in samples) / n
    mean_left = sum(-s.events for s in samples) / n
    spread = sum((s.at_s - mean_s) ** 2 for s in samples)
    common = sum((s.at_s - mean_s) * (-s.events - mean_left) for s in samples)
    return common / spread if spread else 0.0


def spread_of(rates: Sequence[Rate], field: str) -> Spread:
    """Return the spread of one field of several rounds' rates."""
    return Spread.of(getattr(rate, field) for rate in rates)
