"""Lines of customer orders: units reserved for them, given back, handed over, or waited for.

Each action happens once a line, so an order system may repeat itself. What becomes of a line that
finds too little in available stock is a policy (`short_orders`), or said by the line itself. Where
it waits, it stands in the queue of its SKU and site: highest priority first, then by time, and
nobody is served out of turn. It holds what came so far, so that no free unit lies idle, and no unit
is promised twice. A line that is needed later than `reserve_ahead_ms` from now takes nothing yet,
nor does one that asks for far more than is usual where a policy holds those (`outlier_orders`).
"""

from typing import Final, Literal

from ingest.contracts.durations import DAY_MS
from ingest.contracts.order_lines import OrderLineInput
from streams.contracts.orders import ORDER_LINE, LineState, OrderLine
from streams.contracts.state import SEPARATOR, Level
from streams.domain import backorders, book, issues, kpis, order_outliers, order_queues, sensing
from streams.domain.catalogue import Rules
from streams.domain.order_queues import free_units, reserve, tell
from streams.domain.store import Store

ENDED_KEPT_MS: Final = 35 * DAY_MS
"""An ended line is remembered as long as its input is kept."""
_ENDED: Final = frozenset({"released", "fulfilled", "refused"})
_YET_TO_ASK: Final = frozenset({"held", "scheduled"})


def line_key(line: OrderLine | OrderLineInput) -> str:
    """Return the key of a line in the store."""
    return SEPARATOR.join((line.order_id, str(line.line), line.sku, line.site))


def apply_order_line(store: Store, asked: OrderLineInput) -> None:
    """Do what is asked of a line; what has already happened to it does not happen again."""
    name = line_key(asked)
    known = store.order_lines.get(name)
    if asked.quantity_units <= 0:
        return
    if asked.action == "reserve":
        if known is None:
            _begin(store, name, asked)
        elif asked.answer:
            refused = _line_of(asked, "refused", store.now_ms)
            tell(store, refused, {}, "there is such a line already")
    elif known is None:
        if asked.action == "fulfil":
            _hand_over(store, name, asked)
    elif known.state not in _ENDED and (known.answered or not asked.answer):
        _follow(store, name, known, asked)


def _hand_over(store: Store, name: str, asked: OrderLineInput) -> None:
    """Hand over what was never reserved."""
    if _is_unknown(store, asked):
        return
    line = _line_of(asked, "waiting", store.now_ms)
    _count(store, line)
    if store.catalogue.outlier_policies:
        order_outliers.learn(store, line, store.rules(line.sku, line.site))
    _fulfil(store, name, line, asked)


def _follow(store: Store, name: str, known: OrderLine, asked: OrderLineInput) -> None:
    """Do what is asked of a line that has not ended."""
    if asked.action == "fulfil":
        _fulfil(store, name, known, asked)
    elif asked.action == "accept":
        _accept(store, name, known)
    elif asked.action == "settle" and known.reserved_units:
        order_queues.leave(store, name, known)
        _become(store, name, known, "reserved", "it waits no longer")
    else:
        order_queues.leave(store, name, known)
        _give_back(store, known, "release")
        _become(store, name, known, "released")


def line_due_ms(store: Store, name: str) -> int:
    """Return when an ended line is forgotten, or a scheduled one asks for stock; 0 for never."""
    line = store.order_lines.get(name)
    if line is None:
        return 0
    if line.state == "scheduled":
        return line.wake_at_ms
    return line.at_ms + ENDED_KEPT_MS if line.state in _ENDED else 0


def wake_line(store: Store, name: str) -> int:
    """Forget an ended line, or let a scheduled one ask; return when it is due again, or 0."""
    line = store.order_lines.get(name)
    if line is None:
        return 0
    if line.state == "scheduled":
        _ask(store, name, line)
        return line_due_ms(store, name)
    store.order_lines.remove(name)
    return 0


def _line_of(asked: OrderLineInput, state: LineState, now_ms: int) -> OrderLine:
    return OrderLine(
        order_id=asked.order_id,
        line=asked.line,
        sku=asked.sku,
        site=asked.site,
        state=state,
        quantity_units=asked.quantity_units,
        at_ms=now_ms,
        priority=asked.priority,
        need_by_ms=asked.need_by_ms,
        partial=asked.partial,
        answered=asked.answer,
    )


def _begin(store: Store, name: str, asked: OrderLineInput) -> None:
    if _is_unknown(store, asked):
        return
    rules = store.rules(asked.sku, asked.site)
    line = _line_of(asked, "waiting", store.now_ms)
    line.when_short = asked.when_short or rules.short_orders
    store.level(asked.sku, asked.site)
    store.order_lines.put(name, line)
    if rules.judges_orders:
        order_outliers.judge(store, line, rules)
        if line.outlier is not None and rules.outlier_orders == "hold":
            line.state = "held"
            numbers = {"limit_units": line.outlier.limit_units}
            tell(store, line, numbers, "it asks for more than is usual")
            return
    _schedule(store, name, line, rules)


def _accept(store: Store, name: str, line: OrderLine) -> None:
    """Take an unusual line as right; one that was held goes on as if it were asked for now."""
    if line.outlier is None:
        return
    order_outliers.clear(store, line)
    store.order_lines.touch(name)
    if line.state == "held":
        _schedule(store, name, line, store.rules(line.sku, line.site))
    else:
        tell(store, line, {}, "it is accepted")


def _schedule(store: Store, name: str, line: OrderLine, rules: Rules) -> None:
    """Let a line ask for stock, now or near its date."""
    wake_at_ms = line.need_by_ms - rules.reserve_ahead_ms
    if line.need_by_ms and wake_at_ms > store.now_ms:
        line.state, line.wake_at_ms = "scheduled", wake_at_ms
        store.timers.arm((ORDER_LINE, name), wake_at_ms)
        tell(store, line, {"reserve_ahead_ms": rules.reserve_ahead_ms})
    else:
        _ask(store, name, line)


def _is_unknown(store: Store, asked: OrderLineInput) -> bool:
    """Refuse a line of a misspelt name: it must not become a level that is always out of stock."""
    unknown = _unknown(store, asked)
    if unknown:
        tell(store, _line_of(asked, "refused", store.now_ms), {}, unknown)
    return bool(unknown)


def _unknown(store: Store, asked: OrderLineInput) -> str:
    no_site = store.catalogue.lacks_site(asked.site)
    if not (asked.answer or no_site) or store.levels.get((asked.sku, asked.site)) is not None:
        return ""
    if asked.answer:  # an order system that decides alone may name an article before we know it
        known = store.books.get(asked.sku)
        if known is None or (known.record is None and not known.sites):
            return f"nothing is known of {asked.sku}"
    return f"there is no site {asked.site}" if no_site else ""


def _ask(store: Store, name: str, line: OrderLine) -> None:
    """Take what is free, and do what the line says if that is too little."""
    line.at_ms = store.now_ms
    store.order_lines.touch(name)
    level = store.level(line.sku, line.site)
    _count(store, line)
    if line.when_short == "reserve":
        line.state = "reserved"
        reserve(store, level, line, line.quantity_units)
        if line.answered or line.wake_at_ms:
            tell(store, line, {})
        return
    if line.when_short == "wait":
        line.state = "waiting"
        if not order_queues.join(store, name, line):
            _become(store, name, line, "refused", "too many lines wait already")
        return
    free = free_units(store, level)
    numbers = order_queues.numbers(store, level)
    take_units = min(max(0, free), line.quantity_units)
    if take_units < line.quantity_units and not (line.partial and take_units):
        reason = f"only {max(0, free)} units are available"
        _become(store, name, line, "refused", reason, numbers=numbers)
        return
    line.state = "reserved"
    reserve(store, level, line, take_units)
    tell(store, line, numbers)


def _count(store: Store, line: OrderLine) -> None:
    level = store.level(line.sku, line.site)
    available_units = sensing.available_units(level, store.rules(line.sku, line.site))
    kpis.count_order(store, level, line.quantity_units, available_units)


def _become(
    store: Store,
    name: str,
    line: OrderLine,
    state: LineState,
    reason: str = "",
    *,
    numbers: dict[str, int] | None = None,
) -> None:
    line.state = state
    line.at_ms = store.now_ms
    store.order_lines.put(name, line)
    if state in _ENDED:
        order_outliers.clear(store, line)
        store.timers.arm((ORDER_LINE, name), store.now_ms + ENDED_KEPT_MS)
    if line.answered or line.when_short != "reserve" or line.wake_at_ms:
        tell(store, line, numbers or {}, reason)


def _give_back(store: Store, line: OrderLine, kind: Literal["release", "fulfil"]) -> None:
    units = line.reserved_units
    if not units:
        return
    level = store.level(line.sku, line.site)
    before_units = level.reserved_units
    level.reserved_units -= units
    line.reserved_units = 0
    store.touch_level(level)
    if kind == "release":
        backorders.gain(store, level, units)
    book.post_aside(
        store,
        level.sku,
        level.site,
        kind,
        "reserved",
        quantity_units=-units,
        before_units=before_units,
        cause=order_queues.cause_of(line),
    )


def _fulfil(store: Store, name: str, line: OrderLine, asked: OrderLineInput) -> None:
    """Hand units over; where the policy refuses a book below zero, the line stays as it is."""
    level = store.level(line.sku, line.site)
    quantity_units = asked.quantity_units
    cause = order_queues.cause_of(line)
    if book.refuses(store, level, quantity_units):
        _refuse_fulfil(store, level, line, cause)
        return
    if line.state in _YET_TO_ASK:  # what it asks for counts now
        _count(store, _line_of(asked, "waiting", store.now_ms))
    order_queues.leave(store, name, line)
    _give_back(store, line, "fulfil")
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
    line.quantity_units = quantity_units
    _become(store, name, line, "fulfilled")


def _refuse_fulfil(store: Store, level: Level, line: OrderLine, cause: str) -> None:
    book.post(
        store,
        level,
        "refused",
        0,
        0,
        cause=cause,
        effective_at_ms=store.now_ms,
        flags=[book.REFUSED_NEGATIVE],
    )
    reason = f"the book has only {level.on_hand_units} units"
    tell(store, line, order_queues.numbers(store, level), reason)
