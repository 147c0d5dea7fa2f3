"""What a promotion will need of a level, foreseen so that stock moves ahead of it.

Where a policy says `promotion_lead_ms`, a level that a promotion concerns has one record: when it
has to be looked at again and, once the lead has begun, what is needed. The need stands in the
level's rules, so a shortage opens, is answered and is over like the others. Without a promotion
nothing is computed.
"""

from typing import Final

from ingest.contracts.demand import PromotionRecord
from ingest.contracts.durations import DAY_MS
from streams.contracts.demand import Demand, PromotionNeed
from streams.contracts.state import SEPARATOR, Level
from streams.domain import lead_times, needs
from streams.domain.arithmetic import MILLI
from streams.domain.catalogue import Rules
from streams.domain.demand import forecast_units
from streams.domain.positions import position_units, wanted_units
from streams.domain.reviews import LEARNED_DAYS_MIN, Expected, expected_demand
from streams.domain.safety import ceil_units
from streams.domain.store import Store

EVER_MS: Final = 1 << 62
_ORDINARY_PERMILLE: Final = 1_000


def follow(store: Store, sku: str, site: str) -> None:
    """Foresee anew what promotions need of a level; it is assessed where that has changed."""
    sku_site = (sku, site)
    found = _foreseen(store, sku, site)
    if found == store.promotion_needs.get(sku_site):
        return
    if found is None:
        store.promotion_needs.remove(sku_site)
    else:
        store.foresee(sku_site, found)
    store.catalogue.cached_rules.pop(sku_site, None)
    store.touched[sku_site] = None


def due_ms(store: Store, name: str) -> int:
    """Return when a level's promotions have to be looked at again; 0 for never."""
    sku, _, site = name.partition(SEPARATOR)
    record = store.promotion_needs.get((sku, site))
    return record.due_ms if record is not None else 0


def come_due(store: Store, name: str) -> int:
    """Look at a level whose lead, promotion or end of one has come; return when it is due next."""
    sku, _, site = name.partition(SEPARATOR)
    if 0 < due_ms(store, name) <= store.now_ms:
        follow(store, sku, site)
    return due_ms(store, name)


def own_units(store: Store, sku: str, site: str, by_ms: int) -> int:
    """Return what a donor's own promotions need that begin by then, whether their lead has begun.

    Without that it might give away what it has to ask back a day later.
    """
    rules = store.rules(sku, site)
    if not rules.promotion_lead_ms:
        return 0
    known = _needing(store, sku, site)
    return max(
        (
            _need(store, sku, site, rules, promotion).aimed_units
            for promotion in known
            if promotion.valid_from_ms <= by_ms
        ),
        default=0,
    )


def numbers(store: Store, level: Level) -> dict[str, int]:
    """Return what a promotion's need was reckoned from, by name."""
    record = store.promotion_needs.get((level.sku, level.site))
    if record is None:
        return {}
    return {
        "promoted_units": record.needed_units,
        "promoted_aim_units": record.aimed_units,
        "promotion_begins_ms": record.begins_ms,
        "promotion_ends_ms": record.ends_ms,
        "reckoned_from_ms": record.reckoned_from_ms,
        "covered_until_ms": record.covered_until_ms,
        "covered_demand_milli": record.demand_milli,
        "promoted_milli": record.promoted_milli,
        "mean_milli_day": record.mean_milli_day,
        "uplift_permille": record.uplift_permille,
        "planned_units": record.planned_units,
    }


def give_up(store: Store, level: Level, rules: Rules) -> None:
    """Cut requests made for a promotion that is over, was moved or called off to what is wanted."""
    present = (rules.promotion, rules.promotion_begins_ms)
    opened = needs.open_needs(store, level)
    if all(not need.promotion or (need.promotion, need.need_by_ms) == present for need in opened):
        return
    without_units = position_units(level, rules) - level.on_order_units
    short = without_units < rules.shortage_units
    left_units = wanted_units(without_units, rules) if short else 0
    for need in opened:
        missing_units = need.quantity_units - need.received_units
        if need.promotion and (need.promotion, need.need_by_ms) != present:
            missing_units = max(0, min(missing_units, left_units))
            named = present if missing_units else ("", 0)
            needs.cut(store, need, missing_units, *named)
        left_units -= missing_units


def _foreseen(store: Store, sku: str, site: str) -> PromotionNeed | None:
    rules = store.rules(sku, site)
    known = _needing(store, sku, site) if rules.promotion_lead_ms else []
    if not known:
        return None
    lead_ms = rules.promotion_lead_ms + lead_times.supply_time(store, sku, site).mean_ms
    next_ms = min(
        at_ms
        for promotion in known
        for at_ms in (
            promotion.valid_from_ms - lead_ms,
            promotion.valid_from_ms,
            promotion.valid_until_ms,
        )
        if at_ms > store.now_ms
    )
    found = [
        _need(store, sku, site, rules, promotion)
        for promotion in known
        if promotion.valid_from_ms - lead_ms <= store.now_ms
    ]
    if not found:
        return PromotionNeed(due_ms=next_ms)
    # What is expected until the later end holds the earlier one: they are not added up.
    most = max(found, key=lambda need: (need.needed_units, -need.begins_ms))
    most.due_ms = next_ms
    return most


def _needing(store: Store, sku: str, site: str) -> list[PromotionRecord]:
    """Return the promotions, not yet over, that sell more of an article at a site, by name.

    A promotion of all sites is not one of a warehouse: its shops ask it for what they need.
    """
    record = store.catalogue.sites.get(site)
    sells = record is None or record.kind != "warehouse"
    return [
        promotion
        for promotion in store.catalogue.promotions(
            sku, site, store.category(sku), from_ms=store.now_ms, until_ms=EVER_MS
        )
        if (promotion.planned_units or promotion.uplift_permille > _ORDINARY_PERMILLE)
        and (sells or promotion.site)
    ]


def _need(
    store: Store, sku: str, site: str, rules: Rules, promotion: PromotionRecord
) -> PromotionNeed:
    """Return what is expected to be sold until a promotion ends, or what is bought now would spoil.

    An answer aims at a day's demand more, and a donor keeps as much, or that day's sales would be a
    shortage again until the need is reckoned anew. While the promotion lasts the day in hand is
    that day.
    """
    learned = store.demands.get((sku, site))
    demand = learned if learned is not None and learned.days >= LEARNED_DAYS_MIN else Demand()
    now_ms, begins_ms = store.now_ms, promotion.valid_from_ms
    from_ms = now_ms if now_ms < begins_ms else now_ms + DAY_MS
    until_ms = promotion.valid_until_ms
    if rules.shelf_life_ms:
        until_ms = min(until_ms, max(begins_ms, now_ms) + rules.shelf_life_ms)

    def expected(begin_ms: int, end_ms: int) -> Expected:
        after_ms, span_ms, trend = begin_ms - now_ms, end_ms - begin_ms, rules.demand_trend
        return expected_demand(
            store, demand, sku, site, after_ms=after_ms, span_ms=span_ms, trend=trend
        )

    most = EVER_MS if rules.capacity_units is None else rules.capacity_units
    covered, day = expected(from_ms, until_ms), expected(now_ms, min(now_ms + DAY_MS, until_ms))
    spare_milli = day.demand_milli - (day.promoted_milli if now_ms < begins_ms else 0)
    return PromotionNeed(
        due_ms=0,
        promotion=promotion.promotion,
        begins_ms=begins_ms,
        ends_ms=promotion.valid_until_ms,
        reckoned_from_ms=from_ms,
        covered_until_ms=until_ms,
        needed_units=min(most, ceil_units(covered.demand_milli / MILLI)),
        aimed_units=min(most, ceil_units((covered.demand_milli + spare_milli) / MILLI)),
        demand_milli=covered.demand_milli,
        promoted_milli=covered.promoted_milli,
        mean_milli_day=round(forecast_units(demand) * MILLI),
        uplift_permille=promotion.uplift_permille,
        planned_units=promotion.planned_units,
    )
