"""A simulation in real time: saved, drained, ended by one signal, given up by the second."""

import asyncio
from collections.abc import AsyncIterator, Callable
from random import Random

import pytest

from simulators.faults import FaultPlan
from simulators.live import DRAIN_S_MAX, REPORT_S, LiveRun
from simulators.network import network_made
from simulators.oracle import Oracle
from simulators.ports import Heard
from simulators.simulation import Simulation, SimulationPlan
from streams.contracts.events import StreamEvent, TransferChanged
from streams.contracts.state import Transfer
from tests.unit.simulators.loopback import Clock, Loopback

BEGIN_MS = 1_000_000


async def silence() -> AsyncIterator[StreamEvent]:
    """Tell nothing, without end."""
    await asyncio.Event().wait()
    yield a_transfer()


def a_transfer() -> TransferChanged:
    """Return news of an approved transfer between two shops."""
    return TransferChanged(
        at_ms=0,
        transfer=Transfer(
            transfer_id="transfer-SKU-0001-1",
            sku="SKU-0001",
            from_site="shop-01",
            to_site="shop-02",
            state="approved",
            quantity_units=4,
        ),
    )


class Story:
    """One run with everything beside it."""

    def __init__(
        self, link: Loopback | None = None, events: AsyncIterator[StreamEvent] | None = None
    ) -> None:
        """Make a run of three sites at sixtyfold speed."""
        self.clock = Clock()
        self.link = link if link is not None else Loopback()
        self.oracle = Oracle()
        self.saved: list[int] = []
        self.simulation = Simulation(
            network=network_made(3, 4, Random(1)),
            plan=SimulationPlan(speed=60, rate_events_per_s=50, faults=FaultPlan(), driven=True),
            oracle=self.oracle,
            boot="b",
            rng=Random(1),
            world_ms=BEGIN_MS,
            clock_ms=round(self.clock.now_s * 1_000),
        )
        world_ms = BEGIN_MS

        def world_clock(elapsed_ms: int) -> int:
            nonlocal world_ms
            world_ms += 60 * elapsed_ms
            return world_ms

        self.run = LiveRun(
            simulation=self.simulation,
            link=self.link,
            events=events if events is not None else silence(),
            save=lambda: self.saved.append(self.oracle.scan_count),
            world_clock=world_clock,
            clock=self.clock,
        )

    def told(self, monkeypatch: pytest.MonkeyPatch, seconds: float | None = None) -> bool:
        """Run to the end in no time: every pause of the run is a tenth of a second of its clock."""
        pause = asyncio.sleep

        async def passing(_seconds: float) -> None:
            self.clock.now_s += 0.1
            await pause(0)

        monkeypatch.setattr(asyncio, "sleep", passing)
        return asyncio.run(self.run.run(seconds))


def at(story: Story, after_s: float, act: Callable[[], None]) -> None:
    """Do something once, when a run has lasted so long."""
    begun_s, before, waiting = story.clock.now_s, story.link.heard, [act]

    def heard(wait_s: float = 0.0) -> list[Heard]:
        if waiting and story.clock.now_s - begun_s >= after_s:
            waiting.pop()()
        return before(wait_s)

    story.link.heard = heard  # type: ignore[method-assign] # the run looks here all the time


def test_a_run_ends_drained_and_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its seconds demand stops, each shelf reports once more, and all is accepted."""
    story = Story()
    assert story.told(monkeypatch, seconds=10)
    figures = story.run.figures()
    assert (figures.unaccepted_events, figures.accepted_events) == (0, len(story.link.events))
    assert figures.seconds >= 10
    assert figures.scans == story.oracle.scan_count > 0
    assert story.saved[-1] == figures.scans
    assert len(story.saved) >= 10 // REPORT_S
    shelves = {channel.channel for channel in story.simulation.world.network.channels}
    settled_ms = max(int(str(event["observed_at_ms"])) for event in story.link.events)
    last = [one for one in story.link.events if one["observed_at_ms"] == settled_ms]
    assert {event["channel"] for event in last} == shelves


def test_a_signal_ends_demand_and_drains(monkeypatch: pytest.MonkeyPatch) -> None:
    """One signal: no new scans, but what was emitted is still accepted."""
    story = Story()
    at(story, 5, story.run.stop)
    assert story.told(monkeypatch)
    assert 5 <= story.run.figures().seconds < 6
    assert story.run.figures().unaccepted_events == 0


def test_a_second_signal_gives_up_what_is_not_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to wait two minutes for a bridge that is gone; the truth is saved all the same."""
    story = Story(Loopback(accepts=lambda _topic: False))
    at(story, 5, story.run.stop)
    at(story, 9, story.run.stop)
    assert not story.told(monkeypatch)
    assert 9 <= story.run.figures().seconds < 10
    assert story.run.figures().unaccepted_events > 0
    assert story.saved[-1] == story.oracle.scan_count


def test_draining_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without receipts a run says after the named time that not all was accepted."""
    story = Story(Loopback(accepts=lambda _topic: False))
    assert not story.told(monkeypatch, seconds=1)
    assert DRAIN_S_MAX <= story.run.figures().seconds < DRAIN_S_MAX + 5


def test_without_a_connection_the_world_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the broker does not take must not pile up without limit."""
    story = Story(Loopback(room_messages=0))
    at(story, 60, lambda: setattr(story.link, "room_messages", 10**6))
    assert story.told(monkeypatch, seconds=120)
    assert story.run.figures().unaccepted_events == 0
    # Of sixty seconds at fifty events each the first step's were made, and no more.
    assert story.run.figures().accepted_events < 60 * 50 * 1.5


def test_events_reach_the_staff(monkeypatch: pytest.MonkeyPatch) -> None:
    """An approved transfer that is heard is dispatched and arrives, with its id on both scans."""

    async def told() -> AsyncIterator[StreamEvent]:
        yield a_transfer()
        await asyncio.Event().wait()

    story = Story(events=told())
    assert story.told(monkeypatch, seconds=30)
    named = [
        e["action"] for e in story.link.events if e.get("transfer_id") == "transfer-SKU-0001-1"
    ]
    assert named == ["dispatch", "arrive"]


def test_a_broken_listener_ends_the_run_with_the_truth_saved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When the events can't be read any more the error is told, after what was emitted is kept."""
    gone = asyncio.Event()

    async def broken() -> AsyncIterator[StreamEvent]:
        yield a_transfer()
        await gone.wait()
        raise ConnectionError("the events are gone")

    story = Story(events=broken())
    at(story, 3, gone.set)
    with pytest.raises(ConnectionError, match="the events are gone"):
        story.told(monkeypatch)
    assert story.saved == [story.oracle.scan_count]
    assert story.oracle.scan_count > 0


def test_the_rate_is_of_the_last_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accepted events a second, near what was wanted; 0 before anything was measured."""
    story = Story()
    assert story.run.figures().accepted_events_per_s == 0.0
    assert story.run.figures().accepted_ms_p50 == -1
    assert story.told(monkeypatch, seconds=20)
    assert 25 < story.run.figures().accepted_events_per_s < 75
    assert story.run.figures().accepted_ms_p99 >= 0
