"""Counts: what somebody saw at a time, compared with the book as it stood at that time.

A line is open while its SKU is counted at its site. What moves meanwhile is noted with the time at
which it happened, so the count is compared with the book of its own time, and only the difference
is booked: nothing that was sold between looking and booking is lost. A booked count stays an anchor
for a day: what happened before it and is told later is in it already, and is booked out again.
"""

from bisect import insort
from collections.abc import Callable
from typing import Final

from ingest.contracts.counts import CountLineInput
from ingest.contracts.durations import DAY_MS
from ingest.frames import ScanInput
from streams.contracts.alerts import AlertRaised
from streams.contracts.counts import CountLine, CountMove, SessionLineState
from streams.contracts.ledger import scan_cause
from streams.contracts.state import Level
from streams.domain import areas, book, lots
from streams.domain.count_accuracy import Comparison, answer, compared, line_key, note_count
from streams.domain.store import Store

MOVES_KEPT_MAX: Final = 64
"""Movements of a line between its opening and its count; with more, older counts are refused."""
ANCHOR_KEPT_MS: Final = DAY_MS
"""So long after it was booked a count still knows what is told late."""
LATE: Final = "late"
"""Flag of a movement that books out what a count had already seen."""
IN_SESSION: Final = "in_session"
"""Flag of a count scan that answers an open line; the difference is the line's own movement."""

_TO_COUNT: Final = frozenset({"open", "recount"})


def apply_count_line(store: Store, asked: CountLineInput) -> None:
    """Do what a session asks of one of its lines; what comes twice changes nothing."""
    _ACTIONS[asked.action](store, asked)


def count_scan(store: Store, scan: ScanInput) -> None:
    """Let a count answer the open line of its SKU, or correct the book at once.

    A count of one lot, where lots are told apart, says nothing of the others: no line takes it.
    """
    line = _line(store, scan.sku, scan.site)
    level = store.level(scan.sku, scan.site)
    expected_units = lots.counted_units(store, level, scan.lot)
    of_a_lot = bool(scan.lot) and lots.tells_apart(store, level)
    if line is None or line.state not in _TO_COUNT or of_a_lot:
        comparison = compared(store, level, expected_units, scan.quantity_units)
        book.correct_scan(store, scan)
        note_count(store, level, comparison)
        return
    book.post(
        store,
        level,
        "count",
        0,
        0,
        cause=scan_cause(scan.source, scan.boot, scan.seq),
        effective_at_ms=scan.observed_at_ms,
        lot=scan.lot,
        flags=[IN_SESSION],
    )
    _enter(store, line, scan.quantity_units, scan.observed_at_ms, scan.source)


def follow(store: Store, sku: str, site: str) -> None:
    """Take note of what has just moved at a counted level."""
    moved = store.counting[sku, site]
    line = _line(store, sku, site)
    if not moved or line is None:
        return
    store.counting[sku, site] = []
    late_units, compared_anew = 0, False
    for at_ms, units, cause in moved:
        if not units or cause in {line.session_id, line.anchor_session_id}:
            continue
        store.count_lines.touch(line_key(sku, site))
        if at_ms <= line.anchor_at_ms:
            late_units += units
        elif line.state in _TO_COUNT:
            _note_move(line, at_ms, units)
        elif line.state == "waiting" and at_ms > line.counted_at_ms:
            line.moved_after_units += units
        elif line.state == "waiting":
            compared_anew = True
    if late_units:
        _book_out(store, line, late_units)
    if compared_anew:
        _decide(store, line)


def line_due_ms(store: Store, name: str) -> int:
    """Return when a line's anchor is over; 0 where it has none."""
    line = store.count_lines.get(name)
    return line.anchored_now_ms + ANCHOR_KEPT_MS if line is not None and line.anchor_at_ms else 0


def forget_line(store: Store, name: str) -> int:
    """Forget an anchor whose time is over; return when it is due otherwise, 0 for never."""
    due_ms = line_due_ms(store, name)
    if due_ms > store.now_ms:
        return due_ms
    line = store.count_lines.get(name)
    if line is not None and due_ms:
        forget_anchor(store, line.sku, line.site)
    return 0


def forget_anchor(store: Store, sku: str, site: str) -> None:
    """Let late facts count again: the count is over, or was a mistake."""
    line = _line(store, sku, site)
    if line is None or not line.anchor_at_ms:
        return
    line.anchor_at_ms, line.anchor_session_id = 0, ""
    if line.state == "counted":
        _drop(store, line)
    else:
        store.count_lines.touch(line_key(sku, site))


def _line(store: Store, sku: str, site: str) -> CountLine | None:
    if (sku, site) not in store.counting:
        return None
    return store.count_lines.get(line_key(sku, site))


def _line_of(store: Store, asked: CountLineInput) -> CountLine | None:
    line = _line(store, asked.sku, asked.site)
    return line if line is not None and line.session_id == asked.session_id else None


def _drop(store: Store, line: CountLine) -> None:
    store.count_lines.remove(line_key(line.sku, line.site))
    del store.counting[line.sku, line.site]


def _open(store: Store, asked: CountLineInput) -> None:
    known = _line(store, asked.sku, asked.site)
    line = CountLine(
        session_id=asked.session_id,
        sku=asked.sku,
        site=asked.site,
        opened_at_ms=store.now_ms,
        moves_from_ms=store.now_ms,
        blind=asked.blind,
    )
    if known is not None and known.session_id == asked.session_id:
        return
    if known is not None and known.state != "counted":
        answer(store, line, "refused", reason=f"it is being counted in {known.session_id}")
        return
    if store.books.get(asked.sku) is None:
        answer(store, line, "refused", reason="nothing is known of the article")
        return
    level = store.level(asked.sku, asked.site)
    sensed = store.rules(asked.sku, asked.site).count_sensed
    agrees = sensed != "count" and _shelf_agrees(store, level)
    if agrees and sensed == "skip":
        answer(store, line, "skipped", expected_units=level.on_hand_units)
        return
    if known is not None:
        line.anchor_at_ms, line.anchor_session_id = known.anchor_at_ms, known.anchor_session_id
        line.anchored_now_ms = known.anchored_now_ms
    store.count_lines.put(line_key(asked.sku, asked.site), line)
    store.counting[asked.sku, asked.site] = []
    store.stir_level(asked.sku, asked.site)
    state: SessionLineState = "prefilled" if agrees and not asked.blind else "open"
    answer(store, line, state, expected_units=0 if asked.blind else level.on_hand_units)


def _shelf_agrees(store: Store, level: Level) -> bool:
    seen_units = areas.seen_units(level)
    if seen_units is None:
        return False
    return compared(store, level, level.on_hand_units, seen_units).within


def _enter_asked(store: Store, asked: CountLineInput) -> None:
    line = _line_of(store, asked)
    if line is not None and line.state in _TO_COUNT:
        _enter(store, line, asked.quantity_units, asked.counted_at_ms, asked.actor)


def _enter(store: Store, line: CountLine, units: int, counted_at_ms: int, actor: str) -> None:
    at_ms = min(counted_at_ms or store.now_ms, store.now_ms)
    store.count_lines.touch(line_key(line.sku, line.site))
    if at_ms < line.moves_from_ms:
        line.state = "recount"
        reason = "it was counted before what the session knows of its movements: count again"
        answer(store, line, "recount", actor=actor, reason=reason)
        return
    line.counted_units, line.counted_at_ms, line.counted_by = units, at_ms, actor
    line.moved_after_units = sum(
        move.quantity_units for move in line.moves if move.effective_at_ms > at_ms
    )
    line.moves = []
    _decide(store, line)


def _decide(store: Store, line: CountLine) -> None:
    """Book a difference within the tolerance; let any other wait for approval."""
    comparison = _compared(store, line)
    waited = line.state == "waiting"
    if comparison.within or not comparison.tolerance:
        _book(store, line, line.counted_by, comparison)
        return
    line.state = "waiting"
    answer(store, line, "waiting", comparison, actor=line.counted_by)
    if not waited:
        raised = AlertRaised(
            alert_key=_alert_key(line),
            kind="count_waiting",
            site=line.site,
            sku=line.sku,
            severity="info",
            at_ms=store.now_ms,
            facts={"quantity_units": comparison.difference_units},
        )
        store.outbox.alert(line.site, raised)


def _compared(store: Store, line: CountLine) -> Comparison:
    level = store.level(line.sku, line.site)
    expected_units = level.on_hand_units - line.moved_after_units
    return compared(store, level, expected_units, line.counted_units)


def _approve(store: Store, asked: CountLineInput) -> None:
    line = _line_of(store, asked)
    if line is not None and line.state == "waiting":
        _book(store, line, asked.actor, _compared(store, line))


def _book(store: Store, line: CountLine, actor: str, comparison: Comparison) -> None:
    level = store.level(line.sku, line.site)
    name = line_key(line.sku, line.site)
    if line.state == "waiting":
        _end_alert(store, line)
    line.state = "counted"
    line.anchor_at_ms, line.anchor_session_id = line.counted_at_ms, line.session_id
    line.anchored_now_ms = store.now_ms
    store.count_lines.touch(name)
    store.timers.arm(("count_line", name), store.now_ms + ANCHOR_KEPT_MS)
    answer(store, line, "counted", comparison, actor=actor)
    book.correct(
        store,
        level,
        "count",
        comparison.difference_units,
        cause=line.session_id,
        effective_at_ms=line.counted_at_ms,
    )
    note_count(store, level, comparison)


def _book_out(store: Store, line: CountLine, late_units: int) -> None:
    book.correct(
        store,
        store.level(line.sku, line.site),
        "count",
        -late_units,
        cause=line.anchor_session_id,
        effective_at_ms=line.anchor_at_ms,
        flags=[LATE],
    )


def _recount(store: Store, asked: CountLineInput) -> None:
    line = _line_of(store, asked)
    if line is not None and line.state == "waiting":
        line.state, line.moves, line.moves_from_ms = "recount", [], store.now_ms
        store.count_lines.touch(line_key(line.sku, line.site))
        answer(store, line, "recount", actor=asked.actor)
        _end_alert(store, line)


def _close(store: Store, asked: CountLineInput) -> None:
    line = _line_of(store, asked)
    if line is None or line.state == "counted":
        return
    if line.state == "waiting":
        _end_alert(store, line)
    if not line.anchor_at_ms:
        _drop(store, line)
        return
    line.state, line.session_id = "counted", line.anchor_session_id
    line.moves = []
    store.count_lines.touch(line_key(line.sku, line.site))


def _end_alert(store: Store, line: CountLine) -> None:
    store.outbox.end_alert(_alert_key(line), line.site, store.now_ms)


def _alert_key(line: CountLine) -> str:
    return f"{line.session_id}.{line.sku}"


def _note_move(line: CountLine, at_ms: int, units: int) -> None:
    insort(line.moves, CountMove(at_ms, units), key=lambda move: move.effective_at_ms)
    while len(line.moves) > MOVES_KEPT_MAX:
        line.moves_from_ms = max(line.moves_from_ms, line.moves.pop(0).effective_at_ms)


_ACTIONS: Final[dict[str, Callable[[Store, CountLineInput], None]]] = {
    "open": _open,
    "enter": _enter_asked,
    "approve": _approve,
    "recount": _recount,
    "close": _close,
}
