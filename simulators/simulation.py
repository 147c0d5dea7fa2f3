"""World, devices and faults as one sans-I/O object: time in, MQTT messages out, events heard."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from ingest.contracts.durations import MINUTE_MS
from ingest.contracts.topics import MQTT_TIME, mqtt_topic
from simulators.faults import FaultPlan, Faults
from simulators.fleet import Fleet
from simulators.gateway import Gateway
from simulators.network import Network, scanner_of, shelf_of
from simulators.oracle import Oracle
from simulators.world import Act, World, WorldRates

if TYPE_CHECKING:
    from random import Random

SCAN_SHARE: Final = 0.3
"""Of the wanted events so many are scans; the rest are readings."""
STEP_MS_MAX: Final = 1_000
"""Longest step, by the publishing clock. Who slept goes on where it was and does not catch up: an
hour of events at once would fill the spools."""
ROOM_EVENTS_MIN: Final = 20_000
"""The world stands still while a spool has less room: what the busiest step and the last readings
may bring to one device."""
SETTLE_PAUSE_MS: Final = MINUTE_MS
"""World time between the last act and the last readings."""


class Outgoing(NamedTuple):
    """One MQTT message."""

    topic: str
    payload: bytes
    retain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationPlan:
    """What a run is asked for."""

    speed: float
    """World seconds a second of the publishing clock."""
    rate_events_per_s: float
    """Wanted events a second of the publishing clock."""
    faults: FaultPlan
    driven: bool
    """Whether the world's time is sent to the pipeline."""

    def rates(self) -> WorldRates:
        """Return how busy the world must be for the wanted rate."""
        per_world_s = self.rate_events_per_s / self.speed
        return WorldRates(
            wishes_per_s=per_world_s * SCAN_SHARE,
            readings_per_s=per_world_s * (1 - SCAN_SHARE),
        )


def fleet_made(network: Network, boot: str) -> Fleet:
    """Return a scanner gateway for each site and a shelf device for each site with sensors."""
    watched = {channel.site for channel in network.channels}
    scanners = [
        Gateway(site=site, source=scanner_of(site), boot=boot, leaf="scans")
        for site in network.sites
    ]
    shelves = [
        Gateway(site=site, source=shelf_of(site), boot=boot, leaf="readings")
        for site in network.sites
        if site in watched
    ]
    return Fleet([*scanners, *shelves])


class Simulation:
    """The whole simulated outside of a pipeline; two clocks, both passed in.

    `world_ms` is the world's time, UTC milliseconds; `clock_ms` is any clock of the publisher
    that never goes back, and only times resends and faults.
    """

    def __init__(
        self,
        *,
        network: Network,
        plan: SimulationPlan,
        oracle: Oracle,
        boot: str,
        rng: "Random",
        world_ms: int,
        clock_ms: int,
    ) -> None:
        """Begin; `boot` must be new for all sources."""
        self.oracle = oracle
        self.fleet = fleet_made(network, boot)
        self.world = World(network, plan.rates(), rng, oracle, now_ms=world_ms)
        self._faults = Faults(plan.faults, rng)
        self._plan = plan
        self._clock_ms = clock_ms

    @property
    def has_room(self) -> bool:
        """Whether the devices' spools take what a step may bring."""
        return self.fleet.room_events_min > ROOM_EVENTS_MIN

    def step(self, world_ms: int, clock_ms: int) -> list[Outgoing]:
        """Let both clocks go on; return what is published, time first.

        What is more than `STEP_MS_MAX` at the plan's speed passes with nobody in the shops.
        """
        elapsed_ms = max(0, clock_ms - self._clock_ms)
        self._clock_ms = clock_ms
        sent = self.time(world_ms)
        gateways = list(self.fleet)
        for outage in self._faults.outages(gateways, clock_ms, elapsed_ms):
            sent.append(status_message(outage.gateway, online=outage.online))
        for gateway in self._faults.restarts(gateways, elapsed_ms):
            if gateway.online:  # one that is not says so when it comes back
                sent.append(status_message(gateway, online=True))
        self.world.sleep(world_ms - round(STEP_MS_MAX * self._plan.speed))
        self._report(self.world.step(max(world_ms, self.world.now_ms)))
        return sent

    def settle(self, world_ms: int, clock_ms: int) -> list[Outgoing]:
        """End all faults and spool one last reading of each shelf; nothing moves any more."""
        self._faults.stopped = True
        later_ms = max(world_ms, self.world.now_ms)
        later_ms += SETTLE_PAUSE_MS if self._plan.driven else 0
        sent = self.time(later_ms)
        for outage in self._faults.outages(list(self.fleet), clock_ms, 0):
            sent.append(status_message(outage.gateway, online=outage.online))
        self._report(self.world.settle(later_ms))
        return sent

    def outgoing(self, clock_ms: int) -> list[Outgoing]:
        """Return the devices' messages, with the faults of the way; call it while connected."""
        publications = self._faults.on_the_wire(self.fleet.outgoing(clock_ms))
        return [Outgoing(one.topic, one.payload()) for one in publications]

    def _report(self, acts: Iterable[Act]) -> None:
        for act in acts:
            gateway = self.fleet[act.source]
            boot, seq = gateway.append(act.fields)
            if act.leaf == "scans":
                self.oracle.scanned(act.source, gateway.site, boot, seq)

    def time(self, world_ms: int) -> list[Outgoing]:
        """Return the message that drives the installation's time; none where it is not driven."""
        if not self._plan.driven:
            return []
        return [time_message(world_ms)]


def time_message(at_ms: int) -> Outgoing:
    """Return the message that drives an installation's time."""
    return Outgoing(MQTT_TIME, msgspec.json.encode({"at_ms": at_ms}))


def status_message(gateway: Gateway, *, online: bool) -> Outgoing:
    """Return what a device says of itself, retained as the last word on it."""
    body = {
        "source": gateway.source,
        "boot": gateway.boot,
        "state": "online" if online else "offline",
    }
    topic = mqtt_topic(gateway.site, gateway.source, "status")
    return Outgoing(topic, msgspec.json.encode(body), retain=True)
