"""The end of a level's period: its sums go out with how the level stands, and a new one begins."""

from ingest.contracts.durations import DAY_MS
from streams.contracts.kpis import Kpi, KpisClosed
from streams.contracts.state import Level
from streams.domain import areas, kpis
from streams.domain.arithmetic import MILLI
from streams.domain.book import average_cost_minor
from streams.domain.catalogue import Rules
from streams.domain.demand import forecast_units
from streams.domain.store import Store


def close_period(store: Store, level: Level, rules: Rules) -> None:
    """Sum up to now, and tell of the period; `begin_period` follows once the day is closed."""
    kpi = kpis.kpi_of(store, level)
    kpis.sum_up(store, level, kpi)
    sums = kpi.sums
    kept = level.on_hand_units or sums.held_unit_s or sums.issued_units or sums.asked_units
    if rules.min_units is None and not kept and not sums.counted_records:
        return  # neither kept nor watched: a delisted article is not out of stock for ever
    if store.clock.now_ms > kpi.from_ms:
        store.outbox.events.append(_closed(store, level, rules, kpi))


def _closed(store: Store, level: Level, rules: Rules, kpi: Kpi) -> KpisClosed:
    demand = store.demands.get((level.sku, level.site))
    demand_milli_day = -1
    if demand is not None and demand.days:
        demand_milli_day = round(forecast_units(demand) * MILLI)
    most, cost_minor = rules.max_units, average_cost_minor(store, level)
    excess_units = 0 if most is None else max(0, level.on_hand_units - most)
    seen_units = areas.seen_units(level)
    return KpisClosed(
        sku=level.sku,
        site=level.site,
        from_ms=kpi.from_ms,
        at_ms=store.clock.now_ms,
        sums=kpi.sums,
        on_hand_units=level.on_hand_units,
        value_minor=level.value_minor,
        unit_cost_minor=cost_minor,
        excess_minor=excess_units * cost_minor,
        demand_milli_day=demand_milli_day,
        lost_milli=max(0, demand_milli_day) * kpi.sums.out_ms // DAY_MS,
        shelf_units=-1 if seen_units is None else seen_units,
    )
