"""The book of a level: what scans and orders say is on hand, at moving-average cost.

Every change of the book is posted here, as a movement that leads from the quantity before to the
one after. Costs are integers in minor units; the average is value divided by quantity, and a book
of zero units has the value zero.
"""

from typing import Final

import msgspec

from ingest.frames import ScanInput
from streams.contracts.ledger import Bucket, Movement, MovementKind, scan_cause
from streams.contracts.lots import CarriedLot
from streams.contracts.state import Level
from streams.domain import backorders, holds, issues, lots
from streams.domain.arithmetic import half_even
from streams.domain.store import Store

NEGATIVE: Final = "negative"
"""Flag of a movement that left the book below zero."""
REFUSED_NEGATIVE: Final = "would_be_negative"
"""Flag of a scan that a `refuse` policy kept from taking the book below zero."""

_NO_FLAGS: Final[list[str]] = []
"""Shared by all movements without a flag; movements are never changed."""


def post(
    store: Store,
    level: Level,
    kind: MovementKind,
    quantity_units: int,
    value_minor: int,
    *,
    cause: str,
    effective_at_ms: int,
    transfer_id: str = "",
    lot: str = "",
    expires_at_ms: int = 0,
    named_lots: list[CarriedLot] | None = None,
    flags: list[str] | None = None,
) -> None:
    """Change the book by signed units and value, and write the movement.

    Lots move with it where the policy tracks them; `named_lots` says which, as far as known.
    """
    now_ms = store.clock.now_ms
    before_units = level.on_hand_units
    lot_units = None
    if quantity_units and store.catalogue.lot_policies and lots.are_tracked(store, level):
        flags = list(flags or _NO_FLAGS)
        moving = lots.Moving(
            kind, quantity_units, lot, expires_at_ms, transfer_id, named_lots or []
        )
        lot_units = lots.move(store, level, moving, flags)
        store.touched[level.sku, level.site] = None
    after_units = before_units + quantity_units
    level.on_hand_units = after_units
    level.value_minor += value_minor
    level.updated_at_ms = now_ms
    level.moment_unit_s += quantity_units * store.now_s  # all that key figures ask for
    sku, site = sku_site = level.sku, level.site
    entry = store.levels.entries[sku_site]
    store.levels.change(entry)
    if not entry.calm[0] <= after_units <= entry.calm[1]:
        _stir(store, level, quantity_units, effective_at_ms, cause)
    # Every event of a shop comes by here: fields by position take half the time that names take.
    movement = Movement(
        f"movement-{sku}-{store.next_number(sku)}",
        sku,
        site,
        kind,
        "on_hand",
        quantity_units,
        before_units,
        after_units,
        cause,
        effective_at_ms,
        now_ms,
        half_even(value_minor, quantity_units) if quantity_units else 0,
        value_minor,
        transfer_id,
        lot,
        flags or _NO_FLAGS,
        lot_units,
    )
    store.outbox.movements.append(movement)
    if lot_units is not None or level.quarantined_units:
        holds.follow_move(store, level, movement, lot_units)


def _stir(
    store: Store, level: Level, quantity_units: int, effective_at_ms: int, cause: str
) -> None:
    """Let a level be looked at that is not calm: none is that is counted, or owes units."""
    sku_site = level.sku, level.site
    store.touched[sku_site] = None
    if sku_site in store.counting:
        store.counting[sku_site].append((effective_at_ms, quantity_units, cause))
    backorders.gain(store, level, quantity_units)


def note_served(store: Store, place: int, served: dict[str, int]) -> None:
    """Say in a movement that was just written which requests it served: a void asks for it."""
    movements = store.outbox.movements
    movements[place] = msgspec.structs.replace(movements[place], served=served)


def post_aside(
    store: Store,
    sku: str,
    site: str,
    kind: MovementKind,
    bucket: Bucket,
    *,
    quantity_units: int,
    before_units: int,
    cause: str,
    value_minor: int = 0,
    transfer_id: str = "",
    flags: list[str] | None = None,
) -> None:
    """Write a movement of another bucket; what it counts is changed by the caller."""
    now_ms = store.clock.now_ms
    store.outbox.movements.append(
        Movement(
            movement_id=store.next_id("movement", sku),
            sku=sku,
            site=site,
            kind=kind,
            bucket=bucket,
            quantity_units=quantity_units,
            before_units=before_units,
            after_units=before_units + quantity_units,
            cause=cause,
            effective_at_ms=now_ms,
            recorded_at_ms=now_ms,
            value_minor=value_minor,
            transfer_id=transfer_id,
            flags=flags or _NO_FLAGS,
        )
    )


def unit_cost_minor(store: Store, sku: str) -> int:
    """Return the catalogue's cost of one base unit; 0 while the SKU is unknown."""
    record = store.book(sku).record
    return record.unit_cost_minor if record is not None else 0


def issue_value_minor(level: Level, quantity_units: int, cost_minor: int) -> int:
    """Return the (positive) value of units that leave: at average, below zero at `cost_minor`."""
    on_hand_units = level.on_hand_units
    if quantity_units < on_hand_units:
        return half_even(level.value_minor * quantity_units, on_hand_units)
    covered_units = max(0, on_hand_units)
    covered_minor = level.value_minor if covered_units else 0
    return covered_minor + (quantity_units - covered_units) * cost_minor


def receipt_value_minor(level: Level, quantity_units: int, total_minor: int) -> int:
    """Return what units that come in for `total_minor` in all add to the book's value.

    Units that only fill a book below zero come in at the value they left with.
    """
    owed_units = -level.on_hand_units
    if owed_units <= 0:
        return total_minor
    if quantity_units < owed_units:
        return half_even(-level.value_minor * quantity_units, owed_units)
    if quantity_units == 0:
        return 0
    rest_units = quantity_units - owed_units
    return half_even(total_minor * rest_units, quantity_units) - level.value_minor


def average_cost_minor(store: Store, level: Level) -> int:
    """Return the moving-average cost of one unit, or the catalogue's while nothing is on hand."""
    if level.on_hand_units > 0:
        return half_even(level.value_minor, level.on_hand_units)
    return unit_cost_minor(store, level.sku)


def refuses(store: Store, level: Level, quantity_units: int) -> bool:
    """Tell whether the policy refuses that so many units leave."""
    return (
        quantity_units > level.on_hand_units
        and store.rules(level.sku, level.site).negative_stock == "refuse"
    )


def negative_flags(store: Store, level: Level, quantity_units: int) -> list[str]:
    """Return the flags of an issue of so many units."""
    if quantity_units <= level.on_hand_units or quantity_units <= 0:
        return []
    flagged = store.rules(level.sku, level.site).negative_stock == "flag"
    return [NEGATIVE] if flagged else []


def post_refused(store: Store, level: Level, scan: ScanInput, flag: str = REFUSED_NEGATIVE) -> None:
    """Leave the trace of a refused scan."""
    post(
        store,
        level,
        "refused",
        0,
        0,
        cause=scan_cause(scan.source, scan.boot, scan.seq),
        effective_at_ms=scan.observed_at_ms,
        transfer_id=scan.transfer_id,
        lot=scan.lot,
        flags=[flag],
    )


def issue_scan(store: Store, scan: ScanInput) -> None:
    """Book a sale, a pick or waste."""
    sku_site = scan.sku, scan.site
    entry = store.levels.entries.get(sku_site)
    level = entry.record if entry is not None else store.level(*sku_site)
    quantity_units = scan.quantity_units
    flags, cost_minor = _NO_FLAGS, 0
    if quantity_units >= level.on_hand_units:  # only then is another cost than the average needed
        if refuses(store, level, quantity_units):
            post_refused(store, level, scan)
            return
        flags = negative_flags(store, level, quantity_units)
        cost_minor = unit_cost_minor(store, scan.sku)
    value_minor = issue_value_minor(level, quantity_units, cost_minor)
    if scan.action != "waste":
        issues.count(level, quantity_units, scan.observed_at_ms)
    post(
        store,
        level,
        scan.action,
        -quantity_units,
        -value_minor,
        cause=f"{scan.source}/{scan.boot}/{scan.seq}",
        effective_at_ms=scan.observed_at_ms,
        lot=scan.lot,
        expires_at_ms=scan.expires_at_ms,
        flags=flags,
    )


def receive_scan(store: Store, scan: ScanInput) -> None:
    """Book a receipt at its own cost, or a return at the average."""
    level = store.level(scan.sku, scan.site)
    cost_minor = scan.unit_cost_minor
    if scan.action == "return":
        cost_minor = average_cost_minor(store, level)
    elif cost_minor < 0:
        cost_minor = unit_cost_minor(store, scan.sku)
    post(
        store,
        level,
        scan.action,
        scan.quantity_units,
        receipt_value_minor(level, scan.quantity_units, scan.quantity_units * cost_minor),
        cause=scan_cause(scan.source, scan.boot, scan.seq),
        effective_at_ms=scan.observed_at_ms,
        lot=scan.lot,
        expires_at_ms=scan.expires_at_ms,
    )


def correct_scan(store: Store, scan: ScanInput) -> None:
    """Book an adjustment by signed units, or a count of what is there."""
    level = store.level(scan.sku, scan.site)
    delta_units = scan.quantity_units
    if scan.action == "count":
        delta_units -= lots.counted_units(store, level, scan.lot)
    elif delta_units < 0 and refuses(store, level, -delta_units):
        post_refused(store, level, scan)  # a count says what is there: nothing refuses that
        return
    correct(
        store,
        level,
        scan.action,
        delta_units,
        cause=scan_cause(scan.source, scan.boot, scan.seq),
        effective_at_ms=scan.observed_at_ms,
        lot=scan.lot,
        expires_at_ms=scan.expires_at_ms,
    )


def correct(
    store: Store,
    level: Level,
    kind: MovementKind,
    delta_units: int,
    *,
    cause: str,
    effective_at_ms: int,
    lot: str = "",
    expires_at_ms: int = 0,
    flags: list[str] | None = None,
) -> None:
    """Book a difference: what is found comes in at the average, what is missing leaves at it."""
    flags = flags or []
    if delta_units < 0:
        cost_minor = unit_cost_minor(store, level.sku)
        value_minor = -issue_value_minor(level, -delta_units, cost_minor)
        flags = [*flags, *negative_flags(store, level, -delta_units)]
    else:
        total_minor = delta_units * average_cost_minor(store, level)
        value_minor = receipt_value_minor(level, delta_units, total_minor)
    post(
        store,
        level,
        kind,
        delta_units,
        value_minor,
        cause=cause,
        effective_at_ms=effective_at_ms,
        lot=lot,
        expires_at_ms=expires_at_ms,
        flags=flags,
    )


def open_scan(store: Store, scan: ScanInput) -> None:
    """Note that a pack was opened; nothing moves."""
    post(
        store,
        store.level(scan.sku, scan.site),
        "open",
        0,
        0,
        cause=scan_cause(scan.source, scan.boot, scan.seq),
        effective_at_ms=scan.observed_at_ms,
        lot=scan.lot,
    )
