"""Dispatch and arrival scans: which transfer they belong to, and what they move.

A scan names its transfer, or belongs to the oldest fitting one of its lane and SKU, or makes one.
Arrival before dispatch implies the dispatch; the late dispatch scan then moves nothing twice. A
scan after the end of a transfer still moves stock, and reopens it.
"""

from collections.abc import Iterator

from ingest.frames import ScanInput
from streams.contracts.ledger import scan_cause
from streams.contracts.state import TRANSFER_OPEN, Level, Transfer
from streams.domain import book, needs
from streams.domain.arithmetic import half_even
from streams.domain.store import Store
from streams.domain.transfers import (
    NOTHING,
    before,
    find,
    flag,
    make,
    move_on_the_way,
    number_of,
    on_the_way_units,
    progress,
    settle,
    transit_deadline_ms,
)

NO_TRANSFER = "no_transfer"
"""Flag of a scan that names neither a transfer nor another site, and fits none."""


def dispatch_scan(store: Store, scan: ScanInput) -> None:
    """Let units leave a site, as far as an inferred dispatch has not already moved them."""
    level = store.level(scan.sku, scan.site)
    transfer = _dispatched_transfer(store, scan)
    confirmed_units = min(scan.quantity_units, transfer.inferred_units if transfer else 0)
    quantity_units = scan.quantity_units - confirmed_units
    if quantity_units > level.on_hand_units and book.refuses(store, level, quantity_units):
        book.post_refused(store, level, scan)
        return
    was = before(transfer) if transfer is not None else NOTHING
    if transfer is None and _names_other_site(scan):
        transfer = make(
            store,
            scan.sku,
            scan.site,
            scan.counterpart_site,
            quantity_units=quantity_units,
            state="dispatched",
        )
        flag(transfer, "ad_hoc")
        needs.allot(store, scan.sku, scan.counterpart_site, scan.site, quantity_units)
    flags = ["inferred_before"] if confirmed_units else []
    value_minor = _leave(
        store, level, scan, transfer=transfer, quantity_units=quantity_units, flags=flags
    )
    if transfer is None:
        return
    cause = scan_cause(scan.source, scan.boot, scan.seq)
    transfer.inferred_units -= confirmed_units
    move_on_the_way(store, transfer, "transit_in", quantity_units, cause, value_minor=value_minor)
    transfer.dispatched_units += quantity_units
    transfer.value_minor += value_minor
    if quantity_units:
        _advance(store, transfer)
    settle(store, transfer, was, cause)


def _leave(
    store: Store,
    level: Level,
    scan: ScanInput,
    *,
    transfer: Transfer | None,
    quantity_units: int,
    flags: list[str],
) -> int:
    cost_minor = book.unit_cost_minor(store, scan.sku)
    value_minor = book.issue_value_minor(level, quantity_units, cost_minor)
    flags = flags + book.negative_flags(store, level, quantity_units)
    book.post(
        store,
        level,
        "dispatch",
        -quantity_units,
        -value_minor,
        cause=scan_cause(scan.source, scan.boot, scan.seq),
        effective_at_ms=scan.observed_at_ms,
        transfer_id=transfer.transfer_id if transfer is not None else "",
        lot=scan.lot,
        flags=flags if transfer is not None else [*flags, NO_TRANSFER],
    )
    return value_minor


def arrive_scan(store: Store, scan: ScanInput) -> None:
    """Let units arrive: those on the way first, then lost ones, then an inferred dispatch."""
    level = store.level(scan.sku, scan.site)
    quantity_units = scan.quantity_units
    cause = scan_cause(scan.source, scan.boot, scan.seq)
    transfer = _arriving_transfer(store, scan)
    was = before(transfer) if transfer is not None else NOTHING
    if transfer is None and _names_other_site(scan):
        transfer = make(
            store,
            scan.sku,
            scan.counterpart_site,
            scan.site,
            quantity_units=quantity_units,
            state="dispatched",
        )
        flag(transfer, "ad_hoc")
        needs.allot(store, scan.sku, scan.site, scan.counterpart_site, quantity_units)
    value_minor = quantity_units * book.unit_cost_minor(store, scan.sku)
    if transfer is not None:
        missing_units = quantity_units - on_the_way_units(transfer)
        found_units = min(transfer.lost_units, missing_units)
        if found_units > 0:
            find(store, transfer, found_units, cause)
        _infer(store, transfer, quantity_units - on_the_way_units(transfer), scan)
        value_minor = _value_share_minor(transfer, quantity_units)
        move_on_the_way(
            store, transfer, "transit_in", -quantity_units, cause, value_minor=-value_minor
        )
        transfer.received_units += quantity_units
        transfer.value_minor -= value_minor
        level.last_received_at_ms = store.now_ms
        _advance(store, transfer)
    book.post(
        store,
        level,
        "arrive",
        quantity_units,
        value_minor,
        cause=cause,
        effective_at_ms=scan.observed_at_ms,
        transfer_id=transfer.transfer_id if transfer is not None else "",
        lot=scan.lot,
        flags=[] if transfer is not None else [NO_TRANSFER],
    )
    if transfer is not None:
        settle(store, transfer, was, cause)


def _infer(store: Store, transfer: Transfer, missing_units: int, scan: ScanInput) -> None:
    if missing_units <= 0:
        return
    donor = store.level(transfer.sku, transfer.from_site)
    cost_minor = book.unit_cost_minor(store, transfer.sku)
    value_minor = book.issue_value_minor(donor, missing_units, cost_minor)
    cause = scan_cause(scan.source, scan.boot, scan.seq)
    book.post(
        store,
        donor,
        "dispatch_inferred",
        -missing_units,
        -value_minor,
        cause=cause,
        effective_at_ms=scan.observed_at_ms,
        transfer_id=transfer.transfer_id,
        flags=book.negative_flags(store, donor, missing_units),
    )
    move_on_the_way(store, transfer, "transit_in", missing_units, cause, value_minor=value_minor)
    transfer.dispatched_units += missing_units
    transfer.value_minor += value_minor
    transfer.inferred = True
    transfer.inferred_units += missing_units


def _value_share_minor(transfer: Transfer, quantity_units: int) -> int:
    on_the_way = on_the_way_units(transfer)
    if quantity_units == on_the_way:
        return transfer.value_minor
    return half_even(transfer.value_minor * quantity_units, on_the_way)


def _advance(store: Store, transfer: Transfer) -> None:
    if transfer.state in {"proposed", "held"}:
        flag(transfer, "unapproved")
    ended = transfer.state not in TRANSFER_OPEN
    if ended:
        transfer.quantity_units = transfer.dispatched_units
        flag(transfer, "reopened")
    if not transfer.dispatched_at_ms:
        transfer.dispatched_at_ms = store.now_ms
    transfer.state = "reopened"
    state = progress(transfer)
    if not ended or state == "received":
        transfer.state = state
    transfer.deadline_ms = transit_deadline_ms(store, transfer)


def _names_other_site(scan: ScanInput) -> bool:
    return scan.quantity_units > 0 and scan.counterpart_site not in {"", scan.site}


def _dispatched_transfer(store: Store, scan: ScanInput) -> Transfer | None:
    named = store.transfers.get(scan.transfer_id) if scan.transfer_id else None
    if named is not None and (named.sku, named.from_site) == (scan.sku, scan.site):
        return named
    for transfer in _candidates(store, scan.sku):
        if (
            transfer.from_site == scan.site
            and scan.counterpart_site in {"", transfer.to_site}
            and (transfer.inferred_units or transfer.dispatched_units < transfer.quantity_units)
        ):
            return transfer
    return None


def _arriving_transfer(store: Store, scan: ScanInput) -> Transfer | None:
    named = store.transfers.get(scan.transfer_id) if scan.transfer_id else None
    if named is not None and (named.sku, named.to_site) == (scan.sku, scan.site):
        return named
    fitting = [
        transfer
        for transfer in _candidates(store, scan.sku)
        if transfer.to_site == scan.site
        and scan.counterpart_site in {"", transfer.from_site}
        and transfer.state in TRANSFER_OPEN
    ]
    for transfer in fitting:
        if on_the_way_units(transfer) > 0:
            return transfer
    return fitting[0] if fitting else None


def _candidates(store: Store, sku: str) -> Iterator[Transfer]:
    sku_book = store.book(sku)
    ids = sku_book.transfers
    if sku_book.unconfirmed:
        ids = sorted({*ids, *sku_book.unconfirmed}, key=number_of)
    for transfer_id in ids:
        transfer = store.transfers.get(transfer_id)
        if transfer is not None:
            yield transfer
