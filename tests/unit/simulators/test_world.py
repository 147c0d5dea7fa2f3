"""The simulated world: same seed, same bytes; no unit appears or vanishes; staff are honest."""

from random import Random

import msgspec
import pytest

from ingest import wire
from ingest.contracts.durations import HOUR_MS
from ingest.contracts.events import Reading, Scan
from simulators.faults import FaultPlan, fault_plan
from simulators.network import TARE_G, WATCHED_SHARE, Network, gtin13_of, network_made
from simulators.oracle import Oracle, oracle_read
from simulators.simulation import Outgoing, Simulation, SimulationPlan
from simulators.world import Act, World, WorldRates
from streams.contracts.events import NeedChanged, TransferChanged
from streams.contracts.state import Need, Transfer, TransferState

BUSY = WorldRates(wishes_per_s=0.5, readings_per_s=1.0)


def a_network(seed: int = 1) -> Network:
    """Return three shops and a warehouse with five articles."""
    return network_made(4, 5, Random(seed))


def a_world(seed: int = 1, rates: WorldRates = BUSY) -> World:
    """Return a world at time 0."""
    return World(a_network(seed), rates, Random(seed), Oracle(), now_ms=0)


def a_transfer(state: TransferState, quantity: int = 5) -> TransferChanged:
    """Return news of a transfer from the large shop to its neighbour."""
    transfer = Transfer(
        transfer_id="transfer-SKU-0001-1",
        sku="SKU-0001",
        from_site="shop-01",
        to_site="shop-02",
        state=state,
        quantity_units=quantity,
    )
    return TransferChanged(at_ms=0, transfer=transfer)


def a_need(site: str = "shop-03") -> Need:
    """Return an open request for twelve units at a site."""
    return Need(
        need_id="need-SKU-0001-1",
        sku="SKU-0001",
        site=site,
        from_site="warehouse",
        state="open",
        quantity_units=12,
        opened_at_ms=0,
    )


QUIET = WorldRates(wishes_per_s=0, readings_per_s=0)


def scans(acts: list[Act]) -> list[tuple[str, object, object]]:
    """Return device, action and quantity of the scans."""
    return [(a.source, a.fields["action"], a.fields["quantity"]) for a in acts if a.leaf == "scans"]


def test_same_seed_same_bytes() -> None:
    """Two runs of one seed publish the same bytes, faults included; another seed does not."""

    def run(seed: int) -> list[Outgoing]:
        plan = SimulationPlan(
            speed=60,
            rate_events_per_s=200,
            faults=fault_plan("dup,disorder,offline,restart"),
            driven=True,
        )
        simulation = Simulation(
            network=a_network(seed),
            plan=plan,
            oracle=Oracle(),
            boot="b",
            rng=Random(seed),
            world_ms=0,
            clock_ms=0,
        )
        sent: list[Outgoing] = []
        for step in range(1, 60):
            simulation.world.hear(a_transfer("approved"))
            sent += simulation.step(step * 6_000, step * 100) + simulation.outgoing(step * 100)
        return sent

    assert run(7) == run(7)
    assert run(7) != run(8)


def test_units_are_conserved() -> None:
    """What opened and entered is what stands, travels or left."""
    world = a_world()
    world.hear(a_transfer("approved"))
    for hour in range(1, 10):
        world.step(hour * HOUR_MS)
        assert world.oracle.conserved()
    assert world.oracle.left_units > 0


def test_all_acts_are_valid_on_the_wire() -> None:
    """Both languages of the wire accept everything devices report."""
    world = a_world()
    world.hear(a_transfer("approved"))
    for act in world.step(HOUR_MS):
        event = {"source": act.source, "boot": "b", "seq": 0, **act.fields}
        raw = msgspec.json.encode(event)
        if act.leaf == "scans":
            assert Scan.model_validate_json(raw).quantity > 0
            wire.SCANS.decode(raw)
        else:
            Reading.model_validate_json(raw)
            wire.READINGS.decode(raw)


def test_staff_carry_out_an_approved_transfer_once() -> None:
    """Heard twice, dispatched once, and it arrives with the same units and the transfer's id."""
    world = a_world(rates=QUIET)
    world.hear(a_transfer("approved"))
    world.hear(a_transfer("approved"))
    acts = world.step(HOUR_MS)
    assert scans(acts) == [
        ("gateway-shop-01", "dispatch", 5),
        ("gateway-shop-02", "arrive", 5),
    ]
    assert {act.fields["transfer_id"] for act in acts} == {"transfer-SKU-0001-1"}
    world.hear(a_transfer("received"))
    world.hear(a_transfer("approved"))
    assert not world.step(2 * HOUR_MS)


def test_units_are_in_transit_between_the_scans() -> None:
    """The oracle knows what is on its way, and a run that begins from it lets it arrive."""
    world = a_world(rates=QUIET)
    world.hear(a_transfer("approved"))
    now_ms = 0
    while not world.oracle.carriages:
        now_ms += 10_000
        world.step(now_ms)
    assert world.oracle.in_transit_units == 5
    again = oracle_read(world.oracle.document())
    assert again.document() == world.oracle.document()
    resumed = World(a_network(), QUIET, Random(3), again, now_ms=now_ms)
    assert scans(resumed.step(now_ms + HOUR_MS)) == [("gateway-shop-02", "arrive", 5)]
    assert again.conserved()


def test_a_withdrawn_transfer_stays_on_the_shelf() -> None:
    """Held before it was dispatched, nothing moves; approved again, it does."""
    world = a_world(rates=QUIET)
    world.hear(a_transfer("approved"))
    world.hear(a_transfer("held"))
    assert not world.step(HOUR_MS)
    world.hear(a_transfer("approved"))
    assert len(world.step(2 * HOUR_MS)) == 2


def test_no_more_is_dispatched_than_is_there() -> None:
    """Staff carry what they find."""
    world = a_world(rates=QUIET)
    there = world.oracle.units("shop-01", "SKU-0001")
    world.hear(a_transfer("approved", quantity=10_000))
    assert scans(world.step(HOUR_MS))[0] == ("gateway-shop-01", "dispatch", there)
    assert world.oracle.units("shop-01", "SKU-0001") == 0


def test_a_need_is_delivered_once() -> None:
    """A delivery answers an open need with a receive scan at its site."""
    world = a_world(rates=QUIET)
    need = a_need()
    world.hear(NeedChanged(at_ms=0, need=need))
    world.hear(NeedChanged(at_ms=1, need=need))
    assert scans(world.step(HOUR_MS)) == [("gateway-shop-03", "receive", 12)]
    need.quantity_units = 15
    world.hear(NeedChanged(at_ms=2, need=need))
    assert scans(world.step(2 * HOUR_MS)) == [("gateway-shop-03", "receive", 3)]


def test_nobody_buys_what_is_not_there() -> None:
    """Stock is never negative; what was wanted and not there is a lost sale."""
    world = a_world(rates=WorldRates(wishes_per_s=5, readings_per_s=0))
    world.step(HOUR_MS)
    assert min(world.oracle.stock.values()) == 0
    assert world.lost_sales_units > 0


def test_a_weight_tells_the_true_units() -> None:
    """Noise stays under half a unit weight, so an undisturbed reading is exact."""
    world = a_world()
    world.step(HOUR_MS)
    for act, channel in zip(world.settle(HOUR_MS), world.network.channels, strict=True):
        grams = int(act.fields["weight_g"]) - TARE_G
        units = round(grams * 1_000 / channel.unit_weight_mg)
        assert units == world.oracle.units(channel.site, channel.sku)


def test_readings_of_a_channel_never_share_a_time() -> None:
    """The newer of two readings can always be told."""
    world = a_world(rates=WorldRates(wishes_per_s=1, readings_per_s=50))
    acts = [*world.step(5_000), *world.step(5_001), *world.settle(5_001)]
    seen = [
        (a.source, a.fields["channel"], a.fields["observed_at_ms"])
        for a in acts
        if a.leaf == "readings"
    ]
    assert len(set(seen)) == len(seen)


def test_barcodes_have_their_check_digit() -> None:
    """The made-up EAN-13 pass the check of the standard."""
    digits = [int(digit) for digit in gtin13_of(4711)]
    assert len(digits) == 13
    assert sum(d * (3 if i % 2 else 1) for i, d in enumerate(digits)) % 10 == 0


def test_faults_are_chosen_by_name() -> None:
    """Unknown names are refused in a sentence."""
    assert fault_plan("") == FaultPlan()
    assert fault_plan("dup, restart") == FaultPlan(duplicates=True, restarts=True)
    with pytest.raises(ValueError, match="fire is no fault: choose from dup, disorder, offline"):
        fault_plan("fire")


def test_another_network_is_none_of_our_business() -> None:
    """An installation may hold sites of an earlier replay: our staff do not serve them."""
    world = a_world(rates=QUIET)
    strange = a_transfer("approved")
    strange.transfer.to_site = "site-01"
    world.hear(strange)
    world.hear(NeedChanged(at_ms=0, need=a_need("site-01")))
    assert not world.step(HOUR_MS)


def test_stock_is_opened_where_the_oracle_knows_none() -> None:
    """A run that goes on keeps what it had and opens what is new."""
    oracle = Oracle()
    oracle.open("shop-01", "SKU-0001", 3)
    world = World(a_network(), QUIET, Random(1), oracle, now_ms=0)
    assert oracle.units("shop-01", "SKU-0001") == 3
    assert oracle.units("shop-01", "SKU-0002") == world.network.opening["shop-01", "SKU-0002"]


def test_what_was_due_in_a_sleep_is_done_after_it() -> None:
    """A transfer that should have left while nobody was there leaves now, and says so."""
    world = a_world(rates=QUIET)
    world.hear(a_transfer("approved"))
    world.sleep(HOUR_MS)
    acts = world.step(HOUR_MS + 1_000)
    assert scans(acts) == [("gateway-shop-01", "dispatch", 5)]
    assert acts[0].fields["observed_at_ms"] == HOUR_MS
    assert scans(world.step(2 * HOUR_MS)) == [("gateway-shop-02", "arrive", 5)]


def test_nobody_shops_in_a_sleep() -> None:
    """Neither while it lasts nor all at once after it; a sleep into the past is none."""
    world = a_world()
    world.step(1_000)
    sold = world.oracle.left_units
    world.sleep(HOUR_MS)
    world.sleep(0)
    assert world.now_ms == HOUR_MS
    world.step(HOUR_MS + 1_000)
    assert world.oracle.left_units - sold < 10


def test_a_network_needs_a_shop_and_an_article() -> None:
    """Less is refused before a world is built on it."""
    for sites, skus in ((1, 1), (2, 0)):
        with pytest.raises(ValueError, match="at least 2 sites and 1 article"):
            network_made(sites, skus, Random(1))


def test_the_smallest_network_lives() -> None:
    """One shop, its warehouse and one article: demand, a need, its delivery, no lane."""
    world = World(network_made(2, 1, Random(1)), BUSY, Random(1), Oracle(), now_ms=0)
    assert world.network.lanes == {}
    world.step(HOUR_MS)
    assert world.oracle.left_units > 0
    assert world.oracle.conserved()


def test_the_network_is_watched_as_the_constants_say() -> None:
    """A quarter of the articles at each shop, none at the warehouse; every sixth shop gives."""
    network = network_made(14, 40, Random(1))
    assert len(network.channels) == 13 * 40 // WATCHED_SHARE
    assert {channel.site for channel in network.channels} == set(network.shops)
    assert network.donors == ("shop-01", "shop-07", "shop-13")
    assert network.sites[-1] == "warehouse"
    assert len(network.opening) == 14 * 40


def test_a_need_that_is_closed_is_forgotten() -> None:
    """Opened again under its name it is delivered again, in full."""
    world = a_world(rates=QUIET)
    need = a_need()
    world.hear(NeedChanged(at_ms=0, need=need))
    world.step(HOUR_MS)
    world.hear(NeedChanged(at_ms=1, need=msgspec.structs.replace(need, state="closed")))
    world.hear(NeedChanged(at_ms=2, need=need))
    assert scans(world.step(2 * HOUR_MS)) == [("gateway-shop-03", "receive", 12)]


def test_a_touched_shelf_reports_before_its_turn() -> None:
    """A sale of a watched article is followed by a reading of its own channel."""
    world = a_world(rates=WorldRates(wishes_per_s=0, readings_per_s=1))
    world.hear(a_transfer("approved"))
    acts = world.step(3 * 60_000)
    readings = [act.fields["channel"] for act in acts if act.leaf == "readings"]
    assert readings[0] == "cell-SKU-0001"
    assert acts[[act.leaf for act in acts].index("readings")].source == "shelf-shop-01"
