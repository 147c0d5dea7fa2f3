"""The lots of one SKU as rows: at its sites, on their way, and the rest of no known lot. Pure."""

import datetime as dt
from collections.abc import Iterator
from typing import Final, TypeVar

from deploy.ledger_rows import Row
from streams.contracts.ids import sku_of
from streams.contracts.lots import (
    CARRIED,
    EXPIRED,
    LOTS,
    NEAR,
    RECALLS,
    CarriedLots,
    Lot,
    LotBook,
    SkuRecalls,
)
from streams.contracts.state import LEVEL, Level, decode, key_parts

RecordT = TypeVar("RecordT")

_KINDS: Final = frozenset({LEVEL, LOTS, CARRIED, RECALLS})
_STATES: Final = {NEAR: "near its expiry", EXPIRED: "expired"}


class LotView:
    """What the live table says of one SKU's lots."""

    def __init__(self, sku: str, site: str = "") -> None:
        """Take the SKU, and a site where only that one is asked for."""
        self._sku = sku
        self._site = site
        self._levels: dict[str, Level] = {}
        self._books: dict[str, LotBook] = {}
        self._carried: dict[str, CarriedLots] = {}
        self._recalled: frozenset[str] = frozenset()

    def take(self, raw_key: bytes | None, value: bytes | None) -> None:
        """Take one committed record of `shelfstream.stock`, in log order."""
        kind, *parts = key_parts(raw_key) if raw_key else [""]
        if kind not in _KINDS:
            return
        sku = sku_of(parts[0]) if kind == CARRIED else parts[0]
        if sku != self._sku:
            return
        record = decode(raw_key, value) if raw_key and value is not None else None
        if kind == RECALLS:
            recalls = record.recalls if isinstance(record, SkuRecalls) else []
            self._recalled = frozenset(recall.lot for recall in recalls)
        elif kind == CARRIED:
            _keep(self._carried, parts[0], record, CarriedLots)
        elif kind == LOTS:
            _keep(self._books, parts[1], record, LotBook)
        else:
            _keep(self._levels, parts[1], record, Level)

    def rows(self) -> Iterator[Row]:
        """Yield a row for each lot at each site, for each unknown rest, and for what is carried."""
        for site, level in sorted(self._levels.items()):
            if self._site not in {"", site}:
                continue
            book = self._books.get(site)
            for entry in book.lots if book is not None else []:
                yield self._row(site, entry)
            unknown_units = level.on_hand_units if book is None else book.unknown_units
            loose_units = level.quarantined_units - (book.held_units if book is not None else 0)
            if unknown_units or loose_units:
                rest = Lot("(unknown)", 0, unknown_units, loose_units)
                yield self._row(site, rest)
        for transfer_id, carried in sorted(self._carried.items()):
            for one in carried.lots if not self._site else []:
                yield self._row(transfer_id, Lot(one.lot, one.expires_at_ms, one.units))

    def _row(self, place: str, entry: Lot) -> Row:
        states = [_STATES[entry.stage]] if entry.stage in _STATES else []
        states += ["recalled"] if entry.lot in self._recalled else []
        return {
            "place": place,
            "lot": entry.lot,
            "expires": _expiry(entry.expires_at_ms),
            "units": entry.units,
            "quarantined_units": entry.quarantined_units,
            "state": ", ".join(states),
        }


def _keep(kept: dict[str, RecordT], name: str, record: object, kind: type[RecordT]) -> None:
    if isinstance(record, kind):
        kept[name] = record
    else:
        kept.pop(name, None)


def _expiry(expires_at_ms: int) -> str:
    """Return the last day on which it may be sold, UTC."""
    if not expires_at_ms:
        return ""
    return dt.datetime.fromtimestamp((expires_at_ms - 1) / 1_000, dt.UTC).date().isoformat()
