"""Which lots a movement takes from or adds to: first to expire, first out.

Only levels whose policy tracks lots come here. A lot that a scan names is believed; where it names
none, what can be sold leaves by its expiry (FEFO), and what is missing at a count is taken from the
units of no known lot first. The sum of the lots and the unknown rest is what is on hand, always.
"""

import datetime as dt
from bisect import insort
from typing import Final, NamedTuple

from ingest.contracts.durations import DAY_MS
from streams.contracts.ledger import MovementKind
from streams.contracts.lots import EXPIRED, LOTS_MAX, CarriedLot, CarriedLots, Lot, LotBook
from streams.contracts.state import SEPARATOR, Level
from streams.domain.store import Store

LOTS_FULL: Final = "lots_full"
"""Flag: there were more lots than are told apart, the units stand in the unknown rest."""
LOT_SHORT: Final = "lot_short"
"""Flag: the named lot had fewer units than left, the others gave the rest."""
HELD_LOT: Final = "held_lot"
"""Flag: quarantined or expired units left, and not to waste."""
EXPIRY_DIFFERS: Final = "expiry_differs"
"""Flag: the lot had another expiry; the earlier one holds."""

_NEVER_MS: Final = 1 << 62
_EPOCH_DAY: Final = dt.date(1970, 1, 1).toordinal()
_MAY_BE_HELD: Final = frozenset({"waste", "adjust", "count"})
_CARRIED_AWAY: Final = frozenset({"dispatch", "dispatch_inferred"})


class Moving(NamedTuple):
    """What of a movement its lots have to know."""

    kind: MovementKind
    quantity_units: int
    """Signed."""
    lot: str
    expires_at_ms: int
    transfer_id: str
    named: list[CarriedLot]
    """Units by lot as far as they are known: what a transfer brings, what a void takes back."""


def lots_name(sku: str, site: str) -> str:
    """Return the key of a lot book in the store."""
    return f"{sku}{SEPARATOR}{site}"


def are_tracked(store: Store, level: Level) -> bool:
    """Tell whether the policy tells the lots of this level apart."""
    sku_site = (level.sku, level.site)
    rules = store.catalogue.cached_rules.get(sku_site) or store.rules(*sku_site)
    return rules.lot_tracking == "lots"


def tells_apart(store: Store, level: Level) -> bool:
    """Tell the same where no policy of the partition may track any."""
    return bool(store.catalogue.lot_policies) and are_tracked(store, level)


def counted_units(store: Store, level: Level, lot: str) -> int:
    """Return what a count is compared with: the book, or where lots are tracked the named lot."""
    if not lot or not tells_apart(store, level):
        return level.on_hand_units
    book = store.lot_books.get(lots_name(level.sku, level.site))
    entry = find(book, lot) if book is not None else None
    return entry.units if entry is not None else 0


def held_units(book: LotBook) -> int:
    """Return the units that are quarantined or expired."""
    return sum(
        entry.units if entry.stage == EXPIRED else entry.quarantined_units for entry in book.lots
    )


def find(book: LotBook, lot: str) -> Lot | None:
    """Return a lot by its name."""
    return next((entry for entry in book.lots if entry.lot == lot), None)


def move(store: Store, level: Level, moving: Moving, flags: list[str]) -> dict[str, int]:
    """Move the lots of a level whose book is about to move.

    Returns:
        Signed units by lot, the unknown rest under the empty name; `flags` is added to.
    """
    name = lots_name(level.sku, level.site)
    book = store.lot_books.get(name)
    if book is None:
        book = LotBook(sku=level.sku, site=level.site, unknown_units=level.on_hand_units)
    book.updated_at_ms = store.now_ms
    store.lot_books.put(name, book)
    lot = moving.lot or _dated(moving.expires_at_ms)
    shares = moving.named
    if lot and not (moving.kind == "void" and shares):
        known_ms = next((one.expires_at_ms for one in shares if one.lot == lot), 0)
        expires_at_ms = moving.expires_at_ms or known_ms
        shares = [CarriedLot(lot, expires_at_ms, abs(moving.quantity_units))]
    if moving.quantity_units > 0:
        if moving.kind == "void" and moving.transfer_id:  # they are not on their way any more
            for share in shares:
                unload(store, moving.transfer_id, share.units, share.lot, only=True)
        return _put(book, _dated_shares(store, book, shares), moving.quantity_units, flags)
    if moving.kind == "void" and moving.transfer_id:  # an arrival: they are on their way again
        _carry(store, moving.transfer_id, _dated_shares(store, book, moving.named))
    held_before_units = held_units(book)
    taken = _draw(book, shares, moving, flags)
    if moving.kind not in _MAY_BE_HELD and held_units(book) < held_before_units:
        flags.append(HELD_LOT)
    if moving.kind in _CARRIED_AWAY and moving.transfer_id:
        _carry(store, moving.transfer_id, taken)
    left: dict[str, int] = {}
    for share in taken:
        _count(left, share.lot, -share.units)
    return left


def unload(
    store: Store, transfer_id: str, units: int, lot: str, *, only: bool = False
) -> list[CarriedLot]:
    """Take units off what a transfer carries: of the named lot, then (unless `only`) by expiry."""
    carried = store.carried.get(transfer_id)
    if carried is None:
        return []
    brought: list[CarriedLot] = []
    for entry in sorted(carried.lots, key=lambda entry: entry.lot != lot):
        units_off = min(units, entry.units)
        if units_off and (entry.lot == lot or not only):
            brought.append(CarriedLot(entry.lot, entry.expires_at_ms, units_off))
            entry.units -= units_off
            units -= units_off
    carried.lots = [entry for entry in carried.lots if entry.units]
    if carried.lots:
        store.carried.touch(transfer_id)
    else:
        store.carried.remove(transfer_id)
    return brought


def hand_over(store: Store, from_id: str, to_id: str, units: int) -> None:
    """Let another transfer carry so many units of what one carries, as far as lots are known."""
    _carry(store, to_id, unload(store, from_id, units, ""))


def trim(store: Store, transfer_id: str, units: int) -> None:
    """Let a transfer carry no more known lots than units are on its way."""
    carried = store.carried.get(transfer_id)
    if carried is not None:
        unload(store, transfer_id, sum(entry.units for entry in carried.lots) - units, "")


def _dated_shares(store: Store, book: LotBook, shares: list[CarriedLot]) -> list[CarriedLot]:
    """Give lots whose expiry nobody said the one that another site knows of them."""
    found: list[CarriedLot] = []
    for share in shares:
        expires_at_ms = share.expires_at_ms
        if not expires_at_ms:
            for site in store.book(book.sku).sites:
                other = store.lot_books.get(lots_name(book.sku, site))
                known = find(other, share.lot) if other is not None else None
                expires_at_ms = expires_at_ms or (known.expires_at_ms if known is not None else 0)
        found.append(CarriedLot(share.lot, expires_at_ms, share.units))
    return found


def _draw(
    book: LotBook, shares: list[CarriedLot], moving: Moving, flags: list[str]
) -> list[CarriedLot]:
    """Take units out of a book; what nobody has takes the unknown rest below zero."""
    taken: list[CarriedLot] = []
    left = -moving.quantity_units
    for share in shares:
        entry = find(book, share.lot)
        units = min(left, share.units, entry.units if entry is not None else 0)
        if entry is not None:
            left -= _take(entry, units, taken)
        if units < share.units and LOT_SHORT not in flags:
            flags.append(LOT_SHORT)
    for part in _ORDERS.get(moving.kind, _MISSING):
        if not left:
            break
        if part == _UNKNOWN:
            units = min(left, max(0, book.unknown_units))
            book.unknown_units -= units
            taken.append(CarriedLot("", 0, units))
            left -= units
        for entry in book.lots:
            left -= _take(entry, min(left, _part_units(entry, part)), taken)
    book.unknown_units -= left
    taken.append(CarriedLot("", 0, left))
    book.lots = [entry for entry in book.lots if entry.units]
    return taken


def _take(entry: Lot, units: int, taken: list[CarriedLot]) -> int:
    """Take units of a lot, those that are not quarantined first."""
    if units:
        entry.units -= units
        entry.quarantined_units = min(entry.quarantined_units, entry.units)
        taken.append(CarriedLot(entry.lot, entry.expires_at_ms, units))
    return units


def _part_units(entry: Lot, part: str) -> int:
    free_units = entry.units - entry.quarantined_units
    if part == _QUARANTINED:
        return entry.quarantined_units
    return free_units if part == (_PAST if entry.stage == EXPIRED else _SELLABLE) else 0


def _put(
    book: LotBook, shares: list[CarriedLot], quantity_units: int, flags: list[str]
) -> dict[str, int]:
    """Add units to a book; those that left unseen before are made good first."""
    put: dict[str, int] = {}
    rest_units = quantity_units
    for share in shares:
        units = min(share.units, rest_units)
        rest_units -= units
        owed_units = min(units, max(0, -book.unknown_units))
        _count(put, "", owed_units)
        book.unknown_units += owed_units
        lot = share.lot if units > owed_units and _has_room(book, share, flags) else ""
        _count(put, lot, units - owed_units)
        if lot:
            _add(book, share, units - owed_units, flags)
        else:
            book.unknown_units += units - owed_units
    _count(put, "", rest_units)
    book.unknown_units += rest_units
    return put


def _has_room(book: LotBook, share: CarriedLot, flags: list[str]) -> bool:
    if share.lot and len(book.lots) >= LOTS_MAX and find(book, share.lot) is None:
        flags.append(LOTS_FULL)
        return False
    return True


def _add(book: LotBook, share: CarriedLot, units: int, flags: list[str]) -> None:
    entry = find(book, share.lot)
    expires_at_ms = share.expires_at_ms
    if entry is None:
        entry = Lot(share.lot, expires_at_ms)
    else:
        book.lots.remove(entry)
        if 0 < expires_at_ms != entry.expires_at_ms:
            if entry.expires_at_ms:
                flags.append(EXPIRY_DIFFERS)
            entry.expires_at_ms = min(expires_at_ms, entry.expires_at_ms or expires_at_ms)
    entry.units += units
    insort(book.lots, entry, key=_expiry_order)


def _expiry_order(entry: Lot | CarriedLot) -> tuple[int, str]:
    return entry.expires_at_ms or _NEVER_MS, entry.lot


def _count(by_name: dict[str, int], lot: str, units: int) -> None:
    if units:
        by_name[lot] = by_name.get(lot, 0) + units


def _dated(expires_at_ms: int) -> str:
    """Return the name of a lot of which only the expiry is known; empty without one."""
    if not expires_at_ms:
        return ""
    day = _EPOCH_DAY + (expires_at_ms - 1) // DAY_MS
    return f"exp:{dt.date.fromordinal(day).isoformat()}"


def _carry(store: Store, transfer_id: str, taken: list[CarriedLot]) -> None:
    known = [entry for entry in taken if entry.lot and entry.units]
    if not known:
        return
    carried = store.carried.get(transfer_id) or CarriedLots(transfer_id=transfer_id)
    store.carried.put(transfer_id, carried)
    for entry in known:
        same = next((one for one in carried.lots if one.lot == entry.lot), None)
        if same is not None:
            same.units += entry.units
        else:
            own = CarriedLot(entry.lot, entry.expires_at_ms, entry.units)
            insort(carried.lots, own, key=_expiry_order)


_UNKNOWN: Final = "unknown"
_SELLABLE: Final = "sellable"
_PAST: Final = "past"
_QUARANTINED: Final = "quarantined"

_LEAVING: Final = (_SELLABLE, _UNKNOWN, _PAST, _QUARANTINED)
_WASTED: Final = (_PAST, _SELLABLE, _UNKNOWN, _QUARANTINED)
_MISSING: Final = (_UNKNOWN, _SELLABLE, _PAST, _QUARANTINED)
_ORDERS: Final[dict[MovementKind, tuple[str, ...]]] = {
    "sale": _LEAVING,
    "pick": _LEAVING,
    "fulfil": _LEAVING,
    "dispatch": _LEAVING,
    "dispatch_inferred": _LEAVING,
    "waste": _WASTED,
}
"""From which part units of no named lot leave first; all other kinds are things found missing."""
