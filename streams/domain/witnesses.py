"""The two witnesses of a level: what its book says, what its shelf shows, and what that means.

Only levels whose policy watches them come here. A shelf that is not seen says nothing: while it is
blind nothing opens, nothing clears, and a dwell begins anew afterwards.
"""

from typing import Final, NamedTuple

from streams.contracts.alerts import AlertEnded, AlertRaised, Severity
from streams.contracts.events import BreachCleared, BreachOpened
from streams.contracts.state import SEPARATOR, Level
from streams.contracts.witnesses import (
    UNSEEN,
    WITNESS,
    GapCause,
    Watch,
    WitnessGapChanged,
    WitnessKind,
    WitnessRecord,
)
from streams.domain.catalogue import Rules
from streams.domain.sensing import available_units, shelf_units
from streams.domain.store import Store

SEVERITY: Final[dict[WitnessKind, Severity]] = {
    "phantom_stock": "warning",
    "ghost_stock": "info",
    "shelf_gap": "warning",
    "theft_like_drop": "critical",
    "dead_stock": "info",
}


class Judgement(NamedTuple):
    """How a level stands to one kind of breach."""

    kind: WitnessKind
    threshold_units: int
    crossed: bool
    recovered: bool


def look(store: Store, level: Level, rules: Rules) -> None:
    """Compare the witnesses of a changed level, and tell what is to be told."""
    name = witness_name(level.sku, level.site)
    record = store.witnesses.get(name)
    if record is None:
        record = WitnessRecord(sku=level.sku, site=level.site)
    store.witnesses.put(name, record)
    seen_units = shelf_units(level)
    if seen_units is None:
        record.drop_since_ms = 0
        record.seen_shelf_units = UNSEEN
        if not record.gap_id:
            record.gap_since_ms = 0
    else:
        _follow_drop(store, level, rules, record, seen_units)
        _compare(store, level, rules, record, seen_units)
        record.seen_shelf_units = seen_units
    record.seen_book_units = level.on_hand_units
    for judgement in _judgements(level, rules, record, seen_units):
        _apply(store, level, rules, record, judgement)
    next_ms = _next_ms(record, rules)
    if next_ms:
        store.timers.arm((WITNESS, name), next_ms)


def witness_name(sku: str, site: str) -> str:
    """Return the key of a witness record in the store."""
    return f"{sku}{SEPARATOR}{site}"


def due_ms(store: Store, name: str) -> int:
    """Return when a dwell of this level has passed; 0 for never."""
    record = store.witnesses.get(name)
    return _next_ms(record, store.rules(record.sku, record.site)) if record is not None else 0


def come_due(store: Store, name: str) -> int:
    """Look at a level whose dwell has passed."""
    sku, _, site = name.partition(SEPARATOR)
    store.touched[sku, site] = None
    return 0


def follow_policy(store: Store, sku: str, site: str) -> None:
    """End all that was told of a level whose policy no longer watches its witnesses."""
    name = witness_name(sku, site)
    record = store.witnesses.get(name)
    if record is None or store.rules(sku, site).is_watched:
        return
    level = store.level(sku, site)
    rules = store.rules(sku, site)
    for watch in record.watches:
        if watch.breach_id:
            _clear(store, level, rules, watch, 0)
    if record.gap_id:
        _tell_gap(store, level, record, record.seen_shelf_units, "closed")
    store.witnesses.remove(name)


def note_day(store: Store, level: Level, issued_units: int, days: int) -> None:
    """Count closed days without an issue; the daily round calls it."""
    rules = store.rules(level.sku, level.site)
    if not rules.dead_stock_days:
        return
    name = witness_name(level.sku, level.site)
    record = store.witnesses.get(name) or WitnessRecord(sku=level.sku, site=level.site)
    store.witnesses.put(name, record)
    idle = issued_units <= 0 < level.on_hand_units
    record.idle_days = record.idle_days + days if idle else 0
    store.touched[level.sku, level.site] = None


def _next_ms(record: WitnessRecord, rules: Rules) -> int:
    due = [
        watch.since_ms + _dwell_ms(watch.kind, rules)
        for watch in record.watches
        if not watch.breach_id
    ]
    if record.gap_since_ms and not record.gap_id:
        due.append(record.gap_since_ms + rules.witness_dwell_ms)
    return min(due, default=0)


def _dwell_ms(kind: WitnessKind, rules: Rules) -> int:
    if kind == "dead_stock":
        return 0
    return rules.theft_window_ms if kind == "theft_like_drop" else rules.witness_dwell_ms


def _follow_drop(
    store: Store, level: Level, rules: Rules, record: WitnessRecord, seen_units: int
) -> None:
    """Remember how far book and shelf were apart before the shelf began to fall."""
    if not rules.theft_drop_units or record.seen_shelf_units == UNSEEN:
        record.drop_since_ms = 0
        return
    missing_units = _missing_units(level, record, seen_units)
    if record.drop_since_ms:
        late = store.now_ms - record.drop_since_ms > rules.theft_window_ms
        if missing_units > 0 and not (late and not _watch(record, "theft_like_drop")):
            return
        record.drop_since_ms = 0
    if seen_units < record.seen_shelf_units:
        record.drop_since_ms = store.now_ms
        record.drop_gap_units = record.seen_book_units - record.seen_shelf_units


def _missing_units(level: Level, record: WitnessRecord, seen_units: int) -> int:
    """Return what the shelf lost since its drop began that no scan speaks of."""
    if not record.drop_since_ms:
        return 0
    return level.on_hand_units - seen_units - record.drop_gap_units


def _compare(
    store: Store, level: Level, rules: Rules, record: WitnessRecord, seen_units: int
) -> None:
    """Open, follow or close the gap between book and shelf."""
    gap_units = seen_units - level.on_hand_units
    if rules.refill_below_units:  # what is not on the shelf stands in the backroom
        gap_units = max(0, gap_units)
    watched = rules.witness_dwell_ms > 0
    differs = watched and abs(gap_units) > (rules.count_tolerance_units or 0)
    if not differs or record.agreed_shelf_units == UNSEEN:
        record.agreed_book_units = level.on_hand_units
        record.agreed_shelf_units = seen_units
    if not differs:
        record.gap_units, record.gap_since_ms = 0, 0
        if record.gap_id:
            _tell_gap(store, level, record, seen_units, "closed")
            record.gap_id = ""
        return
    record.gap_units = gap_units
    record.gap_since_ms = record.gap_since_ms or store.now_ms
    cause = _cause(level, rules, record, seen_units)
    if record.gap_id:
        if cause != record.gap_cause:
            record.gap_cause = cause
            _tell_gap(store, level, record, seen_units, "open")
    elif record.gap_since_ms + rules.witness_dwell_ms <= store.now_ms:
        record.gap_id = store.next_id("gap", level.sku)
        record.gap_cause = cause
        _tell_gap(store, level, record, seen_units, "open")


def _cause(level: Level, rules: Rules, record: WitnessRecord, seen_units: int) -> GapCause:
    """Guess why they differ: by the scale's own doubts, then by which of them moved."""
    cells = [channel.cell for channel in level.sensed if channel.cell is not None]
    shelf_moved_units = seen_units - record.agreed_shelf_units
    book_moved_units = level.on_hand_units - record.agreed_book_units
    found: GapCause = "unknown"
    if any(cell.foreign_parts for cell in cells):
        found = "misplaced"
    elif any(2 * abs(cell.offset_parts) >= cell.unit_parts > 0 for cell in cells):
        found = "tare_drift"
    elif record.gap_units > 0 and shelf_moved_units > 0:
        found = "missed_receipt"
    elif record.gap_units > 0 and book_moved_units < 0:
        found = "mistaken_scan"
    elif record.gap_units < 0 and _is_drop(level, rules, record, seen_units):
        found = "theft"
    elif record.gap_units < 0 and shelf_moved_units < 0:
        found = "unscanned_sale"
    elif record.gap_units < 0 and book_moved_units > 0:
        found = "misplaced"
    return found


def _is_drop(level: Level, rules: Rules, record: WitnessRecord, seen_units: int) -> bool:
    least_units = rules.theft_drop_units
    return 0 < least_units < _missing_units(level, record, seen_units)


def _tell_gap(
    store: Store, level: Level, record: WitnessRecord, seen_units: int, state: str
) -> None:
    store.outbox.events.append(
        WitnessGapChanged(
            gap_id=record.gap_id,
            sku=level.sku,
            site=level.site,
            state="open" if state == "open" else "closed",
            at_ms=store.now_ms,
            since_ms=record.gap_since_ms,
            gap_units=record.gap_units,
            cause=record.gap_cause,
            decided_from={
                "book_units": level.on_hand_units,
                "shelf_units": seen_units,
                "agreed_book_units": record.agreed_book_units,
                "agreed_shelf_units": record.agreed_shelf_units,
                "reference_version": store.clock.reference_version,
            },
        )
    )


def _judgements(
    level: Level, rules: Rules, record: WitnessRecord, seen_units: int | None
) -> list[Judgement]:
    """Return how the level stands to each kind; those of a shelf that is not seen stay."""
    book_units, days = level.on_hand_units, rules.dead_stock_days
    issues = level.issued_units + level.issued_next_units
    if issues > 0 or book_units <= 0:
        record.idle_days = 0
    dead = 0 < days <= record.idle_days
    found = [Judgement("dead_stock", 0, dead, not dead)]
    if seen_units is None:
        for watch in [watch for watch in record.watches if not watch.breach_id]:
            record.watches.remove(watch)
        return found
    least_units = rules.refill_below_units
    compared = rules.witness_dwell_ms > 0
    phantom = compared and not least_units and seen_units == 0 < book_units
    ghost = compared and book_units <= 0 < seen_units
    bare = seen_units < least_units and seen_units < book_units
    filled = seen_units >= least_units + rules.hysteresis_units or seen_units >= book_units
    drop = _is_drop(level, rules, record, seen_units)
    return [
        *found,
        Judgement("ghost_stock", 0, ghost, not ghost),
        Judgement("phantom_stock", 0, phantom, not phantom),
        Judgement("shelf_gap", least_units, bare, filled or not least_units),
        Judgement("theft_like_drop", rules.theft_drop_units, drop, not drop),
    ]


def _watch(record: WitnessRecord, kind: WitnessKind) -> Watch | None:
    return next((watch for watch in record.watches if watch.kind == kind), None)


def _apply(
    store: Store, level: Level, rules: Rules, record: WitnessRecord, judgement: Judgement
) -> None:
    watch = _watch(record, judgement.kind)
    if watch is None:
        if not judgement.crossed:
            return
        watch = Watch(judgement.kind, store.now_ms, observed_at_ms=store.observed_at_ms)
        record.watches.append(watch)
        record.watches.sort(key=lambda entry: entry.kind)
    if watch.breach_id:
        if judgement.recovered:
            record.watches.remove(watch)
            _clear(store, level, rules, watch, judgement.threshold_units)
    elif not judgement.crossed:
        record.watches.remove(watch)
    elif watch.since_ms + _dwell_ms(watch.kind, rules) <= store.now_ms:
        numbers = {"threshold_units": judgement.threshold_units}
        numbers |= _numbers(level, rules, record, watch.kind)
        _open(store, level, rules, watch, numbers)


def _open(
    store: Store,
    level: Level,
    rules: Rules,
    watch: Watch,
    numbers: dict[str, int],
) -> None:
    watch.breach_id = store.next_id("breach", level.sku)
    watch.opened_at_ms = store.now_ms
    available = available_units(level, rules)
    store.outbox.events.append(
        BreachOpened(
            breach_id=watch.breach_id,
            sku=level.sku,
            site=level.site,
            kind=watch.kind,
            at_ms=store.now_ms,
            since_ms=watch.since_ms,
            available_units=available,
            position_units=available + level.in_transit_in_units + level.on_order_units,
            threshold_units=numbers["threshold_units"],
            observed_at_ms=watch.observed_at_ms,
            decided_from={**numbers, "reference_version": store.clock.reference_version},
        )
    )
    raised = AlertRaised(
        alert_key=watch.breach_id,
        kind=watch.kind,
        site=level.site,
        sku=level.sku,
        severity=SEVERITY[watch.kind],
        at_ms=store.now_ms,
        observed_at_ms=watch.observed_at_ms,
        facts=numbers,
    )
    store.outbox.alert(level.site, raised)


def _numbers(
    level: Level, rules: Rules, record: WitnessRecord, kind: WitnessKind
) -> dict[str, int]:
    numbers = {"book_units": level.on_hand_units}
    if kind == "dead_stock":
        return {**numbers, "idle_days": record.idle_days, "dead_stock_days": rules.dead_stock_days}
    seen_units = record.seen_shelf_units
    numbers |= {"shelf_units": seen_units, "dwell_ms": _dwell_ms(kind, rules)}
    if kind == "theft_like_drop":
        numbers["missing_units"] = _missing_units(level, record, seen_units)
    if kind == "shelf_gap":
        room_units = (rules.capacity_units or level.on_hand_units) - seen_units
        numbers["backroom_units"] = level.on_hand_units - seen_units
        numbers["refill_units"] = max(1, min(room_units, numbers["backroom_units"]))
    return numbers


def _clear(store: Store, level: Level, rules: Rules, watch: Watch, threshold_units: int) -> None:
    store.outbox.events.append(
        BreachCleared(
            breach_id=watch.breach_id,
            sku=level.sku,
            site=level.site,
            kind=watch.kind,
            at_ms=store.now_ms,
            opened_at_ms=watch.opened_at_ms,
            available_units=available_units(level, rules),
            threshold_units=threshold_units,
        )
    )
    ended = AlertEnded(alert_key=watch.breach_id, site=level.site, at_ms=store.now_ms)
    store.outbox.alert(level.site, ended)
