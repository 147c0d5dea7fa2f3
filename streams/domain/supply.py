"""Where a request is sent, how much is asked for, and what the planning fold is told of it.

A request goes to the site's parent or to a supplier, by policy; what a supplier delivers is whole
order multiples and not below its least quantity, so that a purchase order never has to change it.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ingest.contracts.durations import DAY_MS
from streams.contracts.purchases import PurchaseLine
from streams.contracts.state import Level, Need
from streams.domain import lead_times
from streams.domain.arithmetic import MILLI, round_up
from streams.domain.autonomy import is_automatic
from streams.domain.catalogue import Rules
from streams.domain.demand import forecast_units
from streams.domain.sensing import available_units
from streams.domain.store import Store


class Source(NamedTuple):
    """Where a request goes, and the numbers that say so."""

    from_site: str
    """The parent; empty for a supplier."""
    supplier: str
    decided_from: dict[str, int]


class _Option(NamedTuple):
    cost_minor: int
    lead_time_ms: int
    from_site: str


def source(store: Store, level: Level) -> Source:
    """Return where a site's request for an article goes."""
    sku, site = level.sku, level.site
    parent = store.catalogue.parent_of(site)
    supplier = supplier_of(store, sku)
    rules = store.rules(sku, site)
    if rules.supply_from == "parent" or not parent or not supplier:
        return Source(parent, "" if parent else supplier, {})
    if rules.supply_from == "supplier":
        return Source("", supplier, {})
    out_ms = runs_out_ms(store, level, rules)
    by_parent, by_supplier = _parent_option(store, level, parent), _supplier_option(store, level)
    numbers = {
        "parent_cost_minor": by_parent.cost_minor,
        "parent_lead_time_ms": by_parent.lead_time_ms,
        "supplier_cost_minor": by_supplier.cost_minor,
        "supplier_lead_time_ms": by_supplier.lead_time_ms,
    }
    options = [by_parent, by_supplier]
    in_time = options
    if out_ms:
        numbers["runs_out_in_ms"] = out_ms - store.now_ms
        in_time = [o for o in options if store.now_ms + o.lead_time_ms <= out_ms]
    if in_time:
        best = min(in_time)
    else:  # none comes in time: the one that comes first
        best = min(options, key=lambda o: (o.lead_time_ms, o.cost_minor, o.from_site))
    return Source(best.from_site, "" if best.from_site else supplier, numbers)


def _parent_option(store: Store, level: Level, parent: str) -> _Option:
    lane = store.catalogue.lane(parent, level.site)
    took = lead_times.supply_time_from(store, level.sku, parent, level.site)
    return _Option(lane.cost_minor if lane is not None else 0, took.mean_ms, parent)


def _supplier_option(store: Store, level: Level) -> _Option:
    terms = store.catalogue.suppliers.get(supplier_of(store, level.sku))
    took = lead_times.supply_time_from(store, level.sku, "", level.site)
    return _Option(terms.order_cost_minor if terms is not None else 0, took.mean_ms, "")


def supplier_of(store: Store, sku: str) -> str:
    """Return the supplier of an article; empty where the catalogue names none."""
    record = store.book(sku).record
    return record.supplier if record is not None else ""


def runs_out_ms(store: Store, level: Level, rules: Rules) -> int:
    """Return when stock, and what is in transit, runs out by the expected demand; 0: unknown."""
    left_units = available_units(level, rules) + level.in_transit_in_units
    if left_units <= 0:
        return store.now_ms
    demand = demand_milli_day(store, level, rules)
    return store.now_ms + left_units * MILLI * DAY_MS // demand if demand else 0


def demand_milli_day(store: Store, level: Level, rules: Rules) -> int:
    """Return the expected demand of a day, in thousandths of a unit; 0 where none is known."""
    if rules.demand_milli_day > 0:
        return rules.demand_milli_day
    demand = store.demands.get((level.sku, level.site))
    return max(0, round(forecast_units(demand) * MILLI)) if demand is not None else 0


def order_limits(store: Store, need: Need) -> dict[str, int]:
    """Return what a supplier's delivery of a request goes by, before more is asked for."""
    record = store.book(need.sku).record
    if not need.supplier or record is None:
        return {}
    return {
        "waiting_units": max(0, need.quantity_units - max(need.ordered_units, need.received_units)),
        "order_units_min": record.order_units_min,
        "order_multiple_units": max(1, record.order_multiple_units),
    }


def order_units(limits: Mapping[str, int], wanted_units: int) -> int:
    """Return how much more is asked for, so that what is not ordered yet can be ordered.

    Where a supplier delivers, the part of the request that is not yet in an order that went out
    is whole order multiples and at least the article's least quantity.

    Args:
        limits: Of `order_limits`; other numbers beside them say nothing.
        wanted_units: What is missing.
    """
    if "order_multiple_units" not in limits:
        return wanted_units
    waiting_units = limits["waiting_units"]
    least_units = max(waiting_units + wanted_units, limits["order_units_min"])
    return max(wanted_units, round_up(least_units, limits["order_multiple_units"]) - waiting_units)


def deliverable_units(store: Store, need: Need, quantity_units: int) -> int:
    """Return so many units, or what a request's supplier delivers in their place; 0 stays 0."""
    record = store.book(need.sku).record
    if not (need.supplier and quantity_units and record is not None):
        return quantity_units
    least_units = max(quantity_units, record.order_units_min)
    return round_up(least_units, max(1, record.order_multiple_units))


def purchase_line(store: Store, need: Need) -> PurchaseLine:
    """Return what the planning fold is told of a request of a supplier."""
    rules = store.rules(need.sku, need.site)
    record = store.book(need.sku).record
    level = store.level(need.sku, need.site)
    return PurchaseLine(
        need_id=need.need_id,
        sku=need.sku,
        site=need.site,
        supplier=need.supplier,
        open=need.state == "open",
        quantity_units=need.quantity_units,
        received_units=need.received_units,
        version=need.version,
        at_ms=store.now_ms,
        unit_cost_minor=record.unit_cost_minor if record is not None else 0,
        automatic=is_automatic(
            store, need.sku, need.site, rules, max(0, need.quantity_units - need.ordered_units)
        ),
        expedite=rules.expedite,
        runs_out_at_ms=runs_out_ms(store, level, rules),
        revision=need.revision,
        reference_version=store.clock.reference_version,
    )
