"""Customer orders: units reserved for a line, released again, or handed over.

Each action happens once a line, so an order system may repeat itself.
"""

from typing import Final, Literal

from ingest.frames import OrderLineInput
from streams.contracts.state import SEPARATOR, Level, OrderLine
from streams.domain import book, issues, kpis, sensing
from streams.domain.store import Store

ENDED_KEPT_MS: Final = 35 * 86_400_000
"""An ended line is remembered as long as its input is kept."""


def line_key(line: OrderLine | OrderLineInput) -> str:
    """Return the key of a line in the store."""
    return SEPARATOR.join((line.order_id, str(line.line), line.sku, line.site))


def apply_order_line(store: Store, line: OrderLineInput) -> None:
    """Reserve, release or fulfil; what has already happened to the line does not happen again."""
    name = line_key(line)
    known = store.order_lines.get(name)
    if line.quantity_units <= 0 or not _may_happen(known, line):
        return
    level = store.level(line.sku, line.site)
    cause = f"{line.order_id}/{line.line}"
    if known is None:
        rules = store.rules(line.sku, line.site)
        available_units = sensing.available_units(level, rules)
        kpis.count_order(store, level, line.quantity_units, available_units)
    if line.action == "reserve":
        _reserve(store, level, line.quantity_units, cause)
    else:
        reserved_units = known.quantity_units if known is not None else 0
        _end(store, level, line, reserved_units, cause)
    state = _STATES[line.action]
    entry = OrderLine(
        order_id=line.order_id,
        line=line.line,
        sku=line.sku,
        site=line.site,
        state=state,
        quantity_units=line.quantity_units,
        at_ms=store.now_ms,
    )
    store.order_lines.put(name, entry)
    if state != "reserved":
        store.timers.arm(("order_line", name), store.now_ms + ENDED_KEPT_MS)


def forget_ended(store: Store, name: str) -> int:
    """Delete an ended line whose time is over; return when it is due otherwise, 0 for never."""
    entry = store.order_lines.get(name)
    if entry is None or entry.state == "reserved":
        return 0
    due_ms = entry.at_ms + ENDED_KEPT_MS
    if due_ms > store.now_ms:
        return due_ms
    store.order_lines.remove(name)
    return 0


_STATES: Final[dict[str, Literal["reserved", "released", "fulfilled"]]] = {
    "reserve": "reserved",
    "release": "released",
    "fulfil": "fulfilled",
}


def _may_happen(known: OrderLine | None, line: OrderLineInput) -> bool:
    if known is None:
        return line.action != "release"
    return known.state == "reserved" and line.action != "reserve"


def _reserve(store: Store, level: Level, quantity_units: int, cause: str) -> None:
    before_units = level.reserved_units
    level.reserved_units += quantity_units
    store.touch_level(level)
    book.post_aside(
        store,
        level.sku,
        level.site,
        "reserve",
        "reserved",
        quantity_units=quantity_units,
        before_units=before_units,
        cause=cause,
    )


def _end(store: Store, level: Level, line: OrderLineInput, reserved_units: int, cause: str) -> None:
    kind = line.action
    if reserved_units:
        before_units = level.reserved_units
        level.reserved_units -= reserved_units
        store.touch_level(level)
        book.post_aside(
            store,
            level.sku,
            level.site,
            kind,
            "reserved",
            quantity_units=-reserved_units,
            before_units=before_units,
            cause=cause,
        )
    if kind == "fulfil":
        quantity_units = line.quantity_units
        cost_minor = book.unit_cost_minor(store, level.sku)
        issues.count(level, quantity_units, store.now_ms)
        book.post(
            store,
            level,
            "fulfil",
            -quantity_units,
            -book.issue_value_minor(level, quantity_units, cost_minor),
            cause=cause,
            effective_at_ms=store.now_ms,
            flags=book.negative_flags(store, level, quantity_units),
        )
