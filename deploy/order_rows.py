"""Customer orders as rows and sentences for people. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from deploy.decision_words import again, inputs_line, load_words
from deploy.ledger_rows import Row
from deploy.utc import utc
from deploy.wording import counted
from ingest.contracts.order_commands import OrderCommandLine
from streams.availability import Promise
from streams.contracts.orders import CustomerOrder, OrderChanged, OrderLineChanged


def line_of(text: str) -> OrderCommandLine:
    """Return the line that `SKU@SITE=UNITS` means.

    Raises:
        ValueError: The text has not that form; a field that is wrong is named (pydantic).
    """
    place, equals, units = text.rpartition("=")
    sku, at, site = place.rpartition("@")
    if not (equals and at and units.isascii() and units.isdigit()):
        raise ValueError(f"{text!r} is no line such as MILK@S-1=4")
    return OrderCommandLine(sku=sku, site=site, quantity_units=int(units))


def newest_first(orders: Iterable[CustomerOrder]) -> list[CustomerOrder]:
    """Return orders, those placed last first."""
    return sorted(orders, key=lambda one: (-one.placed_at_ms, one.order_id))


def order_rows(orders: Iterable[CustomerOrder]) -> list[Row]:
    """Return a row for each order."""
    return [
        {
            "order": order.order_id,
            "state": order.state,
            "priority": order.priority,
            "need_by": utc(order.need_by_ms) if order.need_by_ms else "now",
            "reserved": sum(line.reserved_units for line in order.lines),
            "wanted": sum(line.quantity_units for line in order.lines),
            "placed_by": order.placed_by,
            "reason": order.reason,
        }
        for order in orders
    ]


def line_rows(order: CustomerOrder) -> list[Row]:
    """Return a row for each line of an order."""
    return [
        {
            "line": number,
            "sku": line.sku,
            "site": line.site,
            "state": line.state,
            "reserved": line.reserved_units,
            "wanted": line.quantity_units,
            "unusual": line.outlier_id,
            "reason": line.reason,
        }
        for number, line in enumerate(order.lines, 1)
    ]


def explained_order(events: Sequence[OrderChanged | OrderLineChanged]) -> list[str]:
    """Return the lines that explain an order, from its own events, by time."""
    lines: list[str] = []
    for event in sorted(events, key=_turn):
        if isinstance(event, OrderChanged):
            order = event.order
            why = f": {order.reason}" if order.reason else ""
            lines.append(f"{utc(event.at_ms)} {order.state}, by {event.actor or 'rule'}{why}")
            continue
        why = f": {event.reason}" if event.reason else ""
        lines.append(
            f"{utc(event.at_ms)} line {event.line}, {event.sku} at {event.site} {event.state},"
            f" {event.reserved_units} of {counted(event.quantity_units, 'unit')} held{why}"
            + (f"; unusual: {event.outlier_id}" if event.outlier_id else "")
            + load_words(event.reference_version)
        )
        lines += [*inputs_line(event.decided_from), *free_formula(event.decided_from)]
    return lines


def free_formula(numbers: Mapping[str, int]) -> list[str]:
    """Return how what may be promised follows from a level's numbers; nothing without them."""
    if "free_units" not in numbers or "on_hand_units" not in numbers:
        return []
    names = ("reserved_units", "quarantined_units", "buffer_units", "in_transit_out_units")
    free = numbers["on_hand_units"] - sum(numbers[name] for name in names)
    less = " - ".join(f"{name.removesuffix('_units')} {numbers[name]}" for name in names)
    return [
        (
            f"  free {numbers['free_units']} = on hand {numbers['on_hand_units']} - {less};"
            f" {again(free, numbers['free_units'])}"
        )
    ]


def _turn(event: OrderChanged | OrderLineChanged) -> tuple[int, int]:
    """Place an order's lines between its being placed and what became of it."""
    if isinstance(event, OrderLineChanged):
        return event.at_ms, 1
    return event.at_ms, 0 if event.order.state in {"reserving", "fulfilling"} else 2


def outcome_sentence(order: CustomerOrder) -> str:
    """Return in one sentence how an order stands."""
    held = sum(line.reserved_units for line in order.lines if line.state in {"reserved", "waiting"})
    wanted = sum(line.quantity_units for line in order.lines)
    why = f": {order.reason}" if order.state in {"refused", "expired"} and order.reason else ""
    return f"{order.order_id} is {order.state}, {held} of {counted(wanted, 'unit')} held{why}"


def promise_lines(promise: Promise, sku: str, site: str, by: str) -> list[str]:
    """Return what may be promised, and the numbers behind it."""
    named = ", ".join(f"{name} {value}" for name, value in promise.numbers.items())
    when = f"by {by}" if by else "now"
    lines = [
        f"{sku} at {site}: {counted(promise.promise_units, 'unit')} can be promised {when}",
        (
            f"  free {promise.free_units} + arriving by then {promise.arriving_units}"
            f" - owed to lines that wait {promise.waiting_units}"
            f" - due to scheduled lines {promise.scheduled_units}"
        ),
        f"  free is of {named}",
    ]
    lines += [f"  {one.units} of {one.cause} expected {utc(one.at_ms)}" for one in promise.arrivals]
    if promise.undated_units:
        lines.append(f"  {promise.undated_units} on order, nobody knows for when: not counted")
    return lines
