"""What moves, and whether: fair shares, worth, limits of autonomy, kanban, cross-dock."""

from fractions import Fraction
from typing import Any

import msgspec
import pytest

from ingest.contracts.durations import DAY_MS, HOUR_MS
from ingest.contracts.policies import PolicyRecord
from ingest.frames import SiteRecord, SkuRecord
from streams.contracts.demand import Demand
from streams.contracts.state import DEMAND, key
from streams.domain.fair_share import equal_run_out, in_packs
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    SKU,
    WAREHOUSE,
    Story,
    command,
    lane,
    opening,
    policy,
    reference,
    scan,
)

OTHER = "shop-3"


def test_the_golden_fair_share() -> None:
    """A 500, I 50/100/75, D 10/50/15: all last 9.67 days, and the first gets 46.7."""
    shares = equal_run_out(500, [50, 100, 75], [10_000, 50_000, 15_000])
    assert shares.days == Fraction(29, 3)
    assert round(float(shares.units[0]), 1) == 46.7
    assert sum(shares.units) == 500
    assert in_packs(shares.units, 500, 12) == [48, 384, 60]


def test_who_lasts_longer_gets_nothing() -> None:
    """He is left out, and the others share alone."""
    shares = equal_run_out(30, [0, 900, 10], [10_000, 10_000, 10_000])
    assert shares.units == [20, 0, 10]


def _sells(story: Story, **a_day: float) -> None:
    """Let sites have learned so much demand a day; `shop_1` stands for `shop-1`."""
    story.drain()
    for name, mean in a_day.items():
        demand = Demand(days=30, sale_days=30, mean=mean, chance=1.0, size=mean)
        raw = key(DEMAND, SKU, name.replace("_", "-"))
        story.state[raw] = msgspec.msgpack.encode(demand)
    story.restore()


def _two_short(*, shop_sells: float, other_sells: float) -> Story:
    """Return two shops that run short after each other, and a donor with 24 to give."""
    story = Story().tell(policy(), lane(DONOR), lane(DONOR, OTHER))
    story.tell(reference(PolicyRecord(scope="site", site=DONOR, hold_back_units=6, min_units=0)))
    story.tell(opening(30, site=DONOR), opening(20), opening(20, site=OTHER))
    _sells(story, shop_1=shop_sells, shop_3=other_sells)
    return story


def test_a_scarce_surplus_is_shared_between_those_who_are_short() -> None:
    """Both are short before the first is answered: the first does not take it all."""
    story = _two_short(shop_sells=2.0, other_sells=1.0)
    story.tell(policy(dwell_ms=HOUR_MS))
    story.tell(scan("sale", 20, seq=1), scan("sale", 20, seq=1, site=OTHER))
    story.wait(HOUR_MS)
    first, second = story.transfers()
    assert {(one.to_site, one.quantity_units) for one in (first, second)} == {
        (SHOP, 16),
        (OTHER, 8),
    }
    numbers = first.decided_from
    assert (numbers["share_recipients"], numbers["share_milli_days"]) == (2, 8_000)
    assert "share_units" not in second.decided_from  # nobody else is left


def test_one_alone_gets_all_of_a_surplus() -> None:
    """A site that is not short does not compete."""
    story = _two_short(shop_sells=2.0, other_sells=1.0)
    story.tell(scan("sale", 20, seq=1))
    assert story.transfer().quantity_units == 24


def _worth_story(*, stock: int = 4, **rules: Any) -> Story:
    """Return a shop that sells 10 a day, three days from supply and an hour from a donor."""
    said = {"transfer_rule": "worth", "shortage_cost_minor": 50, **rules}
    story = Story().tell(policy(**said), reference(SkuRecord(SKU, pack_units=1)))
    story.tell(reference(SiteRecord(SHOP, parent_site=WAREHOUSE)))
    story.tell(lane(WAREHOUSE, lead_time_ms=3 * DAY_MS), lane(DONOR, cost_minor=200))
    story.tell(reference(PolicyRecord(scope="site", site=DONOR, min_units=0, max_units=500)))
    story.tell(opening(100, site=DONOR), opening(20))
    _sells(story, shop_1=10.0, shop_2=1.0)
    return story.tell(scan("sale", 20 - stock, seq=1))


def test_a_transfer_that_avoids_more_than_it_costs_is_made() -> None:
    """26 units of 50 are missed before the lorry comes; the lane costs 200."""
    transfer = _worth_story().transfer()
    numbers = transfer.decided_from
    assert (transfer.quantity_units, numbers["normal_supply_ms"]) == (26, 3 * DAY_MS)
    assert (numbers["avoided_units"], numbers["avoided_cost_minor"]) == (26, 1_300)
    assert numbers["transfer_cost_minor"] == 200


@pytest.mark.parametrize(
    "rules",
    [{"shortage_cost_minor": 7}, {"handling_cost_minor": 45}, {"shortage_cost_minor": 0}],
)
def test_a_transfer_that_costs_more_is_left_to_normal_supply(rules: dict[str, Any]) -> None:
    """The request is made instead."""
    story = _worth_story(**rules)
    assert story.transfers() == []
    assert story.needs()[0].from_site == WAREHOUSE


def test_a_transfer_that_comes_after_normal_supply_is_not_made() -> None:
    """However cheap it is."""
    story = _worth_story(stock=20)
    story.tell(lane(DONOR, lead_time_ms=4 * DAY_MS), scan("sale", 16, seq=2))
    assert story.transfers() == []


def test_a_donor_keeps_as_many_days_of_supply_as_the_recipient_gets() -> None:
    """Both sell 10 a day: of 60 and 4 each has 32 at the end, if the lane's costs are worth it."""
    story = _worth_story(stock=20)
    story.tell(scan("adjust", -40, seq=1, site=DONOR), policy(max_units=90, transfer_rule="worth"))
    story.tell(policy(max_units=90, transfer_rule="worth", shortage_cost_minor=50))
    _sells(story, shop_2=10.0)
    story.tell(scan("sale", 16, seq=2))
    assert story.transfer().quantity_units == 28


@pytest.mark.parametrize(
    ("limits", "states"),
    [
        ({"auto_value_minor_max": 1_000}, ["approved", "proposed"]),
        ({"auto_units_day_max": 15}, ["approved", "proposed"]),
        ({"auto_value_minor_day_max": 1_900}, ["approved", "proposed"]),
        ({"auto_units_day_max": 22, "auto_value_minor_day_max": 2_200}, ["approved", "approved"]),
    ],
)
def test_autonomy_has_limits_of_value_and_day(limits: dict[str, Any], states: list[str]) -> None:
    """Ten units of 100, then twelve: what is above a limit waits for a person."""
    story = Story().tell(reference(SkuRecord(SKU, unit_cost_minor=100)), lane(DONOR))
    said = {"autonomy": "auto_within_limits", "auto_units_max": 20, "max_units": 15, **limits}
    story.tell(policy(**said), opening(200, site=DONOR), opening(5))
    transfer_id = story.transfer().transfer_id
    story.tell(scan("dispatch", 10, seq=1, site=DONOR, transfer_id=transfer_id))
    story.tell(scan("arrive", 10, seq=1, transfer_id=transfer_id), scan("sale", 12, seq=2))
    assert [story.transfers()[0].quantity_units, story.transfers()[1].quantity_units] == [10, 12]
    kinds = ["proposed" if one.state == "proposed" else "approved" for one in story.transfers()]
    assert kinds == states


def test_the_limit_of_a_day_ends_with_it() -> None:
    """The next day's transfers go out by themselves again."""
    story = Story().tell(lane(DONOR))
    said = {"autonomy": "auto_within_limits", "auto_units_max": 20, "max_units": 15}
    story.tell(policy(**said, auto_units_day_max=15), opening(200, site=DONOR), opening(5))
    transfer_id = story.transfer().transfer_id
    story.tell(scan("dispatch", 10, seq=1, site=DONOR, transfer_id=transfer_id))
    story.tell(scan("arrive", 10, seq=1, transfer_id=transfer_id))
    story.wait(DAY_MS)
    assert story.tell(scan("sale", 12, seq=2)).transfer().state == "approved"


def _kanban() -> Story:
    """Return a shop with ten packs of six, all full."""
    story = Story().tell(reference(SkuRecord(SKU, pack_units=6)))
    return story.tell(policy(replenishment="kanban", max_units=60), opening(60))


def test_one_pack_used_is_one_signal() -> None:
    """Five units sold ask for nothing; the sixth asks for a pack, long before the minimum."""
    story = _kanban().tell(scan("sale", 5, seq=1))
    assert story.needs() == []
    story.tell(scan("sale", 1, seq=2))
    assert story.level().on_order_units == 6
    story.tell(scan("sale", 13, seq=3))
    [need] = story.needs()
    assert (need.quantity_units, need.decided_from["signals"]) == (18, 2)
    assert (story.level().breaches, story.level().on_order_units) == ((), 18)


def test_a_refused_signal_is_not_given_again() -> None:
    """A further pack is; when the shelf is full again, all of them are."""
    story = _kanban().tell(scan("sale", 12, seq=1))
    story.tell(command("close_need", story.level().need_id))
    story.tell(scan("sale", 1, seq=2))
    assert story.level().on_order_units == 0
    story.tell(scan("sale", 5, seq=3))
    assert story.level().on_order_units == 6
    story.tell(scan("receive", 6, seq=4), scan("adjust", 12, seq=5), scan("sale", 6, seq=6))
    assert story.level().on_order_units == 6


def _waiting(**rules: Any) -> Story:
    """Return a warehouse of which two shops have requested: 6 for the first, 26 for the other."""
    story = Story().tell(policy())
    story.tell(reference(PolicyRecord(scope="site", site=WAREHOUSE, min_units=0, **rules)))
    for site in (SHOP, OTHER):
        story.tell(reference(SiteRecord(site, parent_site=WAREHOUSE)))
    return story.tell(opening(24), scan("sale", 15, seq=1), opening(4, site=OTHER))


def test_a_receipt_is_sent_on_to_who_requested_it() -> None:
    """Before put-away: the oldest request first where nobody knows who runs out first."""
    story = _waiting(cross_dock=True, hold_back_units=5)
    story.tell(scan("receive", 40, seq=1, site=WAREHOUSE))
    first, second = story.transfers()
    assert [(first.to_site, first.quantity_units), (second.to_site, second.quantity_units)] == [
        (SHOP, 21),
        (OTHER, 14),
    ]
    assert (first.flags, first.state) == (["cross_dock"], "approved")
    assert (first.from_site, first.decided_from["donor_kept_units"]) == (WAREHOUSE, 5)
    level = story.level(OTHER)
    assert (level.in_transit_in_units, level.on_order_units) == (14, 12)


def test_who_runs_out_first_is_sent_on_first() -> None:
    """The other shop sells a hundred times as much."""
    story = _waiting(cross_dock=True)
    _sells(story, shop_1=1.0, shop_3=100.0)
    story.tell(scan("receive", 30, seq=1, site=WAREHOUSE))
    assert [(one.to_site, one.quantity_units) for one in story.transfers()] == [
        (OTHER, 26),
        (SHOP, 4),
    ]


def test_without_the_policy_a_receipt_is_put_away() -> None:
    """Where no lane leads to who requested it, somebody else has to send it."""
    assert _waiting().tell(scan("receive", 40, seq=1, site=WAREHOUSE)).transfers() == []


def test_a_receipt_that_can_be_spared_goes_to_who_requested_it() -> None:
    """Along its lane, and no more than leaves the warehouse its own minimum."""
    story = _waiting()
    story.tell(reference(PolicyRecord(scope="site", site=WAREHOUSE, min_units=10)), lane(WAREHOUSE))
    story.tell(scan("receive", 25, seq=1, site=WAREHOUSE))
    [sent] = story.transfers()
    assert (sent.to_site, sent.quantity_units, sent.flags) == (SHOP, 15, ["on_request"])
    level = story.level()
    assert (level.in_transit_in_units, level.on_order_units) == (15, 6)


def test_a_warehouse_that_was_short_sends_what_its_receipt_leaves_it() -> None:
    """Its own request is served first: it keeps its minimum, and the rest goes on."""
    story = Story().tell(policy(), reference(SiteRecord(SHOP, parent_site=WAREHOUSE)))
    story.tell(lane(WAREHOUSE), opening(12, site=WAREHOUSE), opening(12))
    story.tell(scan("sale", 6, seq=1, site=WAREHOUSE), scan("sale", 6, seq=1))
    assert (story.level(WAREHOUSE).need_id, story.transfers()) != ("", [])
    missing = story.level().on_order_units
    story.tell(scan("receive", 500, seq=2, site=WAREHOUSE))
    assert (story.transfer().quantity_units, story.transfer().flags) == (missing, ["on_request"])
    assert (story.level().on_order_units, story.level().in_transit_in_units) == (0, missing)


def test_a_warehouse_that_is_short_itself_sends_nothing() -> None:
    """What comes does not lift it to its minimum."""
    story = _waiting().tell(lane(WAREHOUSE))
    story.tell(reference(PolicyRecord(scope="site", site=WAREHOUSE, min_units=30)))
    story.tell(scan("receive", 25, seq=1, site=WAREHOUSE))
    assert [one for one in story.transfers() if one.from_site == WAREHOUSE] == []


@pytest.mark.parametrize("how", ["cancel", "edit", "expire"])
def test_what_was_to_serve_a_request_and_never_leaves_is_missed_again(how: str) -> None:
    """A full order closes the request; without it the request is open as it was, once."""
    story = Story().tell(policy(), reference(SiteRecord(SHOP, parent_site=WAREHOUSE)))
    story.tell(opening(50, site=WAREHOUSE), opening(24), scan("sale", 15, seq=1))
    [need] = story.needs()
    missing = story.level().on_order_units
    story.tell(
        command("order_transfer", site=WAREHOUSE, to_site=SHOP, quantity_units=missing, name="o")
    )
    transfer_id = story.transfer().transfer_id
    assert (story.level().on_order_units, story.level().in_transit_in_units) == (0, missing)
    if how == "cancel":
        story.tell(command("cancel_transfer", transfer_id, name="cancel"))
    elif how == "edit":
        story.tell(command("edit_transfer", transfer_id, name="edit", quantity_units=1))
    else:
        story.wait(3 * DAY_MS)
    level = story.level()
    left = 1 if how == "edit" else 0
    assert (level.on_order_units, level.in_transit_in_units) == (missing - left, left)
    assert [one.need_id for one in story.needs() if one.state == "open"] == [need.need_id]
    if how == "edit":
        story.tell(command("edit_transfer", transfer_id, name="more", quantity_units=missing))
    if how == "cancel":
        story.tell(command("reopen_transfer", transfer_id, name="again"))
    if how != "expire":
        level = story.level()
        assert (level.on_order_units, level.in_transit_in_units) == (0, missing)
