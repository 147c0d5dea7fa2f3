"""The daily look at a level: what its demand and supply now mean for its thresholds.

Thresholds follow demand only where that pays. They stay as first computed for lumpy demand with
long lead times and for very long lead times in general: there, following loses against standing
still, as runs on real demand showed. Until enough is learned the policy's own numbers hold.
"""

from typing import Final, Literal, NamedTuple

from msgspec.structs import replace

from ingest.contracts.demand import DemandTrend, PromotionRecord
from ingest.contracts.durations import DAY_MS
from streams.contracts.demand import Demand
from streams.contracts.events import ThresholdChanged, ThresholdInputs
from streams.domain.arithmetic import MILLI
from streams.domain.catalogue import Rules
from streams.domain.days import day_of, start_ms, weekday_of
from streams.domain.demand import (
    demand_class,
    forecast_units,
    trend_holds,
    trended_units,
    weekday_factor,
)
from streams.domain.lead_times import supply_time
from streams.domain.safety import ceil_units, critical_ratio
from streams.domain.store import Store
from streams.domain.thresholds import compute, follows_demand

LEARNED_DAYS_MIN: Final = 14
HORIZON_DAYS_MAX: Final = 366
LUMPY_LEAD_TIME_MS_MAX: Final = 28 * DAY_MS
LEAD_TIME_MS_MAX: Final = 112 * DAY_MS
SERVICE_LEVEL_PERMILLE_MAX: Final = 999

Cause = Literal["daily", "policy", "promotion"]


class Expected(NamedTuple):
    """Demand of a span of time to come, in thousandths of a unit."""

    demand_milli: int
    promoted_milli: int


def review(store: Store, sku: str, site: str, cause: Cause) -> None:
    """Compute the thresholds of a level anew, and tell of a change; the level is then assessed."""
    demand = store.demands.get((sku, site))
    if demand is None or demand.days < LEARNED_DAYS_MIN:
        return
    rules = store.rules(sku, site)
    computed = rules.thresholds == "computed"
    if not follows_demand(rules):
        return
    inputs = gathered(store, demand, rules, sku, site)
    before = (demand.lead_demand_units, demand.demand_milli_day)
    demand.lead_demand_units = ceil_units(inputs.lead_demand_milli / MILLI)
    demand.demand_milli_day = (
        inputs.lead_demand_milli * DAY_MS // max(1, _foretold_ms(rules, inputs.lead_time_ms))
    )
    if computed:
        _renew(store, demand, inputs, sku=sku, site=site, cause=cause, before=before)
    if before != (demand.lead_demand_units, demand.demand_milli_day):
        store.demands.touch((sku, site))
    store.catalogue.cached_rules.pop((sku, site), None)
    store.touched[sku, site] = None


def is_frozen(inputs: ThresholdInputs) -> bool:
    """Tell whether thresholds of such demand and supply stay as first computed."""
    if inputs.lead_time_ms >= LEAD_TIME_MS_MAX:
        return True
    return inputs.demand_class == "lumpy" and inputs.lead_time_ms >= LUMPY_LEAD_TIME_MS_MAX


def gathered(store: Store, demand: Demand, rules: Rules, sku: str, site: str) -> ThresholdInputs:
    """Return all that the thresholds of a level are computed from, in whole numbers."""
    record = store.book(sku).record
    supply = supply_time(store, sku, site)
    span_ms = supply.mean_ms + rules.review_period_ms
    trend = rules.demand_trend
    expected = expected_demand(store, demand, sku, site, after_ms=0, span_ms=span_ms, trend=trend)
    cycle_ms = rules.order_cycle_ms
    cycle = expected_demand(
        store, demand, sku, site, after_ms=span_ms, span_ms=cycle_ms, trend=trend
    )
    foretold_ms = _foretold_ms(rules, supply.mean_ms)
    lead = expected_demand(store, demand, sku, site, after_ms=0, span_ms=foretold_ms, trend=trend)
    return ThresholdInputs(
        demand_class=demand_class(demand),
        days=demand.days,
        censored_days=demand.censored_days,
        mean_milli_day=round(forecast_units(demand) * MILLI),
        variance_milli_day=round(demand.variance * MILLI),
        demand_milli=expected.demand_milli,
        lead_demand_milli=lead.demand_milli,
        cycle_demand_milli=cycle.demand_milli,
        promoted_milli=expected.promoted_milli,
        lead_time_ms=supply.mean_ms,
        lead_time_sd_ms=supply.sd_ms,
        lead_times_measured=supply.measured,
        review_period_ms=rules.review_period_ms,
        order_cycle_ms=cycle_ms,
        stockout_horizon_ms=foretold_ms,
        service_level_permille=_service_level_permille(rules),
        fill_rate_permille=rules.fill_rate_permille,
        shortage_cost_minor=rules.shortage_cost_minor,
        leftover_cost_minor=rules.leftover_cost_minor,
        pack_units=rules.multiple_units,
        unit_cost_minor=record.unit_cost_minor if record is not None else 0,
        order_cost_minor=_order_cost_minor(store, sku, site),
        holding_cost_permille=rules.holding_cost_permille,
        reorder_units_min=rules.reorder_units_min,
        reorder_units_max=-1 if rules.reorder_units_max is None else rules.reorder_units_max,
        capacity_units=-1 if rules.capacity_units is None else rules.capacity_units,
        sellable_units=_sellable_units(store, demand, rules, sku, site),
        trend_milli_day=round(demand.trend * MILLI) if trend_holds(demand, trend) else 0,
    )


def expected_demand(
    store: Store,
    demand: Demand,
    sku: str,
    site: str,
    *,
    after_ms: int,
    span_ms: int,
    trend: DemandTrend = "none",
) -> Expected:
    """Return what is expected to be sold in a span that begins `after_ms` from now.

    Weekdays and promotions count by the share of each day that they fill; a span above
    `HORIZON_DAYS_MAX` is reckoned from its first part.
    """
    if span_ms <= 0:
        return Expected(0, 0)
    category = store.category(sku)
    from_ms = store.now_ms + after_ms
    until_ms = from_ms + min(span_ms, HORIZON_DAYS_MAX * DAY_MS)
    base = forecast_units(demand)
    known = store.catalogue.promotions(sku, site, category, from_ms=from_ms, until_ms=until_ms)
    total = promoted = 0.0
    follows, yesterday = trend_holds(demand, trend), day_of(store.now_ms) - 1
    for day in range(day_of(from_ms), day_of(until_ms - 1) + 1):
        begin_ms, end_ms = max(from_ms, start_ms(day)), min(until_ms, start_ms(day + 1))
        if follows:
            base = trended_units(demand, day - yesterday)
        day_units = base * weekday_factor(demand, weekday_of(day))
        total += day_units * (end_ms - begin_ms) / DAY_MS
        for promotion in known:
            overlap_ms = min(end_ms, promotion.valid_until_ms) - max(
                begin_ms, promotion.valid_from_ms
            )
            if overlap_ms > 0:
                promoted += _added_units(promotion, day_units, overlap_ms)
    scale = span_ms / (until_ms - from_ms) * MILLI
    whole = max(0.0, total + promoted)
    return Expected(round(whole * scale), round((whole - total) * scale))


def _added_units(promotion: PromotionRecord, day_units: float, overlap_ms: int) -> float:
    """Return what a promotion adds to a day's demand in the part of the day that it fills."""
    usual_units = day_units * overlap_ms / DAY_MS
    if promotion.planned_units:
        span_ms = promotion.valid_until_ms - promotion.valid_from_ms
        return promotion.planned_units * overlap_ms / span_ms - usual_units
    return usual_units * (promotion.uplift_permille / MILLI - 1)


def _renew(
    store: Store,
    demand: Demand,
    inputs: ThresholdInputs,
    *,
    sku: str,
    site: str,
    cause: Cause,
    before: tuple[int, int],
) -> None:
    frozen = is_frozen(inputs)
    if frozen:
        if demand.threshold_number and cause != "policy":
            return
        ordinary_milli = inputs.demand_milli - inputs.promoted_milli
        inputs = replace(inputs, demand_milli=ordinary_milli, promoted_milli=0)
    found = compute(inputs)
    known = (demand.reorder_units, demand.order_up_to_units)
    wanted = (found.reorder_units, found.order_up_to_units)
    if demand.threshold_number and known == wanted and before[0] == demand.lead_demand_units:
        return
    threshold_id = store.next_id("threshold", sku)
    demand.threshold_number = int(threshold_id.rpartition("-")[2])
    demand.reorder_units, demand.order_up_to_units = wanted
    store.demands.touch((sku, site))
    changed = ThresholdChanged(
        threshold_id=threshold_id,
        sku=sku,
        site=site,
        at_ms=store.now_ms,
        cause=cause,
        reference_version=store.clock.reference_version,
        reorder_units_before=known[0],
        order_up_to_units_before=known[1],
        reorder_units=found.reorder_units,
        order_up_to_units=found.order_up_to_units,
        lead_demand_units=demand.lead_demand_units,
        fit=found.fit,
        frozen=frozen,
        inputs=inputs,
    )
    store.outbox.events.append(changed)


def _sellable_units(store: Store, demand: Demand, rules: Rules, sku: str, site: str) -> int:
    if not rules.shelf_life_ms:
        return -1
    life_ms = rules.shelf_life_ms
    trend = rules.demand_trend
    sold = expected_demand(store, demand, sku, site, after_ms=0, span_ms=life_ms, trend=trend)
    return max(1, sold.demand_milli // MILLI)  # or nobody would ever have one


def _foretold_ms(rules: Rules, lead_time_ms: int) -> int:
    return rules.stockout_horizon_ms or lead_time_ms + rules.dwell_ms


def _service_level_permille(rules: Rules) -> int:
    if not (rules.shortage_cost_minor and rules.leftover_cost_minor):
        return rules.service_level_permille
    ratio = critical_ratio(rules.shortage_cost_minor, rules.leftover_cost_minor)
    return min(SERVICE_LEVEL_PERMILLE_MAX, max(1, round(ratio * MILLI)))


def _order_cost_minor(store: Store, sku: str, site: str) -> int:
    parent = store.catalogue.parent_of(site)
    if parent:
        lane = store.catalogue.lane(parent, site)
        return lane.cost_minor if lane is not None else 0
    record = store.book(sku).record
    supplier = store.catalogue.suppliers.get(record.supplier) if record is not None else None
    return supplier.order_cost_minor if supplier is not None else 0
