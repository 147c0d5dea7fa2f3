"""Who waits for stock of a SKU at a site, and who is served of what comes."""

from bisect import bisect_right
from typing import Final

from streams.contracts.orders import (
    OrderLine,
    OrderLineAnswered,
    OrderLineChanged,
    OrderQueue,
    OrderWaiting,
)
from streams.contracts.state import Level
from streams.domain import backorders, book, sensing
from streams.domain.breaches import look_again
from streams.domain.store import Store

WAITING_MAX: Final = 500
"""Lines that wait for one SKU at one site; one more is refused."""


def cause_of(line: OrderLine) -> str:
    """Return the cause text of a line's movements."""
    return f"{line.order_id}/{line.line}"


def free_units(store: Store, level: Level) -> int:
    """Return what may still be promised: available, less what a transfer is to take away."""
    rules = store.rules(level.sku, level.site)
    look_again(store, level, rules)
    return sensing.available_units(level, rules) - level.in_transit_out_units


def numbers(store: Store, level: Level) -> dict[str, int]:
    """Return what a line's fate is decided from."""
    rules = store.rules(level.sku, level.site)
    return {
        "on_hand_units": sensing.leading_units(level, rules),
        "reserved_units": level.reserved_units,
        "quarantined_units": level.quarantined_units,
        "buffer_units": level.buffer_units,
        "in_transit_out_units": level.in_transit_out_units,
        "free_units": free_units(store, level),
    }


def reserve(store: Store, level: Level, line: OrderLine, units: int) -> None:
    """Hold units of a level for a line."""
    before_units = level.reserved_units
    level.reserved_units += units
    line.reserved_units += units
    store.touch_level(level)
    book.post_aside(
        store,
        level.sku,
        level.site,
        "reserve",
        "reserved",
        quantity_units=units,
        before_units=before_units,
        cause=cause_of(line),
    )


def tell(store: Store, line: OrderLine, decided_from: dict[str, int], reason: str = "") -> None:
    """Write the event of a line, and tell its order where that is followed."""
    changed = OrderLineChanged(
        order_id=line.order_id,
        line=line.line,
        sku=line.sku,
        site=line.site,
        state=line.state,
        at_ms=store.now_ms,
        quantity_units=line.quantity_units,
        reserved_units=line.reserved_units,
        priority=line.priority,
        need_by_ms=line.need_by_ms,
        decided_from=decided_from,
        reason=reason,
        outlier_id=line.outlier.breach_id if line.outlier is not None else "",
        reference_version=store.clock.reference_version,
    )
    store.outbox.events.append(changed)
    if line.answered:
        store.outbox.plan(line.order_id, OrderLineAnswered(changed=changed))


def join(store: Store, name: str, line: OrderLine) -> bool:
    """Let a line wait its turn, and serve whom there is stock for; False where too many wait."""
    place = (line.sku, line.site)
    queue = store.order_queues.get(place) or OrderQueue(sku=line.sku, site=line.site)
    if len(queue.waiting) >= WAITING_MAX:
        return False
    entry = OrderWaiting(line.priority, store.now_ms, name)
    at = bisect_right(queue.waiting, _turn(entry), key=_turn)
    queue.waiting.insert(at, entry)
    store.order_queues.put(place, queue)
    store.waiting[place] = None
    store.stir_level(*place)  # from now on, whatever moves there has to be looked at
    line.owed_units = line.quantity_units - line.reserved_units
    backorders.owe(store, store.level(*place), line.owed_units)
    serve(store, *place)
    if line.state == "waiting" and line.reserved_units == 0:
        level = store.level(*place)
        tell(store, line, {**numbers(store, level), "ahead_lines": at})
    return True


def leave(store: Store, name: str, line: OrderLine) -> None:
    """Let a line wait no longer; what it holds it still holds."""
    place = (line.sku, line.site)
    queue = store.order_queues.get(place) if place in store.waiting else None
    if queue is None or all(entry.name != name for entry in queue.waiting):
        return
    queue.waiting = [entry for entry in queue.waiting if entry.name != name]
    _put(store, queue)
    backorders.owe(store, store.level(*place), -line.owed_units)
    line.owed_units = 0


def serve(store: Store, sku: str, site: str) -> None:
    """Give free units to whom they are due, in turn."""
    queue, level = store.order_queues.get((sku, site)), store.levels.get((sku, site))
    if queue is None or level is None:
        return
    served = False
    while queue.waiting:
        free = free_units(store, level)
        name = queue.waiting[0].name
        line = store.order_lines.get(name)
        if line is None:
            raise AssertionError("whoever waits is remembered")
        if free <= 0:
            break
        found = numbers(store, level)
        units = min(free, line.quantity_units - line.reserved_units)
        reserve(store, level, line, units)
        owed_units = min(units, line.owed_units)
        line.owed_units -= owed_units
        backorders.owe(store, level, -owed_units)
        if line.reserved_units == line.quantity_units:
            line.state, line.at_ms = "reserved", store.now_ms
            queue.waiting.pop(0)
            served = True
        store.order_lines.touch(name)
        tell(store, line, found)
    if served:
        _put(store, queue)


def _put(store: Store, queue: OrderQueue) -> None:
    place = (queue.sku, queue.site)
    if queue.waiting:
        store.order_queues.put(place, queue)
    else:
        store.order_queues.remove(place)
        store.waiting.pop(place, None)


def _turn(entry: OrderWaiting) -> tuple[int, int]:
    return -entry.priority, entry.at_ms
