"""Properties of the simulated outside: no receipt pattern loses, leaves the window, or repeats."""

import json
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from simulators.faults import FaultPlan, Faults
from simulators.gateway import WINDOW_EVENTS, Gateway
from simulators.network import network_made
from simulators.oracle import Oracle
from simulators.world import World, WorldRates


@given(seed=st.integers(0, 2**32), loss=st.floats(0, 0.9), events=st.integers(1, 2_500))
def test_everything_is_accepted_in_the_end(seed: int, loss: float, events: int) -> None:
    """Whatever batches and receipts get lost, all numbers arrive, within the window."""
    rng = Random(seed)
    gateway = Gateway(site="s", source="g", boot="b0", leaf="scans", batch_events=200)
    for number in range(events):
        if rng.random() < 1 / events:
            gateway.restart(f"b{number + 1}")
        gateway.append({"observed_at_ms": number})
    seen: set[tuple[str, int]] = set()
    accepted: set[tuple[str, int]] = set()
    now_ms = 0
    while gateway.unaccepted_events:
        now_ms += 1_000
        for publication in gateway.outgoing(now_ms):
            names = [(event["boot"], event["seq"]) for event in json.loads(publication.payload())]
            assert not accepted.intersection(names), "accepted events are never sent again"
            if rng.random() < loss:
                continue
            seen.update(names)
            if rng.random() >= loss:
                accepted.update(names)
                for boot, seq in names:
                    gateway.on_receipt(boot, seq, seq, now_ms)
            boot, top = names[0][0], names[-1][1]
            oldest = next((n for n in range(top + 1) if (boot, n) not in accepted), top)
            assert top - oldest < WINDOW_EVENTS
    assert len(seen) == events


@given(seed=st.integers(0, 2**32), steps=st.lists(st.integers(0, 600_000), max_size=20))
def test_the_world_conserves_units_for_any_steps(seed: int, steps: list[int]) -> None:
    """However time is cut, no unit appears or vanishes and no shelf is negative."""
    rng = Random(seed)
    rates = WorldRates(wishes_per_s=0.5, readings_per_s=0.5)
    oracle = Oracle()
    world = World(network_made(4, 6, rng), rates, rng, oracle, now_ms=0)
    now_ms = 0
    for step_ms in steps:
        now_ms += step_ms
        times = [act.fields["observed_at_ms"] for act in world.step(now_ms) if act.leaf == "scans"]
        assert times == sorted(times)
        assert oracle.conserved()
    assert min(oracle.stock.values()) >= 0


@given(seed=st.integers(0, 2**32))
def test_faults_of_the_way_lose_nothing(seed: int) -> None:
    """Disorder and repeats keep every event at least once."""
    gateway = Gateway(site="s", source="g", boot="b", leaf="scans", batch_events=3)
    for number in range(20):
        gateway.append({"observed_at_ms": number})
    plan = FaultPlan(duplicates=True, disorder=True)
    publications = Faults(plan, Random(seed)).on_the_wire(list(gateway.outgoing(0)))
    numbers = [event["seq"] for one in publications for event in json.loads(one.payload())]
    assert set(numbers) == set(range(20))
