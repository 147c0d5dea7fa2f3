"""An open-loop load of readings, some of which cross a threshold. Pure.

Event `i` of a load is due `i / rate` seconds after its begin, whatever became of those before: a
pipeline that falls behind can't slow its own load down, and latency counts from the due time, so
no wait is left out (Tene, "How NOT to Measure Latency", 2013: coordinated omission).

A part of the events are probes. A probe's key goes below its minimum, which must open a breach,
and half a round later back above it, which clears it. All others change a level without a breach.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from ingest.contracts.alert_reference import AlertRule, NotificationChannel
from ingest.contracts.policy_reference import Policy
from ingest.contracts.reference import (
    CatalogFile,
    ChannelAssignment,
    Device,
    Network,
    Site,
    Sku,
)

NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
SITES: Final = 10
SKUS: Final = 100
PROBES: Final = 100
"""Keys of the probe site, one for each SKU."""
ALERTED_EVERY: Final = 4
"""One probe in so many has its breach told to the channel: people are told of few."""
MIN_UNITS: Final = 10
LOW_UNITS: Final = 3
HIGH_UNITS: Final = 50
LEVELS: Final = 40
"""How many different counts a background key goes through."""
CHANNEL: Final = "webhook"
URL_VARIABLE: Final = "BENCH_WEBHOOK_URL"
_ALERTED_SITE: Final = "probe-told"
_QUIET_SITE: Final = "probe-quiet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is sent: an even stream of one-event messages."""

    rate_per_s: int
    seconds: float
    crossings_per_s: int
    first_probe: int = 0
    """Number of the first probe: loads after one another go on where the last one ended."""

    @property
    def events(self) -> int:
        """How many events it has."""
        return round(self.rate_per_s * self.seconds)

    @property
    def probe_every(self) -> int:
        """One event in so many is a probe; two probes make a crossing and its end."""
        return max(1, self.rate_per_s // (2 * self.crossings_per_s))

    @property
    def next_probe(self) -> int:
        """Number of the first probe of the load after this one."""
        return self.first_probe + -(-self.events // self.probe_every)

    def due_ns(self, number: int) -> int:
        """Return when an event is due, in nanoseconds after the begin."""
        return number * NS_PER_S // self.rate_per_s


class Reading(NamedTuple):
    """One event to send."""

    site: str
    sku: str
    units: int
    crosses: bool


def reading(load: Load, number: int) -> Reading:
    """Return event `number` of a load."""
    every = load.probe_every
    if number % every == 0:
        return _probe(load.first_probe + number // every)
    key = number % (SITES * SKUS)
    units = HIGH_UNITS + (number // (SITES * SKUS) + load.first_probe) % LEVELS
    return Reading(f"site-{key // SKUS}", f"sku-{key % SKUS}", units, crosses=False)


class Crossing(NamedTuple):
    """An event that must open a breach."""

    site: str
    sku: str
    due_ns: int
    """After the begin of its load."""


def crossings(load: Load) -> list[Crossing]:
    """Return every event of a load that must open a breach."""
    found = []
    for number in range(0, load.events, load.probe_every):
        one = reading(load, number)
        if one.crosses:
            found.append(Crossing(one.site, one.sku, load.due_ns(number)))
    return found


def is_alerted(site: str) -> bool:
    """Tell whether breaches of a site are told to the channel."""
    return site == _ALERTED_SITE


def percentile(sorted_values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that at least `share` of all are not above; None of none.

    The nearest-rank definition: it is always a value that was measured.
    """
    if not sorted_values:
        return None
    rank = max(1, math.ceil(round(share * len(sorted_values), 9)))
    return sorted_values[rank - 1]


def catalogue() -> CatalogFile:
    """Return what the readings need: shelves led by their sensors, dwell 0, one webhook."""
    sites = [f"site-{number}" for number in range(SITES)]
    all_sites = [*sites, _QUIET_SITE, _ALERTED_SITE]
    skus = [f"sku-{number}" for number in range(SKUS)]
    channels = tuple(ChannelAssignment(channel=sku, sku=sku, location="shelf") for sku in skus)
    return CatalogFile(
        network=Network(name="Latency"),
        sites=tuple(Site(site=site) for site in all_sites),
        skus=tuple(Sku(sku=sku) for sku in skus),
        devices=tuple(
            Device(device=device_of(site), site=site, kind="counter", channels=channels)
            for site in all_sites
        ),
        policies=(
            Policy(
                scope="network",
                min_units=MIN_UNITS,
                hysteresis_units=0,
                dwell_ms=0,
                autonomy="observe",
                lead_witness="shelf",
            ),
        ),
        channels=(NotificationChannel(channel=CHANNEL, url_variable=URL_VARIABLE),),
        rules=(
            AlertRule(
                rule="told",
                channels=(CHANNEL,),
                kinds=("low_stock",),
                sites=(_ALERTED_SITE,),
                clear_notice=False,
            ),
        ),
    )


def device_of(site: str) -> str:
    """Return the device that sees all shelves of a site."""
    return f"counter-{site}"


def _probe(number: int) -> Reading:
    step, rises = divmod(number, 2)
    # A key that went low comes back half a round later.
    key = (step + PROBES // 2 * rises) % PROBES
    site = _QUIET_SITE if key % ALERTED_EVERY else _ALERTED_SITE
    units = HIGH_UNITS if rises else LOW_UNITS
    return Reading(site, f"sku-{key}", units, crosses=not rises)
