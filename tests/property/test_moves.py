"""Automatic moves, whatever happens: no donor below its hold-back, no ping-pong, no cycle."""

from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ingest.contracts.durations import DAY_MS, HOUR_MS
from ingest.frames import CommandVerb, SiteRecord, SkuRecord
from streams.contracts.demand import Demand
from streams.contracts.events import TransferChanged
from streams.contracts.state import DEMAND, TRANSFER_OPEN, Transfer, key
from streams.domain.arithmetic import round_down
from streams.domain.fair_share import equal_run_out, in_packs
from streams.domain.transfers import expected_units, on_the_way_units
from tests.property.fold_scripts import long_scripts, run, scripts
from tests.unit.streams.builders import SKU, Story, command, lane, opening, policy, reference, scan

UNITS = st.integers(0, 500)
DEMANDS = st.integers(1, 90_000)


SITES = ("hall", "shop-1", "shop-2", "shop-3")
STEPS_MAX = 50
COOLDOWN_MS = DAY_MS // 2
_VERBS: tuple[CommandVerb, ...] = ("approve_transfer", "reject_transfer", "cancel_transfer")


def _network(draw: Random) -> Story:
    """Return shops below a hall, all with lanes between them, that have learned their demand."""
    story = Story()
    rules = {
        "transfer_rule": draw.choice(("always", "worth", "worth")),
        "shortage_cost_minor": draw.choice((20, 500)),
        "handling_cost_minor": draw.choice((0, 2)),
        "multiple_units": draw.choice((1, 4)),
        "dwell_ms": draw.choice((0, HOUR_MS)),
        "autonomy": draw.choice(("auto", "auto", "suggest")),
        "cross_dock": draw.random() < 0.7,
        "hold_back_units": draw.choice((0, 5, 12)),
    }
    story.tell(policy(**rules), reference(SkuRecord(SKU, unit_cost_minor=100)))
    for site in SITES:
        story.tell(reference(SiteRecord(site, parent_site="" if site == "hall" else "hall")))
        story.tell(opening(draw.choice((8, 15, 60, 150)), site=site))
        for other in SITES:
            lead_ms = draw.choice((HOUR_MS, DAY_MS, 3 * DAY_MS))
            if other != site:
                cost = draw.choice((0, 90))
                said = {"lead_time_ms": lead_ms, "cost_minor": cost, "cooldown_ms": COOLDOWN_MS}
                story.tell(lane(site, other, **said))
    for site in SITES:
        mean = draw.choice((0.0, 1.0, 8.0, 30.0))
        demand = Demand(days=30, sale_days=30, mean=mean, chance=1.0, size=mean)
        story.state[key(DEMAND, SKU, site)] = msgspec.msgpack.encode(demand)
    story.restore()
    return story


def _moving_story(seed: int, length: int) -> Story:
    draw = Random(seed)
    story = _network(draw)
    for seq in range(1, length + 1):
        kind = draw.choices(("scan", "carry", "wait", "decide"), (7, 4, 2, 1))[0]
        transfer = draw.choice(story.transfers()[-4:]) if story.transfers() else None
        if kind == "scan":
            sale = draw.random() < 0.7
            site, units = draw.choice(SITES), draw.randint(1, 20 if sale else 60)
            known = scan("sale" if sale else "receive", units, seq=seq, site=site)
            story.tell(known, after_ms=1)
        elif kind == "carry" and transfer is not None:
            out = draw.random() < 0.6
            site = transfer.from_site if out else transfer.to_site
            units = draw.randint(1, max(1, transfer.quantity_units))
            named = transfer.transfer_id
            moved = scan(
                "dispatch" if out else "arrive", units, seq=seq, site=site, transfer_id=named
            )
            story.tell(moved, after_ms=1)
        elif kind == "decide" and transfer is not None:
            verb = draw.choice(_VERBS)
            story.tell(command(verb, transfer.transfer_id, name=f"c{seq}"))
        elif kind == "wait":
            story.wait(draw.choice((HOUR_MS, DAY_MS)))
    return story


MOVING = st.builds(_moving_story, st.integers(0, 2**32), st.integers(0, STEPS_MAX))
STORIES = st.one_of(MOVING, MOVING, scripts().map(run), long_scripts().map(run))


def _decided(story: Story) -> list[tuple[Transfer, list[Transfer]]]:
    """Return each transfer that the fold decided by itself, with those open just before it."""
    found, now = [], dict[str, Transfer]()
    for event in story.events(TransferChanged):
        transfer = event.transfer
        first = transfer.version == 1 and "donor_kept_units" in transfer.decided_from
        if first and "ordered" not in transfer.flags:
            still_open = [one for one in now.values() if one.state in TRANSFER_OPEN]
            found.append((transfer, still_open))
        now[transfer.transfer_id] = transfer
    return found


@given(STORIES)
def test_no_move_leaves_a_donor_under_its_hold_back(story: Story) -> None:
    """What it has, less what it has promised and what it gives now, is not below what it keeps."""
    for transfer, _ in _decided(story):
        numbers = transfer.decided_from
        free = numbers["donor_available_units"] - numbers["donor_planned_units"]
        assert free - transfer.quantity_units >= numbers["donor_kept_units"]


@given(STORIES)
def test_what_is_on_its_way_to_a_donor_is_not_sent_back(story: Story) -> None:
    """No cycle, of any length: who gives is expecting nothing when it is asked.

    What is sent on at a receipt is the exception: a warehouse expects things and sends them on.
    """
    for transfer, still_open in _decided(story):
        if "cross_dock" in transfer.flags:
            continue
        expecting = {
            one.to_site for one in still_open if one.sku == transfer.sku and expected_units(one)
        }
        assert transfer.from_site not in expecting


@given(MOVING)
def test_what_has_just_come_is_not_sent_back(story: Story) -> None:
    """No ping-pong: a site gives nothing until the lane's cool-down after a transfer is over."""
    arrived = [(one.site, one.recorded_at_ms) for one in story.movements() if one.kind == "arrive"]
    for transfer, _ in _decided(story):
        if "cross_dock" not in transfer.flags:
            ages = [
                transfer.proposed_at_ms - at_ms
                for site, at_ms in arrived
                if site == transfer.from_site and at_ms <= transfer.proposed_at_ms
            ]
            assert all(age_ms >= COOLDOWN_MS for age_ms in ages)


@given(STORIES)
def test_a_worthwhile_move_leaves_the_donor_as_long_a_supply(story: Story) -> None:
    """And avoids more than it costs, and comes before normal supply."""
    for transfer, _ in _decided(story):
        numbers = transfer.decided_from
        if "avoided_cost_minor" not in numbers:
            continue
        assert numbers["avoided_cost_minor"] > numbers["transfer_cost_minor"]
        assert numbers["lane_lead_time_ms"] < numbers["normal_supply_ms"]
        demand, donor_demand = numbers["demand_milli_day"], numbers["donor_demand_milli_day"]
        if demand and donor_demand:
            left = numbers["donor_available_units"] - numbers["donor_planned_units"]
            left -= transfer.quantity_units
            gets = numbers["position_units"] + transfer.quantity_units
            assert left * demand >= gets * donor_demand


@given(
    st.integers(1, 2_000),
    st.lists(st.tuples(UNITS, DEMANDS), min_size=1, max_size=8),
    st.integers(1, 24),
)
def test_a_shared_surplus_is_kept_whole(
    surplus_units: int, sites: list[tuple[int, int]], multiple_units: int
) -> None:
    """Shares sum up to it; nobody who got something runs out before one who got nothing."""
    stocks, demands = [stock for stock, _ in sites], [demand for _, demand in sites]
    shares = equal_run_out(surplus_units, stocks, demands)
    assert sum(shares.units) == surplus_units
    for stock, demand, units in zip(stocks, demands, shares.units, strict=True):
        days = (stock + units) * 1_000 / demand
        assert units >= 0
        assert days == shares.days if units else days >= shares.days
    packs = in_packs(shares.units, surplus_units, multiple_units)
    assert sum(packs) == round_down(surplus_units, multiple_units)
    assert all(pack % multiple_units == 0 and pack >= 0 for pack in packs)


@given(MOVING)
def test_units_are_conserved_over_all_moves(story: Story) -> None:
    """What came in and was not sold is on hand somewhere, on its way, or lost."""
    outside = sum(
        movement.quantity_units
        for movement in story.movements()
        if movement.bucket == "on_hand" and movement.kind in {"opening", "receive", "sale"}
    )
    on_hand = sum(level.on_hand_units for level in story.levels())
    moving = sum(on_the_way_units(one) + one.lost_units for one in story.transfers())
    assert on_hand + moving == outside
