"""Stock that is there and must not be sold: quarantined units, recalled lots, expired ones.

A level's quarantined units are the held ones of its lots and the loose ones that a person put aside
whatever their lot. Each change is a movement of the bucket `quarantined`; no unit leaves the book.
"""

from collections.abc import Callable, Iterator
from typing import Final

from ingest.frames import CommandInput
from streams.contracts.alerts import AlertRaised
from streams.contracts.ledger import Movement
from streams.contracts.lots import RECALLS_MAX, HoldCause, LotBook, LotHeld, Recall, SkuRecalls
from streams.contracts.state import Level
from streams.domain import backorders
from streams.domain.lots import find, held_units, lots_name
from streams.domain.store import Store


def follow_move(
    store: Store, level: Level, moved: Movement, lot_units: dict[str, int] | None
) -> None:
    """Bring what is held of a level in line with a movement of its book."""
    if lot_units is not None:
        for lot, units in lot_units.items():
            if units > 0 and lot:
                _hold_recalled(store, level, lot, units)
    wasted_units = -moved.quantity_units if moved.kind == "waste" and not moved.lot else 0
    count_held(store, level, moved.cause, loose_wasted_units=wasted_units)


def count_held(
    store: Store,
    level: Level,
    cause: str,
    *,
    loose_units: int = 0,
    loose_wasted_units: int = 0,
) -> None:
    """Count what is held of a level anew, and write the movement where it changed.

    Args:
        store: The partition.
        level: Whose lots, or whose book, have changed.
        cause: Of the movement.
        loose_units: Put aside (below zero: let go) whatever their lot.
        loose_wasted_units: Thrown away, those that were put aside first.
    """
    book = store.lot_books.get(lots_name(level.sku, level.site))
    was_units = now_units = 0
    if book is not None:
        was_units, now_units = book.held_units, held_units(book)
        book.held_units = now_units
    loose = level.quarantined_units - was_units + loose_units
    loose -= max(0, loose_wasted_units - max(0, was_units - now_units))
    loose = max(0, min(loose, level.on_hand_units - now_units))
    before_units = level.quarantined_units
    level.quarantined_units = now_units + loose
    quantity_units = level.quarantined_units - before_units
    backorders.gain(store, level, -quantity_units)
    if not quantity_units:
        return
    store.levels.touch((level.sku, level.site))
    now_ms = store.now_ms
    store.outbox.movements.append(
        Movement(
            movement_id=store.next_id("movement", level.sku),
            sku=level.sku,
            site=level.site,
            kind="quarantine",
            bucket="quarantined",
            quantity_units=quantity_units,
            before_units=before_units,
            after_units=level.quarantined_units,
            cause=cause,
            effective_at_ms=now_ms,
            recorded_at_ms=now_ms,
        )
    )


def is_recalled(store: Store, sku: str, lot: str) -> Recall | None:
    """Return the recall of a lot, or None."""
    known = store.recalls.get(sku)
    if known is None:
        return None
    return next((recall for recall in known.recalls if recall.lot == lot), None)


def _hold_recalled(store: Store, level: Level, lot: str, units: int) -> None:
    recall = is_recalled(store, level.sku, lot)
    book = store.lot_books.get(lots_name(level.sku, level.site))
    entry = find(book, lot) if book is not None else None
    if recall is None or book is None or entry is None:
        return
    entry.quarantined_units = entry.units
    asked = CommandInput(recall.command_id, "recall_lot", level.sku, "", "", lot=lot)
    _tell(store, book, asked, "arrival", units)
    _alert(store, book, lot, entry.units)


def _quarantine(store: Store, command: CommandInput) -> str:
    level = store.levels.get((command.sku, command.site))
    if level is None:
        return f"nothing is known of {command.sku} at {command.site}"
    book = store.lot_books.get(lots_name(command.sku, command.site))
    units = command.quantity_units
    if command.lot:
        entry = find(book, command.lot) if book is not None else None
        if book is None or entry is None:
            return f"there is no lot {command.lot} of {command.sku} at {command.site}"
        free_units = entry.units - entry.quarantined_units
        if units > free_units or not free_units:
            return f"only {free_units} units of lot {command.lot} are not quarantined"
        units = units or free_units
        entry.quarantined_units += units
        _change(store, book, command, "quarantine", units)
        return ""
    free_units = max(0, level.on_hand_units - level.quarantined_units)
    if units > free_units or not free_units:
        return f"only {free_units} units are not quarantined"
    _change(store, book, command, "quarantine", units or free_units)
    return ""


def _release(store: Store, command: CommandInput) -> str:
    level = store.levels.get((command.sku, command.site))
    if level is None:
        return f"nothing is known of {command.sku} at {command.site}"
    book = store.lot_books.get(lots_name(command.sku, command.site))
    units = command.quantity_units
    if command.lot:
        if is_recalled(store, command.sku, command.lot) is not None:
            return f"lot {command.lot} is recalled: lift the recall first"
        entry = find(book, command.lot) if book is not None else None
        held = entry.quarantined_units if entry is not None else 0
        if book is None or entry is None or units > held or not held:
            return f"only {held} units of lot {command.lot} are quarantined"
        units = units or held
        entry.quarantined_units -= units
        _change(store, book, command, "release", -units)
        return ""
    loose = level.quarantined_units - (book.held_units if book is not None else 0)
    if units > loose or not loose:
        return f"only {loose} units of no named lot are quarantined"
    _change(store, book, command, "release", -(units or loose))
    return ""


def _change(
    store: Store, book: LotBook | None, command: CommandInput, cause: HoldCause, units: int
) -> None:
    """Count and tell what a command held back (below zero: let go) at one site."""
    level = store.level(command.sku, book.site if book is not None else command.site)
    if book is not None:
        book.updated_at_ms = store.now_ms
        store.lot_books.touch(lots_name(level.sku, level.site))
    loose_units = 0 if command.lot else units
    count_held(store, level, command.command_id, loose_units=loose_units)
    store.touch_level(level)
    told = book or LotBook(sku=level.sku, site=level.site, unknown_units=level.on_hand_units)
    _tell(store, told, command, cause, units)


def _recall(store: Store, command: CommandInput) -> str:
    """Quarantine a lot at every site that has it; what of it comes later is quarantined too."""
    sku, lot = command.sku, command.lot
    if is_recalled(store, sku, lot) is not None:
        return f"lot {lot} of {sku} is already recalled"
    books = list(_books(store, sku))
    if not books and not _is_tracked(store, sku):
        return f"lots of {sku} are not tracked at any site"
    known = store.recalls.get(sku) or SkuRecalls(sku=sku)
    if len(known.recalls) >= RECALLS_MAX:
        return f"{RECALLS_MAX} lots of {sku} are recalled: lift a recall first"
    known.recalls.append(Recall(lot, store.now_ms, command.command_id))
    store.recalls.put(sku, known)
    for book in books:
        entry = find(book, lot)
        if entry is None:
            if book.unknown_units > 0:  # some of them may be of this lot: people have to look
                _tell(store, book, command, "recall", 0)
                _alert(store, book, lot, 0)
            continue
        units = entry.units - entry.quarantined_units
        entry.quarantined_units = entry.units
        _change(store, book, command, "recall", units)
        _alert(store, book, lot, entry.units)
    return ""


def _lift(store: Store, command: CommandInput) -> str:
    """End a recall, and let go what of the lot is quarantined."""
    sku, lot = command.sku, command.lot
    known = store.recalls.get(sku)
    if known is None or is_recalled(store, sku, lot) is None:
        return f"lot {lot} of {sku} is not recalled"
    known.recalls = [recall for recall in known.recalls if recall.lot != lot]
    if known.recalls:
        store.recalls.touch(sku)
    else:
        store.recalls.remove(sku)
    for book in _books(store, sku):
        entry = find(book, lot)
        if entry is not None and entry.quarantined_units:
            units, entry.quarantined_units = entry.quarantined_units, 0
            _change(store, book, command, "lift", -units)
    for site in store.book(sku).sites:
        store.outbox.end_alert(_alert_key(sku, lot, site), site, store.now_ms)
    return ""


def _books(store: Store, sku: str) -> Iterator[LotBook]:
    for site in store.book(sku).sites:
        book = store.lot_books.get(lots_name(sku, site))
        if book is not None:
            yield book


def _is_tracked(store: Store, sku: str) -> bool:
    sites = store.book(sku).sites
    return any(store.rules(sku, site).lot_tracking == "lots" for site in sites)


def _tell(
    store: Store, book: LotBook, command: CommandInput, cause: HoldCause, quantity_units: int
) -> None:
    lot = command.lot
    entry = find(book, lot)
    loose = store.level(book.sku, book.site).quarantined_units - book.held_units
    held = entry.quarantined_units if entry is not None else 0
    store.outbox.events.append(
        LotHeld(
            hold_id=store.next_id("hold", book.sku),
            sku=book.sku,
            site=book.site,
            lot=lot,
            cause=cause,
            quantity_units=quantity_units,
            quarantined_units=held if lot else loose,
            unknown_units=book.unknown_units,
            at_ms=store.now_ms,
            command_id=command.command_id,
            actor=command.actor,
            reason=command.reason,
            reference_version=store.clock.reference_version,
        )
    )


def _alert_key(sku: str, lot: str, site: str) -> str:
    return f"recall-{sku}-{lot}@{site}"


def _alert(store: Store, book: LotBook, lot: str, units: int) -> None:
    store.outbox.alert(
        book.site,
        AlertRaised(
            alert_key=_alert_key(book.sku, lot, book.site),
            kind="lot_recalled",
            site=book.site,
            sku=book.sku,
            severity="critical",
            at_ms=store.now_ms,
            observed_at_ms=store.observed_at_ms,
            facts={"quarantined_units": units, "unknown_units": max(0, book.unknown_units)},
            text=f"lot {lot}",
        ),
    )


VERBS: Final[dict[str, Callable[[Store, CommandInput], str]]] = {
    "quarantine": _quarantine,
    "release_quarantine": _release,
    "recall_lot": _recall,
    "lift_recall": _lift,
}
"""What commands about held stock do; each returns why it can't be done, or nothing."""
