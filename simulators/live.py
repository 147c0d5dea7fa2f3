"""A simulation on real brokers: one MQTT connection out, the committed events in."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import EVENTS, STOCK
from simulators.adapters.files import oracle_save
from simulators.adapters.mqtt import DeviceLink
from simulators.fleet import percentile
from simulators.greeting import greeted
from simulators.simulation import Outgoing, Simulation
from streams.contracts.events import EVENT_FRAMES
from streams.contracts.state import CLOCK, Clock, decode, key
from streams.engine.adapters.reader import end_offsets, read_topic

STEP_S: Final = 0.2
"""How often the world goes on. Each step drives the time, and a tick costs every fold a record in
each partition: more often is only work."""
EXCHANGE_S: Final = 0.02
"""How often receipts are taken and due events are sent."""
STEP_MS_MAX: Final = 1_000
"""A process that slept goes on where it was, and does not catch up."""
REPORT_S: Final = 5.0
DRAIN_S_MAX: Final = 120.0
"""How long a run waits at its end until every event is accepted."""
RATE_WINDOW_S: Final = 5.0

_LOG = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a run measured of itself."""

    world_ms: int
    live_seconds: float
    """How long demand has lasted, by the publisher's clock."""
    published_events: int
    accepted_events: int
    unaccepted_events: int
    resent_events: int
    accepted_events_per_s: float
    accepted_ms_p50: int
    """From publishing a batch to its receipt; -1 before the first."""
    accepted_ms_p99: int
    scans: int
    lost_sales_units: int
    in_transit_units: int


async def fold_now_ms(kafka: KafkaSettings) -> int:
    """Return how late it is for the stock fold, UTC milliseconds; 0 for a new installation."""
    clock_key = key(CLOCK)
    now_ms = 0
    async for records in read_topic(kafka, STOCK.name, until_end=True):
        for record in records:
            if record.key and record.key.startswith(clock_key) and record.value:
                clock = decode(record.key, record.value)
                now_ms = max(now_ms, clock.now_ms if isinstance(clock, Clock) else 0)
    return now_ms


class LiveRun:
    """Runs one simulation until its time is over or `stop` is called, then drains it."""

    def __init__(
        self,
        *,
        simulation: Simulation,
        link: DeviceLink,
        kafka: KafkaSettings,
        oracle_file: Path,
        world_clock: Callable[[int], int],
        clock: Callable[[], float],
    ) -> None:
        """Take the parts.

        Args:
            simulation: What is run.
            link: An entered connection of the devices.
            kafka: Where the committed events are.
            oracle_file: Where the truth is kept.
            world_clock: Gives the next world time for the elapsed milliseconds of a step.
            clock: Seconds, never going back.
        """
        self._simulation = simulation
        self._link = link
        self._kafka = kafka
        self._oracle_file = oracle_file
        self._world_clock = world_clock
        self._clock = clock
        self._stopped = asyncio.Event()
        self._live_seconds = 0.0
        self._history: deque[tuple[float, int]] = deque()
        self._unsent: deque[Outgoing] = deque()

    def stop(self) -> None:
        """Ask for the end of demand."""
        self._stopped.set()

    async def greet(self, reference_version: int) -> None:
        """Wait until the bridges know this catalogue load.

        Raises:
            BridgeSilentError: No bridge answered in time.
            InstallationError: The topics are not there.
        """
        simulation = self._simulation
        await greeted(
            self._kafka,
            self._link,
            simulation.fleet,
            reference_version=reference_version,
            clock=self._clock,
            first=simulation.time(simulation.world.now_ms),
        )

    async def run(self, seconds: float | None) -> bool:
        """Run for so many seconds (None: until stopped); return whether all was accepted.

        Raises:
            InstallationError: The topics are not there.
            KafkaError: Kafka can't be read.
        """
        offsets = await end_offsets(self._kafka, EVENTS.name)
        self._save()
        listener = asyncio.create_task(self._listen(offsets))
        try:
            await self._live(seconds, listener)
        finally:
            listener.cancel()
            with suppress(asyncio.CancelledError):
                await listener
        drained = await self._drain()
        self._save()
        _LOG.info("simulation_ended", drained=drained, **self.figures_json())
        return drained

    async def _live(self, seconds: float | None, listener: "asyncio.Task[None]") -> None:
        begun_s = last_s = reported_s = self._clock()
        while not self._stopped.is_set():
            now_s = self._clock()
            self._live_seconds = now_s - begun_s
            if seconds is not None and now_s - begun_s >= seconds:
                return
            if listener.done():
                listener.result()
            if now_s - last_s >= STEP_S:
                self._pass_time(round((now_s - last_s) * 1_000))
                last_s = now_s
            self._exchange()
            if now_s - reported_s >= REPORT_S:
                reported_s = now_s
                self._save()
                _LOG.info("simulation", **self.figures_json())
            await asyncio.sleep(EXCHANGE_S)

    def _pass_time(self, elapsed_ms: int) -> None:
        # What nobody takes must not pile up: without room the world stands still.
        if not self._simulation.has_room or self._unsent:
            return
        world_ms = self._world_clock(min(elapsed_ms, STEP_MS_MAX))
        self._unsent.extend(self._simulation.step(world_ms, self._clock_ms()))

    def _exchange(self) -> None:
        clock_ms = self._clock_ms()
        for message in self._link.heard():
            self._simulation.on_receipt(message.topic, message.payload, clock_ms)
        if not self._link.ready:
            return
        self._unsent.extend(self._simulation.outgoing(clock_ms))
        while self._unsent and self._link.publish(*self._unsent[0][:2], retain=self._unsent[0][2]):
            self._unsent.popleft()
        self._history.append((self._clock(), self._simulation.fleet.accepted_events))
        while self._history[0][0] < self._history[-1][0] - RATE_WINDOW_S:
            self._history.popleft()

    async def _drain(self) -> bool:
        simulation = self._simulation
        self._unsent.extend(simulation.settle(self._world_clock(0), self._clock_ms()))
        deadline_s = self._clock() + DRAIN_S_MAX
        while simulation.fleet.unaccepted_events or self._unsent:
            if self._clock() >= deadline_s:
                return False
            self._exchange()
            await asyncio.sleep(EXCHANGE_S)
        return True

    async def _listen(self, offsets: Mapping[int, int]) -> None:
        async for records in read_topic(self._kafka, EVENTS.name, from_offsets=offsets):
            for record in records:
                for event in EVENT_FRAMES.decode(record.value or b"").items:
                    self._simulation.world.hear(event)

    def figures(self) -> Figures:
        """Return what was measured so far."""
        fleet = self._simulation.fleet
        latencies_ms = list(fleet.latencies_ms)
        return Figures(
            world_ms=self._simulation.world.now_ms,
            live_seconds=round(self._live_seconds, 3),
            published_events=fleet.published_events,
            accepted_events=fleet.accepted_events,
            unaccepted_events=fleet.unaccepted_events,
            resent_events=fleet.resent_events,
            accepted_events_per_s=self._rate(),
            accepted_ms_p50=percentile(latencies_ms, 0.50),
            accepted_ms_p99=percentile(latencies_ms, 0.99),
            scans=self._simulation.oracle.scan_count,
            lost_sales_units=self._simulation.world.lost_sales_units,
            in_transit_units=self._simulation.oracle.in_transit_units,
        )

    def figures_json(self) -> dict[str, Any]:
        """Return the figures as one object."""
        return asdict(self.figures())

    def _rate(self) -> float:
        if len(self._history) < 2:  # noqa: PLR2004 - a rate needs two points
            return 0.0
        (first_s, first), (last_s, last) = self._history[0], self._history[-1]
        return round((last - first) / max(last_s - first_s, 0.001), 1)

    def _clock_ms(self) -> int:
        return round(self._clock() * 1_000)

    def _save(self) -> None:
        oracle_save(self._oracle_file, self._simulation.oracle)
