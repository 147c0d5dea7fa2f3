"""How long supply takes, as measured: lanes from dispatch to receipt, requests until served.

Measured once a transfer and once a request, at what comes first of it. The catalogue's lead time is
what is reckoned with before, and weighs as one measurement.
"""

from math import sqrt
from typing import Final, Literal, NamedTuple

from streams.contracts.demand import LeadTime
from streams.contracts.state import Need, Transfer
from streams.domain.demand import smoothed, warm_weight
from streams.domain.store import Store

LEAD_TIME_WEIGHT: Final = 0.2

WayKind = Literal["lane", "request", "supplier"]


class Way(NamedTuple):
    """What takes its time: a lane, a request to a parent, or one to a supplier."""

    kind: WayKind
    origin: str
    to_site: str


class SupplyTime(NamedTuple):
    """How long it takes from a request until the units are there."""

    mean_ms: int
    sd_ms: int
    measured: int
    """The fewest measurements of any part of it."""


def supply_time(store: Store, sku: str, site: str) -> SupplyTime:
    """Return the time of a site's ordinary supply: by its parent, or else by the supplier."""
    parent = store.catalogue.parent_of(site)
    record = store.book(sku).record
    straight = store.rules(sku, site).supply_from == "supplier"
    if straight and record is not None and record.supplier:
        parent = ""
    return supply_time_from(store, sku, parent, site)


def supply_time_from(store: Store, sku: str, parent: str, site: str) -> SupplyTime:
    """Return the time of supply by a parent, or by the article's supplier where that is empty."""
    ways = [_request_way(store, sku, parent, site)]
    if parent:
        ways.append(Way("lane", parent, site))
    known = [store.lead_times.get(way) or _prior(store, way) for way in ways]
    return SupplyTime(
        round(sum(part.mean_ms for part in known)),
        round(sqrt(sum(part.variance_ms2 for part in known))),
        min(part.measured for part in known),
    )


def lane_time_ms(store: Store, from_site: str, to_site: str) -> int:
    """Return how long a lane takes, as measured or, before that, as the catalogue says."""
    way = Way("lane", from_site, to_site)
    return round((store.lead_times.get(way) or _prior(store, way)).mean_ms)


def measure_transfer(store: Store, transfer: Transfer) -> None:
    """Measure a lane when the first units of a transfer arrive whose dispatch was seen.

    And the requests that they serve, from when those were opened until the units left: the lane's
    own time is measured apart, and supply takes both.
    """
    if transfer.received_units:
        return
    seen = transfer.dispatched_at_ms > 0 and not transfer.inferred
    if seen:
        way = Way("lane", transfer.from_site, transfer.to_site)
        _measure(store, way, store.now_ms - transfer.dispatched_at_ms)
    for need_id, units in transfer.served.items():
        need = store.needs.get(need_id)
        if need is not None and units > 0:
            measure_need(store, need, transfer.dispatched_at_ms if seen else store.now_ms)


def measure_need(store: Store, need: Need, until_ms: int) -> None:
    """Measure, once, how long a request took until the first units for it left or came."""
    if not need.measured:
        need.measured = True
        store.needs.touch(need.need_id)
        way = _request_way(store, need.sku, need.from_site, need.site)
        _measure(store, way, max(0, until_ms - need.opened_at_ms))


def _request_way(store: Store, sku: str, parent: str, site: str) -> Way:
    if parent:
        return Way("request", parent, site)
    record = store.book(sku).record
    return Way("supplier", record.supplier if record is not None else "", site)


def _measure(store: Store, way: Way, took_ms: int) -> None:
    known = store.lead_times.get(way)
    if known is None:
        known = _prior(store, way)
        store.lead_times.put(way, known)
    known.measured += 1
    weight = warm_weight(LEAD_TIME_WEIGHT, known.measured + 1)
    error_ms = took_ms - known.mean_ms
    known.variance_ms2 = smoothed(known.variance_ms2, error_ms * error_ms, weight)
    known.mean_ms = smoothed(known.mean_ms, took_ms, weight)
    store.lead_times.touch(way)


def _prior(store: Store, way: Way) -> LeadTime:
    said_ms = 0
    if way.kind == "lane":
        lane = store.catalogue.lane(way.origin, way.to_site)
        said_ms = lane.lead_time_ms if lane is not None else 0
    elif way.kind == "supplier":
        supplier = store.catalogue.suppliers.get(way.origin)
        said_ms = supplier.lead_time_ms if supplier is not None else 0
    return LeadTime(mean_ms=float(said_ms))
