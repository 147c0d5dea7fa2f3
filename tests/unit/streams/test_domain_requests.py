"""What a site is asked for: it lowers its position, and is served by whatever gives it stock."""

from typing import Any

import pytest

from ingest.contracts.durations import DAY_MS, HOUR_MS
from ingest.contracts.policies import PolicyRecord
from ingest.frames import SiteRecord, SkuRecord
from streams.availability import promised
from streams.contracts.demand import LeadTime
from streams.contracts.state import LEAD_TIME, Need, decode, key_parts
from streams.domain.catalogue import Rules
from streams.domain.positions import position_units
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    SKU,
    T0,
    WAREHOUSE,
    Story,
    command,
    lane,
    opening,
    order_line,
    policy,
    reference,
    scan,
)

NORMAL = Rules()


def _asked(hall_units: int = 20, *, supplier: str = "mill", **rules: Any) -> Story:
    """Return a hall that no lane leaves, of which a shop with 9 has asked for 21."""
    story = Story().tell(policy(**rules), reference(SkuRecord(SKU, supplier=supplier)))
    story.tell(reference(SiteRecord(SHOP, parent_site=WAREHOUSE)))
    return story.tell(opening(hall_units, site=WAREHOUSE), opening(24), scan("sale", 15, seq=1))


def _needs_of(story: Story, site: str) -> list[Need]:
    return [one for one in story.needs() if one.site == site and one.state == "open"]


def _position(story: Story, site: str = WAREHOUSE) -> int:
    return position_units(story.level(site), NORMAL)


def test_a_parent_orders_what_it_is_asked_for_and_does_not_have() -> None:
    """Its own stock is fine; less what it owes it is below its minimum, so it asks its supplier."""
    story = _asked()
    [asked] = _needs_of(story, SHOP)
    assert (asked.from_site, asked.quantity_units) == (WAREHOUSE, 21)
    [own] = _needs_of(story, WAREHOUSE)
    assert (own.supplier, own.quantity_units) == ("mill", 31)  # 20 - 21 + 31 = 30
    assert own.decided_from["backordered_units"] == 21
    level = story.level(WAREHOUSE)
    assert (level.backordered_units, level.breaches, _position(story)) == (21, (), 30)
    story.tell(scan("sale", 1, seq=1, site=WAREHOUSE), scan("return", 1, seq=2, site=WAREHOUSE))
    assert [one.quantity_units for one in _needs_of(story, WAREHOUSE)] == [31]


def test_a_parent_that_has_enough_orders_nothing() -> None:
    """What it owes leaves it above its minimum."""
    story = _asked(60)
    assert (_needs_of(story, WAREHOUSE), _position(story)) == ([], 39)


def test_a_parent_that_keeps_nothing_orders_what_it_owes() -> None:
    """Without a minimum of its own, as where all is cross-docked."""
    story = Story().tell(reference(SkuRecord(SKU, supplier="mill")))
    story.tell(reference(PolicyRecord(scope="network", autonomy="auto")))
    story.tell(reference(PolicyRecord(scope="site", site=SHOP, min_units=10, max_units=30)))
    story.tell(reference(SiteRecord(SHOP, parent_site=WAREHOUSE)))
    story.tell(opening(5, site=WAREHOUSE), opening(24), scan("sale", 15, seq=1))
    [own] = _needs_of(story, WAREHOUSE)
    assert (own.quantity_units, _position(story)) == (16, 0)


@pytest.mark.parametrize("how", ["close", "serve", "gone"])
def test_a_request_that_ends_is_owed_no_longer(how: str) -> None:
    """Closed by a person, served by a receipt, or no more needed."""
    story = _asked(60)
    if how == "close":
        story.tell(command("close_need", story.level().need_id))
    elif how == "serve":
        story.tell(scan("receive", 21, seq=2))
    else:
        story.tell(scan("return", 40, seq=2))
    assert (story.level(WAREHOUSE).backordered_units, _position(story)) == (0, 60)


def test_a_planned_transfer_takes_the_place_of_its_request() -> None:
    """The position of the parent is the same: owed, planned to leave, gone."""
    story = _asked(60)
    order = command("order_transfer", site=WAREHOUSE, to_site=SHOP, quantity_units=15)
    level = story.tell(order).level(WAREHOUSE)
    assert (level.backordered_units, level.in_transit_out_units) == (6, 15)
    assert _position(story) == 39
    named = story.transfer().transfer_id
    story.tell(scan("dispatch", 15, seq=1, site=WAREHOUSE, transfer_id=named))
    assert (story.level(WAREHOUSE).on_hand_units, _position(story)) == (45, 39)


def test_what_is_owed_waits_for_a_parent_that_comes_to_know_the_article() -> None:
    """A site without a level owes nothing yet; with its first scan it owes all of it."""
    story = Story().tell(policy(), reference(SkuRecord(SKU, supplier="mill")))
    story.tell(reference(SiteRecord(SHOP, parent_site=WAREHOUSE)))
    story.tell(opening(24), scan("sale", 15, seq=1))
    story.tell(scan("receive", 60, seq=1, site=WAREHOUSE))
    assert (story.level(WAREHOUSE).backordered_units, _position(story)) == (21, 39)


def test_sites_that_are_each_others_parents_ask_only_once() -> None:
    """A mistaken catalogue must not let two requests grow by each other."""
    story = Story().tell(policy(), reference(SiteRecord(SHOP, parent_site=WAREHOUSE)))
    story.tell(reference(SiteRecord(WAREHOUSE, parent_site=SHOP)))
    story.tell(opening(12, site=WAREHOUSE), opening(24), scan("sale", 15, seq=1))
    assert [one.quantity_units for one in story.needs()] == [21, 39]
    assert story.level(SHOP).backordered_units == 0


def test_what_a_person_refuses_to_order_is_not_ordered_again() -> None:
    """While the parent owes it; what is owed beyond that is ordered."""
    story = _asked()
    [own] = _needs_of(story, WAREHOUSE)
    story.tell(command("close_need", own.need_id), scan("sale", 1, seq=1, site=WAREHOUSE))
    [more] = _needs_of(story, WAREHOUSE)
    assert more.quantity_units == 1
    story.tell(command("close_need", more.need_id, name="c2"))
    story.tell(command("close_need", story.level().need_id, name="c3"))
    assert _needs_of(story, WAREHOUSE) == []


def _laned(hall_units: int = 10, **rules: Any) -> Story:
    """Return a hall with nothing to spare and a lane to a shop that has asked it for 21."""
    story = Story().tell(policy(**rules), reference(SiteRecord(SHOP, parent_site=WAREHOUSE)))
    story.tell(lane(WAREHOUSE), opening(hall_units, site=WAREHOUSE))
    story.tell(opening(24), scan("sale", 15, seq=1))
    assert story.transfers() == []
    return story


def _sent(story: Story) -> list[tuple[int, list[str]]]:
    found = [one for one in story.transfers() if (one.from_site, one.to_site) == (WAREHOUSE, SHOP)]
    return [(one.quantity_units, one.flags) for one in found]


@pytest.mark.parametrize("action", ["receive", "return", "count", "adjust"])
def test_whatever_scan_brings_stock_serves_requests(action: Any) -> None:
    """Ten are kept; what is more goes on."""
    units = {"receive": 20, "return": 20, "adjust": 20, "count": 30}[action]
    story = _laned().tell(scan(action, units, seq=1, site=WAREHOUSE))
    assert _sent(story) == [(20, ["on_request"])]


def test_an_arrival_serves_requests() -> None:
    """Once nothing more is expected."""
    story = _laned().tell(opening(100, site=DONOR))
    carried = {"transfer_id": "", "counterpart_site": WAREHOUSE}
    story.tell(scan("dispatch", 20, seq=1, site=DONOR, **carried))
    story.tell(scan("arrive", 20, seq=1, site=WAREHOUSE, counterpart_site=DONOR))
    assert _sent(story) == [(20, ["on_request"])]


def test_what_an_order_gives_back_serves_requests() -> None:
    """The hall has 30, of which 20 were reserved."""
    story = Story().tell(policy(), reference(SiteRecord(SHOP, parent_site=WAREHOUSE)))
    story.tell(lane(WAREHOUSE), opening(30, site=WAREHOUSE))
    story.tell(order_line("reserve", 20, site=WAREHOUSE))
    story.tell(opening(24), scan("sale", 15, seq=1))
    assert _sent(story) == []
    story.tell(order_line("release", 20, site=WAREHOUSE))
    assert _sent(story) == [(20, ["on_request"])]


def test_a_transfer_that_is_called_off_serves_requests() -> None:
    """What was to leave for elsewhere is there again."""
    story = Story().tell(policy(), reference(SiteRecord(SHOP, parent_site=WAREHOUSE)))
    story.tell(lane(WAREHOUSE), opening(30, site=WAREHOUSE), opening(50, site=DONOR))
    story.tell(command("order_transfer", site=WAREHOUSE, to_site=DONOR, quantity_units=20))
    away_id = story.transfer().transfer_id
    story.tell(opening(24), scan("sale", 15, seq=1))
    assert _sent(story) == []
    story.tell(command("cancel_transfer", away_id, name="c2"))
    assert _sent(story) == [(20, ["on_request"])]


def test_what_a_cool_down_held_back_is_looked_at_again_each_day() -> None:
    """Nothing else has to happen."""
    story = _laned().tell(opening(100, site=DONOR), lane(WAREHOUSE, cooldown_ms=2 * HOUR_MS))
    story.tell(scan("dispatch", 20, seq=1, site=DONOR, counterpart_site=WAREHOUSE))
    story.tell(scan("arrive", 20, seq=1, site=WAREHOUSE, counterpart_site=DONOR))
    assert _sent(story) == []
    story.wait(DAY_MS)
    assert _sent(story) == [(20, ["on_request"])]


def test_a_refused_transfer_is_not_proposed_again_at_the_next_receipt() -> None:
    """The request waits for people; once more is asked for it is proposed again."""
    story = _laned(autonomy="suggest").tell(scan("receive", 20, seq=1, site=WAREHOUSE))
    assert _sent(story) == [(20, ["on_request"])]
    story.tell(command("reject_transfer", story.transfer().transfer_id))
    story.tell(scan("receive", 20, seq=2, site=WAREHOUSE), scan("adjust", 5, seq=3, site=WAREHOUSE))
    assert len(story.transfers()) == 1
    assert [one.refused for one in _needs_of(story, SHOP)] == [True]


def test_a_withdrawn_one_is_proposed_again_when_stock_comes() -> None:
    """Nobody has refused it: the hall had sold what it was made from."""
    story = _laned(autonomy="suggest").tell(scan("receive", 20, seq=1, site=WAREHOUSE))
    story.tell(scan("sale", 5, seq=2, site=WAREHOUSE))
    assert [one.state for one in story.transfers()] == ["expired"]
    story.tell(scan("receive", 50, seq=3, site=WAREHOUSE))
    assert [one.quantity_units for one in story.transfers()] == [20, 21]


def _lead_time(story: Story, kind: str) -> LeadTime:
    [raw] = [raw for raw in story.state if key_parts(raw)[:2] == [LEAD_TIME, kind]]
    found = decode(raw, story.state[raw])
    assert isinstance(found, LeadTime)
    return found


def test_a_request_is_measured_once_until_its_first_units_left() -> None:
    """Not when a transfer is planned, which may never leave; the lane is measured apart."""
    story = _laned().wait(HOUR_MS)
    story.tell(scan("receive", 15, seq=1, site=WAREHOUSE))
    story.tell(command("cancel_transfer", story.transfer().transfer_id))
    assert not any(key_parts(raw)[:2] == [LEAD_TIME, "request"] for raw in story.state)
    story.tell(command("reopen_transfer", story.transfer().transfer_id, name="c2"))
    named = story.transfer().transfer_id
    left = scan("dispatch", 15, seq=2, site=WAREHOUSE, transfer_id=named)
    story.tell(left, after_ms=2 * HOUR_MS)
    for seq, units in ((2, 5), (3, 10)):
        story.tell(scan("arrive", units, seq=seq, transfer_id=named), after_ms=HOUR_MS)
    request, way = _lead_time(story, "request"), _lead_time(story, "lane")
    assert (request.measured, request.mean_ms) == (1, 3 * HOUR_MS / 2)  # beside none said
    assert (way.measured, way.mean_ms) == (1, HOUR_MS)


def test_what_is_lost_on_its_way_is_missed_by_its_request_again() -> None:
    """And found again it serves it again: the shop's position is the same all the time."""
    story = _laned().tell(scan("receive", 20, seq=1, site=WAREHOUSE))
    named = story.transfer().transfer_id
    story.tell(scan("dispatch", 20, seq=2, site=WAREHOUSE, transfer_id=named))
    story.wait(10 * DAY_MS)
    shop, transfer = story.level(), story.transfer()
    assert (transfer.state, sum(transfer.served.values())) == ("lost", 0)
    assert (shop.on_order_units, shop.in_transit_in_units) == (21, 0)
    assert story.level(WAREHOUSE).backordered_units == 21
    story.tell(scan("arrive", 20, seq=2, transfer_id=named))
    shop = story.level()
    assert (shop.on_hand_units, shop.on_order_units, story.transfer().state) == (29, 1, "received")


def test_a_loss_that_nobody_misses_asks_for_nothing() -> None:
    """The shop's shortage was over otherwise."""
    story = _laned().tell(scan("receive", 21, seq=1, site=WAREHOUSE))
    named = story.transfer().transfer_id
    story.tell(scan("dispatch", 21, seq=2, site=WAREHOUSE, transfer_id=named))
    story.tell(scan("return", 50, seq=2)).wait(10 * DAY_MS)
    assert (story.transfer().state, _needs_of(story, SHOP)) == ("lost", [])


@pytest.mark.parametrize("short_orders", ["wait", "reserve"])
def test_a_back_order_lowers_the_position(short_orders: Any) -> None:
    """Waiting or reserved beyond what is there: as much is asked for."""
    story = Story().tell(policy(short_orders=short_orders), opening(12))
    story.tell(order_line("reserve", 20))
    level = story.level()
    assert level.on_order_units == 38
    assert _position(story, SHOP) == 30
    story.tell(order_line("release", 20))
    assert story.level().backordered_units == 0
    story.tell(scan("receive", 38, seq=1))
    level = story.level()
    assert (level.backordered_units, level.reserved_units) == (0, 0)


def test_a_promise_waits_for_the_consolidation() -> None:
    """An approved transfer leaves with its shipment, an hour of the lane later it is there."""
    story = Story().tell(policy(), lane(DONOR, consolidation_ms=2 * HOUR_MS))
    story.tell(opening(100, site=DONOR), opening(4))
    assert story.transfer().state == "approved"
    found = promised(story.state, SKU, SHOP)
    assert found is not None
    assert [one.at_ms - T0 for one in found.arrivals] == [3 * HOUR_MS]
