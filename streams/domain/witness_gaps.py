"""The gap between book and what is seen: since when, how large, and why perhaps.

Where sensors watch a backroom too, the book is compared with shelf and backroom together.
"""

from streams.contracts.state import Level
from streams.contracts.witnesses import UNSEEN, GapCause, WitnessGapChanged, WitnessRecord
from streams.domain.areas import Sight
from streams.domain.catalogue import Rules
from streams.domain.store import Store


def follow_drop(
    store: Store, level: Level, rules: Rules, record: WitnessRecord, seen_units: int | None
) -> None:
    """Remember how far book and shelf were apart before the shelf began to fall."""
    before_units = last_seen_units(record)
    if seen_units is None or not rules.theft_drop_units or before_units == UNSEEN:
        record.drop_since_ms = 0
        return
    missing_units = missing_units_of(level, record, seen_units)
    if record.drop_since_ms:
        watched = any(watch.kind == "theft_like_drop" for watch in record.watches)
        late = store.now_ms - record.drop_since_ms > rules.theft_window_ms
        if missing_units > 0 and (watched or not late):
            return
        record.drop_since_ms = 0
    if seen_units < before_units:
        record.drop_since_ms = store.now_ms
        record.drop_gap_units = record.seen_book_units - before_units


def note_seen(record: WitnessRecord, sight: Sight) -> None:
    """Remember what is seen now, for the next look."""
    record.seen_shelf_units = UNSEEN if sight.units is None else sight.shelf_units or 0
    record.seen_backroom_units = sight.backroom_units or 0


def last_seen_units(record: WitnessRecord) -> int:
    """Return what was seen on the shelf and behind it when last looked at; `UNSEEN` for unknown."""
    if record.seen_shelf_units == UNSEEN:
        return UNSEEN
    return record.seen_shelf_units + record.seen_backroom_units


def missing_units_of(level: Level, record: WitnessRecord, seen_units: int) -> int:
    """Return what the shelf lost since its drop began that no scan speaks of."""
    if not record.drop_since_ms:
        return 0
    return level.on_hand_units - seen_units - record.drop_gap_units


def is_drop(level: Level, rules: Rules, record: WitnessRecord, seen_units: int) -> bool:
    """Tell whether more is missing than a drop may be."""
    least_units = rules.theft_drop_units
    return 0 < least_units < missing_units_of(level, record, seen_units)


def compare(store: Store, level: Level, rules: Rules, record: WitnessRecord, sight: Sight) -> None:
    """Open, follow or close the gap between book and shelf; an open one stays while unseen."""
    seen_units = sight.units
    if seen_units is None:
        if not record.gap_id:
            record.gap_since_ms = 0
        return
    gap_units = seen_units - level.on_hand_units
    # What is not on the shelf stands in the backroom, unless sensors see what stands there.
    if rules.refill_below_units and sight.backroom_units is None:
        gap_units = max(0, gap_units)
    watched = rules.witness_dwell_ms > 0
    differs = watched and abs(gap_units) > (rules.count_tolerance_units or 0)
    if not differs or record.agreed_shelf_units == UNSEEN:
        record.agreed_book_units = level.on_hand_units
        record.agreed_shelf_units = seen_units
    if not differs:
        record.gap_units, record.gap_since_ms = 0, 0
        if record.gap_id:
            tell_gap(store, level, record, sight, "closed")
            record.gap_id = ""
        return
    record.gap_units = gap_units
    record.gap_since_ms = record.gap_since_ms or store.now_ms
    cause = _cause(level, rules, record, seen_units)
    if record.gap_id:
        if cause != record.gap_cause:
            record.gap_cause = cause
            tell_gap(store, level, record, sight, "open")
    elif record.gap_since_ms + rules.witness_dwell_ms <= store.now_ms:
        record.gap_id = store.next_id("gap", level.sku)
        record.gap_cause = cause
        tell_gap(store, level, record, sight, "open")


def tell_gap(store: Store, level: Level, record: WitnessRecord, sight: Sight, state: str) -> None:
    """Tell that the gap opened, is guessed otherwise, or closed; `state` is open or closed."""
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
                **seen_numbers(sight),
                "agreed_book_units": record.agreed_book_units,
                "agreed_shelf_units": record.agreed_shelf_units,
                "reference_version": store.clock.reference_version,
            },
        )
    )


def seen_numbers(sight: Sight) -> dict[str, int]:
    """Return what is seen, base units by name; `UNSEEN` for a shelf that is not."""
    numbers = {"shelf_units": UNSEEN if sight.shelf_units is None else sight.shelf_units}
    if sight.backroom_units is not None:
        numbers["backroom_units"] = sight.backroom_units
    return numbers


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
    elif record.gap_units < 0 and is_drop(level, rules, record, seen_units):
        found = "theft"
    elif record.gap_units < 0 and shelf_moved_units < 0:
        found = "unscanned_sale"
    elif record.gap_units < 0 and book_moved_units > 0:
        found = "misplaced"
    return found
