"""Dispatch and arrival scans: which transfer they belong to, and what they move.

A scan names its transfer, or belongs to the oldest fitting one of its lane and SKU, or makes one.
Arrival before dispatch implies the dispatch; the late dispatch scan then moves nothing twice. A
scan after the end of a transfer still moves stock, and reopens it.
"""

from collections.abc import Iterator

from ingest.frames import ScanInput
from streams.contracts.ledger import scan_cause
from streams.contracts.lots import CarriedLot
from streams.contracts.state import TRANSFER_OPEN, Level, Transfer
from streams.domain import book, issues, lead_times, lots, needs, packing
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
    planned_units,
    progress,
    settle,
    to_come_units,
    transit_deadline_ms,
)

NO_TRANSFER = "no_transfer"
"""Flag of a scan that names neither a transfer nor another site, and fits none."""


def dispatch_scan(store: Store, scan: ScanInput) -> None:
    """Let units leave a site, as far as an inferred dispatch has not already moved them."""
    level = store.level(scan.sku, scan.site)
    confirmed = _confirmed(store, scan)
    quantity_units = scan.quantity_units - sum(units for _, units in confirmed)
    if quantity_units > level.on_hand_units and book.refuses(store, level, quantity_units):
        book.post_refused(store, level, scan)
        return
    transfer = _leaving_transfer(store, scan, confirmed, quantity_units)
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
        needs.allot(store, transfer, quantity_units)
    flags = ["inferred_before"] if confirmed else []
    value_minor = _leave(
        store, level, scan, transfer=transfer, quantity_units=quantity_units, flags=flags
    )
    cause = scan_cause(scan.source, scan.boot, scan.seq)
    for other, units in confirmed:
        other.inferred_units -= units
        if other is not transfer:
            settle(store, other, before(other), cause)
    if transfer is None:
        return
    _depart(store, transfer, quantity_units, cause, value_minor=value_minor)
    if quantity_units:
        _advance(store, transfer)
        if scan.sscc:
            packing.pack(store, transfer, scan.sscc, quantity_units)
    settle(store, transfer, was, cause)


def _depart(
    store: Store, transfer: Transfer, quantity_units: int, cause: str, *, value_minor: int
) -> None:
    # What was not planned to leave serves the request made of that site: it is not still to come.
    unplanned_units = quantity_units - planned_units(transfer)
    needs.allot(store, transfer, unplanned_units)
    move_on_the_way(store, transfer, "transit_in", quantity_units, cause, value_minor=value_minor)
    transfer.dispatched_units += quantity_units
    transfer.value_minor += value_minor


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
    issues.count_dispatch(store, level, quantity_units, scan.observed_at_ms)
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
        expires_at_ms=scan.expires_at_ms,
        flags=flags if transfer is not None else [*flags, NO_TRANSFER],
    )
    return value_minor


def arrive_scan(store: Store, scan: ScanInput) -> None:
    """Let units arrive: those on the way first, then lost ones, then an inferred dispatch."""
    level = store.level(scan.sku, scan.site)
    quantity_units = scan.quantity_units
    cause = scan_cause(scan.source, scan.boot, scan.seq)
    shares = _shares(store, scan)
    were = [before(transfer) for transfer, _ in shares]
    if not shares and _names_other_site(scan):
        transfer = make(
            store,
            scan.sku,
            scan.counterpart_site,
            scan.site,
            quantity_units=quantity_units,
            state="dispatched",
        )
        flag(transfer, "ad_hoc")
        needs.allot(store, transfer, quantity_units)
        shares, were = [(transfer, quantity_units)], [NOTHING]
    value_minor = quantity_units * book.unit_cost_minor(store, scan.sku)
    served: dict[str, int] | None = None
    if not shares:  # from nobody knows where: the request is what it can have been sent for
        served = needs.receive(store, level, quantity_units)
    brought: list[CarriedLot] = []
    if shares:
        value_minor = sum(_take_in(store, one, units, scan, brought) for one, units in shares)
        level.last_received_at_ms = store.now_ms
    flags = [] if shares else [NO_TRANSFER]
    if scan.sscc and not packing.unpack(store, shares, scan.sscc):
        flags.append(packing.UNKNOWN_UNIT)
    place = len(store.outbox.movements)
    book.post(
        store,
        level,
        "arrive",
        quantity_units,
        book.receipt_value_minor(level, quantity_units, value_minor),
        cause=cause,
        effective_at_ms=scan.observed_at_ms,
        transfer_id=shares[0][0].transfer_id if shares else "",
        lot=scan.lot,
        expires_at_ms=scan.expires_at_ms,
        named_lots=brought,
        flags=flags,
    )
    if served is not None:
        book.note_served(store, place, served)
    for (transfer, _), was in zip(shares, were, strict=True):
        settle(store, transfer, was, cause)


def _take_in(
    store: Store,
    transfer: Transfer,
    quantity_units: int,
    scan: ScanInput,
    brought: list[CarriedLot],
) -> int:
    """Let units of one transfer arrive, add its lots to `brought`, and return their value."""
    cause = scan_cause(scan.source, scan.boot, scan.seq)
    found_units = min(transfer.lost_units, quantity_units - on_the_way_units(transfer))
    if found_units > 0:
        find(store, transfer, found_units, cause)
    _infer(store, transfer, quantity_units - on_the_way_units(transfer), scan)
    lead_times.measure_transfer(store, transfer)
    if store.catalogue.lot_policies:
        brought += lots.unload(store, transfer.transfer_id, quantity_units, scan.lot)
    value_minor = _value_share_minor(transfer, quantity_units)
    move_on_the_way(store, transfer, "transit_in", -quantity_units, cause, value_minor=-value_minor)
    transfer.received_units += quantity_units
    transfer.value_minor -= value_minor
    if quantity_units:
        _advance(store, transfer)
    return value_minor


def _infer(store: Store, transfer: Transfer, missing_units: int, scan: ScanInput) -> None:
    if missing_units <= 0:
        return
    donor = store.level(transfer.sku, transfer.from_site)
    cost_minor = book.unit_cost_minor(store, transfer.sku)
    value_minor = book.issue_value_minor(donor, missing_units, cost_minor)
    cause = scan_cause(scan.source, scan.boot, scan.seq)
    issues.count_dispatch(store, donor, missing_units, scan.observed_at_ms)
    book.post(
        store,
        donor,
        "dispatch_inferred",
        -missing_units,
        -value_minor,
        cause=cause,
        effective_at_ms=scan.observed_at_ms,
        transfer_id=transfer.transfer_id,
        lot=scan.lot,
        expires_at_ms=scan.expires_at_ms,
        flags=book.negative_flags(store, donor, missing_units),
    )
    _depart(store, transfer, missing_units, cause, value_minor=value_minor)
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


def _named(store: Store, scan: ScanInput) -> Transfer | None:
    named = store.transfers.get(scan.transfer_id) if scan.transfer_id else None
    if named is None or named.sku != scan.sku:
        return None
    end = named.from_site if scan.action == "dispatch" else named.to_site
    return named if end == scan.site else None


def _packed(store: Store, scan: ScanInput) -> Transfer | None:
    """Return the oldest transfer into this site that is on its way in the scan's unit."""
    if not scan.sscc:
        return None
    for transfer in _candidates(store, scan.sku):
        into_here = scan.sscc in transfer.ssccs and transfer.to_site == scan.site
        if into_here and to_come_units(transfer) > 0:
            return transfer
    return None


def _confirmed(store: Store, scan: ScanInput) -> list[tuple[Transfer, int]]:
    # A scan that names no transfer may be about any of its lane: what was inferred on one of
    # them must not leave again on another.
    named = _named(store, scan)
    left_units = scan.quantity_units
    confirmed = []
    for transfer in [named] if named is not None else _leaving(store, scan):
        units = min(left_units, transfer.inferred_units)
        if units > 0:
            confirmed.append((transfer, units))
            left_units -= units
    return confirmed


def _leaving_transfer(
    store: Store, scan: ScanInput, confirmed: list[tuple[Transfer, int]], quantity_units: int
) -> Transfer | None:
    """Return the transfer that the units leave on which no inferred dispatch has moved."""
    named = _named(store, scan)
    if named is not None:
        return named
    if quantity_units or not confirmed:
        for transfer in _leaving(store, scan):
            if planned_units(transfer) > 0:
                return transfer
    return confirmed[-1][0] if confirmed else None


def _leaving(store: Store, scan: ScanInput) -> list[Transfer]:
    return [
        transfer
        for transfer in _candidates(store, scan.sku)
        if transfer.from_site == scan.site and scan.counterpart_site in {"", transfer.to_site}
    ]


def _shares(store: Store, scan: ScanInput) -> list[tuple[Transfer, int]]:
    """Return which transfers the arriving units belong to; the oldest ones on the way first."""
    named = _named(store, scan) or _packed(store, scan)
    if named is not None:
        return [(named, scan.quantity_units)]
    fitting = [
        transfer
        for transfer in _candidates(store, scan.sku)
        if transfer.to_site == scan.site
        and scan.counterpart_site in {"", transfer.from_site}
        and (transfer.state in TRANSFER_OPEN or transfer.lost_units)
    ]
    left_units = scan.quantity_units
    shares: list[tuple[Transfer, int]] = []
    for transfer in fitting:
        units = min(left_units, to_come_units(transfer))
        if units > 0:
            shares.append((transfer, units))
            left_units -= units
    if not fitting or (shares and not left_units):
        return shares
    last = shares.pop() if shares else (fitting[0], 0)
    to_leave = next((one for one in fitting if planned_units(one) > 0), last[0])
    if to_leave is last[0]:
        return [*shares, (to_leave, last[1] + left_units)]
    return [*shares, *([last] if last[1] else []), (to_leave, left_units)]


def _candidates(store: Store, sku: str) -> Iterator[Transfer]:
    sku_book = store.book(sku)
    ids = sku_book.transfers
    if sku_book.unconfirmed:
        ids = sorted({*ids, *sku_book.unconfirmed}, key=number_of)
    for transfer_id in ids:
        transfer = store.transfers.get(transfer_id)
        if transfer is not None:
            yield transfer
