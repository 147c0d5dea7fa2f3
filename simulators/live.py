"""Runs a simulation in real time: messages out over one connection, committed events in."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

import structlog

from simulators.fleet import percentile
from simulators.ports import BrokerLink
from simulators.simulation import STEP_MS_MAX, Outgoing, Simulation
from streams.contracts.events import StreamEvent

STEP_S: Final = 0.2
"""How often the world goes on. Each step drives the time, and a tick costs every fold a record in
each partition: more often is only work."""
EXCHANGE_S: Final = 0.02
"""How often receipts are taken and due events are sent."""
REPORT_S: Final = 5.0
DRAIN_S_MAX: Final = 120.0
"""How long a run waits at its end until every event is accepted."""
RATE_WINDOW_S: Final = 5.0

_LOG = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a run measured of itself."""

    world_ms: int
    seconds: float
    """How long the run has lasted, its draining included, by the publisher's clock."""
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


class LiveRun:
    """Runs one simulation until its time is over or `stop` is called, then drains it."""

    def __init__(
        self,
        *,
        simulation: Simulation,
        link: BrokerLink,
        events: AsyncIterator[StreamEvent],
        save: Callable[[], None],
        world_clock: Callable[[int], int],
        clock: Callable[[], float],
    ) -> None:
        """Take the parts.

        Args:
            simulation: What is run.
            link: An entered connection of the devices.
            events: What the pipeline tells from now on; it never ends by itself.
            save: Keeps the truth; called every `REPORT_S` seconds and at the end.
            world_clock: Gives the next world time for the elapsed milliseconds of a step.
            clock: Seconds, never going back.
        """
        self._simulation = simulation
        self._link = link
        self._events = events
        self._save = save
        self._world_clock = world_clock
        self._clock = clock
        self._stopped = False
        self._abandoned = False
        self._begun_s = self._ended_s = clock()
        self._history: deque[tuple[float, int]] = deque()
        self._unsent: deque[Outgoing] = deque()

    def stop(self) -> None:
        """Ask for the end of demand; asked again, give up what is not accepted yet."""
        self._abandoned = self._stopped
        self._stopped = True

    async def run(self, seconds: float | None) -> bool:
        """Run for so many seconds (None: until stopped); return whether all was accepted.

        Raises:
            KafkaError: The events can't be read any more.
        """
        self._begun_s = self._clock()
        listener = asyncio.create_task(self._listen())
        try:
            await self._live(seconds, listener)
        finally:
            self._save()  # whatever ended it: what was emitted is true
            listener.cancel()
            with suppress(asyncio.CancelledError):
                await listener
        drained = await self._drain()
        self._save()
        _LOG.info("simulation_ended", drained=drained, **self.figures_json())
        return drained

    async def _live(self, seconds: float | None, listener: "asyncio.Task[None]") -> None:
        last_s = reported_s = self._begun_s
        while not self._stopped:
            now_s = self._clock()
            if seconds is not None and now_s - self._begun_s >= seconds:
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
        self._ended_s, clock_ms = self._clock(), self._clock_ms()
        for topic, payload in self._link.heard():
            self._simulation.fleet.on_message(topic, payload, clock_ms)
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
            if self._abandoned or self._clock() >= deadline_s:
                return False
            self._exchange()
            await asyncio.sleep(EXCHANGE_S)
        return True

    async def _listen(self) -> None:
        async for event in self._events:
            self._simulation.world.hear(event)

    def figures(self) -> Figures:
        """Return what was measured so far."""
        fleet = self._simulation.fleet
        latencies_ms = list(fleet.latencies_ms)
        return Figures(
            world_ms=self._simulation.world.now_ms,
            seconds=round(self._ended_s - self._begun_s, 3),
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
