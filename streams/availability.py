"""Available to promise: what a new order may still count on at a site, now or by a date. Pure.

`promise = free + arriving by then - owed to lines that wait - due to scheduled lines by then`, and
never below 0, where `free = on hand - reserved - quarantined - buffer - planned transfers out`, by
the witness that leads. The numbers are the stock fold's own, read from its live table.
"""

from collections.abc import Mapping
from typing import NamedTuple

from ingest.contracts.supply import LaneRecord
from streams.contracts.orders import ORDER_LINE, OrderLine
from streams.contracts.state import (
    NEED,
    SEPARATOR,
    TRANSFER,
    TRANSFER_OPEN,
    Need,
    Transfer,
    decode,
    key_parts,
)
from streams.domain import order_queues, transfers
from streams.domain.calendars import departure_ms
from streams.domain.lead_times import lane_time_ms, supply_time_from
from streams.domain.store import Store


class Arrival(NamedTuple):
    """Units that are expected."""

    at_ms: int
    units: int
    cause: str
    """Id of the transfer or the request."""


class Promise(NamedTuple):
    """What may be promised, and the numbers that say so; units."""

    promise_units: int
    free_units: int
    arriving_units: int
    waiting_units: int
    """Owed to lines that wait for stock."""
    scheduled_units: int
    """Due by then to lines of later dates."""
    arrivals: tuple[Arrival, ...]
    """All that is expected at a known time, also after the date, by time."""
    undated_units: int
    """On order, and nobody knows when it comes: not counted."""
    numbers: dict[str, int]


def promised(
    state: Mapping[bytes, bytes], sku: str, site: str, *, by_ms: int = 0
) -> Promise | None:
    """Return what may be promised of a SKU at a site by a time (0: now); None if it isn't known.

    Args:
        state: The records of the SKU's partition in `shelfstream.stock`.
        sku: The article.
        site: Where it is to be taken from.
        by_ms: UTC milliseconds.
    """
    store = Store(0, 1)
    store.load(state)
    store.catalogue.load(state)
    level = store.levels.get((sku, site))
    if level is None:
        return None
    until_ms = max(by_ms, store.now_ms)
    arrivals, undated_units = _arrivals(store, state, sku, site)
    arriving_units = sum(one.units for one in arrivals if by_ms and one.at_ms <= until_ms)
    waiting_units = scheduled_units = 0
    for line in _lines(state, sku, site):
        if line.state == "waiting":
            waiting_units += line.quantity_units - line.reserved_units
        elif line.state == "scheduled" and line.wake_at_ms <= until_ms:
            scheduled_units += line.quantity_units
    free = order_queues.free_units(store, level)
    left_units = free + arriving_units - waiting_units - scheduled_units
    return Promise(
        promise_units=max(0, left_units),
        free_units=free,
        arriving_units=arriving_units,
        waiting_units=waiting_units,
        scheduled_units=scheduled_units,
        arrivals=tuple(arrivals),
        undated_units=undated_units,
        numbers=order_queues.numbers(store, level),
    )


def _lines(state: Mapping[bytes, bytes], sku: str, site: str) -> list[OrderLine]:
    found = []
    for raw, value in state.items():
        parts = key_parts(raw)
        if parts[0] == ORDER_LINE and parts[-2:] == [sku, site]:
            line = decode(raw, value)
            if isinstance(line, OrderLine):
                found.append(line)
    return found


def _arrivals(
    store: Store, state: Mapping[bytes, bytes], sku: str, site: str
) -> tuple[list[Arrival], int]:
    arrivals: list[Arrival] = []
    level = store.level(sku, site)
    on_order_units, undated_units = level.on_order_units, 0
    prefixes = tuple(f"{kind}{SEPARATOR}{kind}-{sku}-".encode() for kind in (TRANSFER, NEED))
    for raw in sorted(raw for raw in state if raw.startswith(prefixes)):
        entity = decode(raw, state[raw])
        if isinstance(entity, Transfer) and entity.to_site == site:
            arrivals += _of_transfer(store, entity)
        elif isinstance(entity, Need) and entity.site == site and entity.state == "open":
            units = min(on_order_units, max(0, entity.quantity_units - entity.received_units))
            on_order_units -= units
            takes_ms = supply_time_from(store, sku, entity.from_site, site).mean_ms
            if takes_ms and units:
                at_ms = max(store.now_ms, entity.opened_at_ms + takes_ms)
                arrivals.append(Arrival(at_ms, units, entity.need_id))
            else:
                undated_units += units
    return sorted(arrivals), undated_units


def _of_transfer(store: Store, transfer: Transfer) -> list[Arrival]:
    """Return what is on its way, and what is approved and leaves when its lane lets it."""
    if transfer.state not in TRANSFER_OPEN:
        return []
    takes_ms = lane_time_ms(store, transfer.from_site, transfer.to_site)
    found = []
    on_the_way = transfers.on_the_way_units(transfer)
    if on_the_way > 0:
        at_ms = max(store.now_ms, transfer.dispatched_at_ms + takes_ms)
        found.append(Arrival(at_ms, on_the_way, transfer.transfer_id))
    planned = transfers.planned_units(transfer)
    if planned > 0 and transfer.state not in {"proposed", "held", "reopened"}:
        lane = store.catalogue.lane(transfer.from_site, transfer.to_site)
        leaves_ms = store.now_ms if lane is None else _leaves_ms(store, transfer, lane)
        found.append(Arrival(leaves_ms + takes_ms, planned, transfer.transfer_id))
    return found


def _leaves_ms(store: Store, transfer: Transfer, lane: LaneRecord) -> int:
    """Return when a planned transfer leaves: its shipment collects others before it closes."""
    from_ms = store.now_ms
    if transfer.state == "approved" and not transfer.shipment_id:
        from_ms = max(from_ms, transfers.planned_leave_ms(store, transfer))
    return departure_ms(lane, from_ms)
