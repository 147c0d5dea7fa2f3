"""World, devices and faults together: limits that fit each other, pauses, outages, restarts."""

import json
from random import Random

import pytest

from ingest.contracts.durations import HOUR_MS
from ingest.contracts.errors import SettingsError
from ingest.contracts.settings import load
from simulators.faults import FaultPlan
from simulators.gateway import SPOOL_EVENTS_MAX
from simulators.network import WATCHED_SHARE, network_made
from simulators.oracle import Oracle
from simulators.settings import RATE_MAX, SKUS_MAX, SimulatorSettings
from simulators.simulation import (
    ROOM_EVENTS_MIN,
    SCAN_SHARE,
    STEP_MS_MAX,
    Outgoing,
    Simulation,
    SimulationPlan,
)


def a_simulation(
    *,
    faults: FaultPlan | None = None,
    driven: bool = False,
    rate: float = 100,
    skus: int = 4,
    sites: int = 3,
) -> Simulation:
    """Return a simulation that begins at 0 on both clocks; in wall time at its speed of 1."""
    return Simulation(
        network=network_made(sites, skus, Random(1)),
        plan=SimulationPlan(
            speed=60 if driven else 1,
            rate_events_per_s=rate,
            faults=faults if faults is not None else FaultPlan(),
            driven=driven,
        ),
        oracle=Oracle(),
        boot="b",
        rng=Random(1),
        world_ms=0,
        clock_ms=0,
    )


def states(messages: list[Outgoing]) -> list[tuple[str, str, str]]:
    """Return source, boot and state of each status among the messages."""
    bodies = [json.loads(one.payload) for one in messages if one.retain]
    return [(body["source"], body["boot"], body["state"]) for body in bodies]


def test_a_busy_step_and_the_last_readings_fit_a_spool() -> None:
    """The largest settings cannot fill a spool that has the room a step asks for."""
    step_events = RATE_MAX * STEP_MS_MAX / 1_000
    readings_of_one_shop = (1 - SCAN_SHARE) * step_events
    assert readings_of_one_shop + SKUS_MAX / WATCHED_SHARE < ROOM_EVENTS_MIN < SPOOL_EVENTS_MAX


def test_a_laptop_that_slept_does_not_catch_up() -> None:
    """An hour without a step in wall time brings a second of events, and they are of now."""
    simulation = a_simulation(rate=1_000)
    simulation.step(1_000, 1_000)
    before = simulation.fleet.unaccepted_events
    simulation.step(HOUR_MS, HOUR_MS)
    brought = simulation.fleet.unaccepted_events - before
    assert 500 < brought < 2_000
    sent = [json.loads(one.payload) for one in simulation.outgoing(HOUR_MS)]
    times = [event["observed_at_ms"] for batch in sent for event in batch]
    # The first step's readings are a few milliseconds apart, so that the newer one can be told.
    assert min(at_ms for at_ms in times if at_ms > 2_000) >= HOUR_MS - STEP_MS_MAX


def test_what_nobody_takes_stops_at_the_room_that_is_left() -> None:
    """However long nothing is accepted, a run that asks for room first never fills a spool."""
    simulation = a_simulation(rate=RATE_MAX, sites=2)
    now_ms = 0
    while simulation.has_room:
        now_ms += STEP_MS_MAX
        simulation.step(now_ms, now_ms)
    simulation.settle(now_ms + 1, now_ms + 1)
    assert simulation.fleet.room_events_min > 0


def test_driven_time_comes_first() -> None:
    """Before the events of that time; in wall time nobody sends it."""
    simulation = a_simulation(driven=True)
    (first, *_) = simulation.step(6_000, 100)
    assert (first.topic, json.loads(first.payload)) == ("stock/v1/_time", {"at_ms": 6_000})
    assert a_simulation().step(6_000, 100) == []


def test_time_never_goes_back() -> None:
    """A wall clock that is set back stops the world and does not turn it."""
    simulation = a_simulation()
    simulation.step(5_000, 1_000)
    simulation.step(2_000, 1_100)
    assert simulation.world.now_ms == 5_000


def test_outages_are_told_and_end_with_the_run() -> None:
    """A device that is offline says so, sends nothing, and is back when the run settles."""
    simulation = a_simulation(faults=FaultPlan(offline=True))
    told: list[tuple[str, str, str]] = []
    now_ms = 0
    while not told:
        now_ms += 100
        told = states(simulation.step(now_ms, now_ms))
    source = told[0][0]
    assert told[0][2] == "offline"
    assert not simulation.fleet[source].online
    back = states(simulation.settle(now_ms, now_ms))
    assert (source, "b", "online") in back
    assert all(gateway.online for gateway in simulation.fleet)


def test_a_device_that_starts_again_offline_says_nothing_yet() -> None:
    """Nobody hears it; when it is back its status names the new boot."""
    simulation = a_simulation(faults=FaultPlan(restarts=True))
    gateway = next(iter(simulation.fleet))
    gateway.online = False
    now_ms = 0
    while gateway.boot == "b":
        now_ms += 100
        told = states(simulation.step(now_ms, now_ms))
        assert gateway.source not in {source for source, _, _ in told}


def test_the_oracle_knows_each_scan_of_each_boot() -> None:
    """As many scans as were spooled, in a range a boot, also when devices start again."""
    simulation = a_simulation(faults=FaultPlan(restarts=True), rate=400)
    for now_ms in range(200, 30_000, 200):
        simulation.step(now_ms, now_ms)
    oracle = simulation.oracle
    spooled = sum(
        gateway.unaccepted_events
        for gateway in simulation.fleet
        if gateway.source.startswith("gateway-")
    )
    assert oracle.scan_count == spooled > 0
    assert len({(one.source, one.boot) for one in oracle.scans}) == len(oracle.scans)
    assert len(oracle.scans) > 3


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("FAULTS", "dup,fire", "SHELFSTREAM_SIMULATOR_FAULTS: Value error, fire is no fault"),
        ("SITES", "1", "SHELFSTREAM_SIMULATOR_SITES: Input should be greater than or equal to 2"),
        ("RATE", "10001", "SHELFSTREAM_SIMULATOR_RATE: Input should be less than or equal to"),
        ("SPEED", "0", "SHELFSTREAM_SIMULATOR_SPEED: Input should be greater than 0"),
    ],
)
def test_settings_are_refused_by_name(name: str, value: str, sentence: str) -> None:
    """Before anything is connected: `python -m simulators.main` ends with one sentence."""
    with pytest.raises(SettingsError) as refused:
        load(SimulatorSettings, {f"SHELFSTREAM_SIMULATOR_{name}": value})
    assert str(refused.value).startswith(sentence)
