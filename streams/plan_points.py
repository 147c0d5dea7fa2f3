"""What spans SKUs, and lots, to InfluxDB line protocol: orders, purchases, counts. Pure.

No order, session or lot is a tag, for there are ever more of them: ids are fields, as those of
breaches and transfers are.
"""

from collections.abc import Callable
from typing import Final

from streams.contracts import counts, events, lots, orders
from streams.contracts.purchases import PURCHASE_PLACED
from streams.line_protocol import named_stamp_ns, stamp_ns, tag, text

_HOLDING: Final = frozenset({"reserved", "waiting"})
_COUNTED_STATES: Final = ("counted", "waiting", "recount", "missed", "skipped", "refused")


def lot_lines(book: lots.LotBook) -> list[str]:
    """Return the line of the lots of a level; none where nobody knows of which time it is.

    Near, expired and quarantined units do not overlap: what is quarantined is not near, and what
    has expired is expired, quarantined or not.
    """
    if not book.updated_at_ms:
        return []
    near = sum(lot.units - lot.quarantined_units for lot in book.lots if lot.stage == lots.NEAR)
    expired = sum(lot.units for lot in book.lots if lot.stage == lots.EXPIRED)
    held = sum(lot.quarantined_units for lot in book.lots if lot.stage != lots.EXPIRED)
    line = (
        f"lot_stock,site={tag(book.site)},sku={tag(book.sku)} "
        f"lots={len(book.lots)}i,units={sum(lot.units for lot in book.lots)}i,"
        f"unknown_units={book.unknown_units}i,near_expiry_units={near}i,"
        f"expired_units={expired}i,quarantined_units={held}i "
        f"{stamp_ns(book.updated_at_ms)}"
    )
    return [line]


def _lot_held(event: lots.LotHeld) -> str:
    return (
        f"lot_held,cause={event.cause},site={tag(event.site)},sku={tag(event.sku)} "
        f"quantity_units={event.quantity_units}i,quarantined_units={event.quarantined_units}i,"
        f"hold_id={text(event.hold_id)},lot={text(event.lot)} "
        f"{stamp_ns(event.at_ms, event.hold_id)}"
    )


def _order_changed(event: orders.OrderChanged) -> str:
    """Return sums of the order's lines: fill is reserved by wanted, summed up before dividing."""
    order = event.order
    held = [line.reserved_units if line.state in _HOLDING else 0 for line in order.lines]
    wanted = [line.quantity_units for line in order.lines]
    short = sum(
        units < asked and line.state != "fulfilled"
        for units, asked, line in zip(held, wanted, order.lines, strict=True)
    )
    return (
        f"customer_order,fulfilment={order.fulfilment},state={order.state} "
        f"lines={len(order.lines)}i,short_lines={short}i,wanted_units={sum(wanted)}i,"
        f"reserved_units={sum(held)}i,age_ms={event.at_ms - order.placed_at_ms}i,"
        f"order_id={text(order.order_id)} "
        f"{named_stamp_ns(event.at_ms, f'{order.order_id}/{order.version}')}"
    )


def _order_line_changed(event: orders.OrderLineChanged) -> str:
    held = event.reserved_units if event.state in _HOLDING else 0
    short = event.quantity_units - held if event.state in {"waiting", "refused"} else 0
    return (
        f"order_line,site={tag(event.site)},sku={tag(event.sku)},state={event.state} "
        f"quantity_units={event.quantity_units}i,reserved_units={held}i,short_units={short}i,"
        f"order_id={text(event.order_id)} "
        f"{named_stamp_ns(event.at_ms, f'{event.order_id}/{event.line}')}"
    )


def _purchase_changed(event: events.PurchaseChanged) -> str:
    order = event.order
    lines = order.lines.values()
    ordered = sum(line.quantity_units for line in lines)
    received = sum(line.received_units for line in lines)
    value = sum(line.quantity_units * line.unit_cost_minor for line in lines)
    coming = ordered - received if order.state in PURCHASE_PLACED else 0
    return (
        f"purchase_order,state={order.state},supplier={tag(order.supplier)} "
        f"lines={len(order.lines)}i,quantity_units={ordered}i,received_units={received}i,"
        f"open_units={coming}i,value_minor={value}i,late={int('late' in order.flags)}i,"
        f"order_id={text(order.order_id)} {stamp_ns(event.at_ms, order.order_id)}"
    )


def _count_session_changed(event: counts.CountSessionChanged) -> str:
    numbers = ",".join(f"{state}={event.lines.get(state, 0)}i" for state in _COUNTED_STATES)
    return (
        f"count_session,site={tag(event.site)},state={event.state} "
        f"lines={sum(event.lines.values())}i,{numbers},session_id={text(event.session_id)} "
        f"{stamp_ns(event.at_ms, event.session_id)}"
    )


def _count_line_changed(event: counts.CountLineChanged) -> str:
    """Return the variance of a line; what it was decided from is 0 while nobody has counted."""
    said = event.decided_from
    units, minor = said.get("difference_units", 0), said.get("difference_minor", 0)
    return (
        f"count_line,site={tag(event.site)},sku={tag(event.sku)},state={event.state} "
        f"expected_units={said.get('expected_units', 0)}i,"
        f"counted_units={said.get('counted_units', 0)}i,difference_units={units}i,"
        f"difference_minor={minor}i,error_units={abs(units)}i,error_minor={abs(minor)}i,"
        f"counted={int(event.state == 'counted')}i,"
        f"accurate={int(event.state == 'counted' and event.within_tolerance)}i,"
        f"session_id={text(event.session_id)} {stamp_ns(event.at_ms, event.session_id)}"
    )


EVENT_LINES: Final[dict[type, Callable[..., str]]] = {
    orders.OrderChanged: _order_changed,
    orders.OrderLineChanged: _order_line_changed,
    events.PurchaseChanged: _purchase_changed,
    counts.CountSessionChanged: _count_session_changed,
    counts.CountLineChanged: _count_line_changed,
    lots.LotHeld: _lot_held,
}
"""Events that are drawn, beside those of `streams.points`."""
