"""Computed thresholds: from what they come, when they change, and that the fold goes by them."""

from itertools import pairwise
from math import ceil
from typing import Any

import pytest
from msgspec.structs import replace

from deploy.explanations import explained
from ingest.contracts.demand import PromotionRecord
from ingest.contracts.durations import DAY_MS, HOUR_MS
from ingest.contracts.policies import PolicyRecord
from ingest.contracts.supply import LaneRecord, SupplierRecord
from ingest.frames import SkuRecord
from streams.contracts.alerts import AlertRaised
from streams.contracts.demand import LeadTime
from streams.contracts.events import (
    BreachCleared,
    BreachOpened,
    ThresholdChanged,
    TransferChanged,
)
from streams.contracts.state import LEAD_TIME, decode, key
from streams.domain.reviews import LEARNED_DAYS_MIN, is_frozen
from streams.domain.thresholds import compute
from tests.unit.streams.builders import SHOP, SKU, WAREHOUSE, command, opening, reference, scan
from tests.unit.streams.demand_story import Shop, threshold_inputs

STEADY = [20, 24, 16, 22, 18] * 6


def _changes(shop: Shop) -> list[ThresholdChanged]:
    return shop.story.events(ThresholdChanged)


def _policy(**fields: Any) -> Any:
    said = {"scope": "network", "autonomy": "observe", "thresholds": "computed", **fields}
    return reference(PolicyRecord(**said))


def test_a_minimum_is_expected_demand_and_its_safety_stock() -> None:
    """60 + z(.95) * sqrt(3 * 16) = 71.4; the maximum is a cycle's lot above it."""
    found = compute(threshold_inputs())
    assert (found.reorder_units, found.order_up_to_units, found.fit) == (72, 132, "normal")
    assert found.service_level_permille == 958
    late = compute(threshold_inputs(lead_time_sd_ms=DAY_MS // 2))
    assert late.reorder_units == ceil(60 + 1.6448536 * (48 + (20 * 0.5) ** 2) ** 0.5)


def test_slow_demand_is_counted_out() -> None:
    """Three units over the lead time: Poisson where it varies like it, else negative binomial."""
    slow = {"mean_milli_day": 1_000, "demand_milli": 3_000, "cycle_demand_milli": 3_000}
    assert compute(threshold_inputs(variance_milli_day=1_000, **slow))[:3] == (6, 9, "poisson")
    found = compute(threshold_inputs(variance_milli_day=3_000, **slow))
    assert (found.fit, found.reorder_units) == ("negative_binomial", 9)


def test_floors_caps_and_the_shelf_hold_in_any_case() -> None:
    """The room on the shelf is the last word."""
    assert compute(threshold_inputs(reorder_units_min=90)).reorder_units == 90
    assert compute(threshold_inputs(reorder_units_max=65)).reorder_units == 65
    tight = compute(threshold_inputs(reorder_units_min=90, capacity_units=80))
    assert (tight.reorder_units, tight.order_up_to_units) == (80, 80)


def test_lots_are_whole_packs_and_may_be_economic() -> None:
    """A pack of 24 makes 72 of 60; dear orders and cheap holding make Wilson's lot."""
    assert compute(threshold_inputs(pack_units=24)).lot_units == 72
    dear = threshold_inputs(order_cost_minor=5_000, unit_cost_minor=100, holding_cost_permille=250)
    assert compute(dear).lot_units == ceil((2 * 5_000 * 7_300 / 25) ** 0.5)


def test_a_fill_rate_is_aimed_at_where_it_is_said() -> None:
    """99 % of units from lots of 60 need less than a service level of 99 %; both are told."""
    found = compute(threshold_inputs(fill_rate_permille=990))
    assert found.fit == "fill_rate"
    assert 990 <= found.fill_rate_permille <= 995
    assert found.service_level_permille < 990
    assert found.reorder_units < compute(threshold_inputs(service_level_permille=990)).reorder_units


def test_thresholds_are_computed_once_enough_is_learned() -> None:
    """Until then the policy's own numbers hold; the event has all that it was computed from."""
    shop = Shop(min_units=3, max_units=9).days(STEADY[: LEARNED_DAYS_MIN + 1])
    assert not _changes(shop)
    shop.turn()
    first = _changes(shop)[0]
    assert first.threshold_id.startswith(f"threshold-{SKU}-")
    assert (first.site, first.cause, first.reorder_units_before) == (SHOP, "daily", 0)
    found = compute(first.inputs)
    assert (first.reorder_units, first.order_up_to_units, first.fit) == found[:3]
    inputs = first.inputs
    assert (inputs.days, inputs.lead_time_ms, inputs.demand_class) == (14, DAY_MS, "smooth")
    assert inputs.order_cost_minor == 800
    assert first.reference_version == 1


def test_a_day_without_a_change_says_nothing() -> None:
    """The same demand gives the same thresholds: ids count changes, not days."""
    shop = Shop().days([20] * 30).turn()
    changes = _changes(shop)
    assert 1 <= len(changes) < 6
    for before, after in pairwise(changes):
        assert before.reorder_units == after.reorder_units_before
    assert len({change.threshold_id for change in changes}) == len(changes)


def test_breaches_and_answers_go_by_computed_thresholds() -> None:
    """The shop falls below the computed minimum: a breach, and a transfer up to the maximum."""
    shop = Shop(stock=700, autonomy="auto", min_units=1, max_units=2).days(STEADY)
    shop.turn()
    threshold = _changes(shop)[-1]
    shop.story.tell(opening(5_000, site=WAREHOUSE))
    left = shop.story.level().on_hand_units
    shop.sell(left - threshold.reorder_units)
    opened = [b for b in shop.story.events(BreachOpened) if b.site == SHOP]
    assert "low_stock" not in {breach.kind for breach in opened}
    shop.sell(1)
    opened = [b for b in shop.story.events(BreachOpened) if b.site == SHOP]
    low = next(breach for breach in opened if breach.kind == "low_stock")
    number = int(threshold.threshold_id.rpartition("-")[2])
    assert low.threshold_units == threshold.reorder_units
    assert low.decided_from["threshold_number"] == number
    transfer = shop.story.events(TransferChanged)[-1].transfer
    assert transfer.quantity_units == threshold.order_up_to_units - threshold.reorder_units + 1


def test_a_restore_keeps_thresholds() -> None:
    """What was computed is in the state: the next sale is judged the same."""
    shop = Shop(stock=700).days(STEADY).turn()
    level_units = shop.story.level().on_hand_units
    shop.story.restore()
    shop.sell(level_units - _changes(shop)[-1].reorder_units + 1)
    assert shop.story.events(BreachOpened)[-1].threshold_units == _changes(shop)[-1].reorder_units


def test_a_policy_changes_thresholds_at_once() -> None:
    """A higher service level does not wait for the next day; `fixed` gives the policy's numbers."""
    shop = Shop(min_units=3).days(STEADY).turn()
    before = _changes(shop)[-1]
    shop.story.tell(_policy(min_units=3, service_level_permille=999))
    after = _changes(shop)[-1]
    assert (after.cause, after.reorder_units > before.reorder_units) == ("policy", True)
    shop.story.tell(_policy(min_units=3, thresholds="fixed"))
    shop.sell(shop.story.level().on_hand_units - 4)
    assert "low_stock" not in {breach.kind for breach in shop.story.events(BreachOpened)}
    shop.sell(2)
    assert shop.story.events(BreachOpened)[-1].threshold_units == 3


def test_costs_make_the_service_level_of_what_spoils() -> None:
    """A unit short costs 4, one left over 1: 80 %; explained with both."""
    shop = Shop(shortage_cost_minor=40, leftover_cost_minor=10).days(STEADY).turn()
    last = _changes(shop)[-1]
    assert last.inputs.service_level_permille == 800
    usual = Shop().days(STEADY).turn()
    assert last.reorder_units < _changes(usual)[-1].reorder_units
    assert "service level 80 % = 40 / (40 + 10)" in "\n".join(explained([last]))


def test_a_promotion_raises_thresholds_before_it_begins() -> None:
    """Threefold demand from tomorrow on reaches into the lead time; then all is as before."""
    shop = Shop().days([20] * 20).turn()
    ordinary = _changes(shop)[-1]
    begin_ms = (shop.story.now_ms // DAY_MS + 1) * DAY_MS
    sale = PromotionRecord("sale", begin_ms, begin_ms + 2 * DAY_MS, 3_000, site=SHOP)
    shop.story.tell(reference(sale))
    raised = _changes(shop)[-1]
    assert raised.cause == "promotion"
    ahead = ordinary.inputs.demand_milli + raised.inputs.promoted_milli
    assert raised.inputs.demand_milli == pytest.approx(ahead, abs=2)
    assert raised.inputs.promoted_milli > 20_000
    assert raised.reorder_units > ordinary.reorder_units + 20
    shop.sell(20)
    shop.wait_until(begin_ms)
    shop.days([60, 60, 20, 20]).turn()
    assert _changes(shop)[-1].reorder_units == ordinary.reorder_units
    assert shop.demand().mean == 20.0


def test_thresholds_stay_where_following_demand_does_not_pay() -> None:
    """Lumpy demand with four weeks of lead time, and any with sixteen, keeps the first ones."""
    assert not is_frozen(threshold_inputs(demand_class="lumpy", lead_time_ms=27 * DAY_MS))
    assert is_frozen(threshold_inputs(demand_class="lumpy", lead_time_ms=28 * DAY_MS))
    assert not is_frozen(threshold_inputs(demand_class="erratic", lead_time_ms=111 * DAY_MS))
    assert is_frozen(threshold_inputs(demand_class="smooth", lead_time_ms=112 * DAY_MS))
    shop = Shop()
    shop.story.tell(reference(LaneRecord(WAREHOUSE, SHOP, 112 * DAY_MS)))
    shop.days([10] * 18).turn()
    first = _changes(shop)
    assert [change.frozen for change in first] == [True]
    shop.wait_until((shop.story.now_ms // DAY_MS + 1) * DAY_MS)
    shop.days([90] * 12).turn()
    assert _changes(shop) == first


def test_a_stockout_is_foretold_once_and_is_over_once() -> None:
    """At 20 a day and a day's lead time 19 units won't last; with more again it is over."""
    shop = Shop(stock=459).days([20] * 20).turn()
    shop.sell(39)
    opened = [b for b in shop.story.events(BreachOpened) if b.kind == "predicted_stockout"]
    assert not opened
    shop.sell(1)
    shop.sell(1)
    opened = [b for b in shop.story.events(BreachOpened) if b.kind == "predicted_stockout"]
    assert [(breach.available_units, breach.threshold_units) for breach in opened] == [(19, 20)]
    assert opened[0].decided_from["demand_milli_day"] == 20_000
    raised = [a for a in shop.story.alerts(AlertRaised) if a.kind == "predicted_stockout"]
    assert raised[0].facts["stockout_in_minutes"] == 19 * 1_440 // 20
    shop.story.tell(scan("receive", 30, seq=900))
    cleared = [c for c in shop.story.events(BreachCleared) if c.kind == "predicted_stockout"]
    assert [breach.breach_id for breach in cleared] == [opened[0].breach_id]


def test_a_stockout_is_foretold_with_fixed_thresholds_where_the_horizon_is_said() -> None:
    """Three days ahead of a fixed minimum of 2, and no threshold is computed."""
    said: dict[str, Any] = {
        "thresholds": "fixed",
        "min_units": 2,
        "stockout_horizon_ms": 3 * DAY_MS,
    }
    shop = Shop(stock=460, **said).days([20] * 20).turn()
    assert shop.story.level().on_hand_units == 60
    shop.sell(1)
    assert [b.kind for b in shop.story.events(BreachOpened)] == ["predicted_stockout"]
    assert not _changes(shop)


def _lead_time(shop: Shop, *way: str) -> LeadTime:
    raw = key(LEAD_TIME, *way)
    found = decode(raw, shop.story.state[raw])
    assert isinstance(found, LeadTime)
    return found


def test_a_lane_is_measured_from_dispatch_to_receipt() -> None:
    """The catalogue's day weighs as one measurement beside the three days it really took."""
    shop = Shop()
    story = shop.story
    story.tell(opening(500, site=WAREHOUSE))
    order = command("order_transfer", site=WAREHOUSE, to_site=SHOP, quantity_units=10, name="order")
    story.tell(order)
    name = story.transfer().transfer_id
    story.tell(scan("dispatch", 10, seq=1, site=WAREHOUSE, transfer_id=name))
    story.tell(scan("arrive", 4, seq=800, transfer_id=name), after_ms=3 * DAY_MS)
    story.tell(scan("arrive", 6, seq=801, transfer_id=name), after_ms=HOUR_MS)
    measured = _lead_time(shop, "lane", WAREHOUSE, SHOP)
    assert (measured.measured, measured.mean_ms) == (1, 2 * DAY_MS)
    assert measured.variance_ms2 == pytest.approx((2 * DAY_MS) ** 2 / 2)


def test_a_supplier_is_measured_from_request_to_receipt() -> None:
    """What the catalogue says counts until then; thresholds reckon with what was measured."""
    shop = Shop(stock=5, autonomy="auto", min_units=10, max_units=30)
    story = shop.story
    story.tell(
        reference(SupplierRecord("dairy", 4 * DAY_MS, 900)),
        reference(SkuRecord(SKU, supplier="dairy")),
        opening(5, site="kiosk"),
    )
    need = next(need for need in story.needs() if need.site == "kiosk")
    assert need.quantity_units == 25
    story.tell(scan("receive", 25, seq=901, site="kiosk"), after_ms=8 * DAY_MS)
    measured = _lead_time(shop, "supplier", "dairy", "kiosk")
    assert (measured.measured, measured.mean_ms) == (1, 6 * DAY_MS)
    story.tell(scan("receive", 500, seq=902, site="kiosk"))
    for _ in range(LEARNED_DAYS_MIN + 2):
        shop.wait_until((story.now_ms // DAY_MS + 1) * DAY_MS)
        shop.sell(3, site="kiosk")
    shop.turn()
    inputs = next(change for change in _changes(shop) if change.site == "kiosk").inputs
    assert (inputs.lead_time_ms, inputs.order_cost_minor) == (6 * DAY_MS, 900)
    assert inputs.lead_time_sd_ms > 0


def test_inputs_alone_give_the_same_thresholds_again() -> None:
    """Whoever has the event can compute it anew; another input gives another result."""
    shop = Shop(service_level_permille=980).days(STEADY).turn()
    for change in _changes(shop):
        assert compute(change.inputs)[:2] == (change.reorder_units, change.order_up_to_units)
    last = _changes(shop)[-1]
    doubled = replace(last.inputs, demand_milli=2 * last.inputs.demand_milli)
    assert compute(doubled).reorder_units > last.reorder_units


def test_no_more_is_kept_than_sells_before_it_spoils() -> None:
    """Both minimum and maximum of perishables stay within what a shelf life sells."""
    free, short = compute(threshold_inputs()), compute(threshold_inputs(sellable_units=7))
    assert free.order_up_to_units > free.reorder_units > 7
    assert (short.reorder_units, short.order_up_to_units) == (7, 7)


def test_a_shelf_life_is_reckoned_from_what_is_expected_to_be_sold() -> None:
    """Two days' demand for goods that keep two days; the event has the number."""
    shop = Shop(shelf_life_ms=2 * DAY_MS).days([10] * 20).turn()
    changed = shop.story.events(ThresholdChanged)[-1]
    assert changed.inputs.sellable_units == 20
    assert changed.order_up_to_units == 20
