"""Scans: each number of a source's session counts once, by the action it names."""

from collections.abc import Callable
from typing import Final

from ingest.frames import ScanInput
from streams.domain import book, carriage, counts, needs, serials, units
from streams.domain.store import Store
from streams.domain.windows import SourceLanes


def apply_scan(store: Store, scan: ScanInput) -> None:
    """Book a scan that is new; a repeat changes nothing, one too old becomes a dead letter."""
    store.observed_at_ms = scan.observed_at_ms
    source = scan.source
    sources = store.sources
    entry = sources.entries.get(source) or sources.fetch(source)
    if entry is None:
        entry = sources.put(source, SourceLanes(source))
    now_ms = store.clock.now_ms
    admission = entry.record.admit(scan.boot, scan.seq, historical=scan.historical, now_ms=now_ms)
    if admission == "new":
        if not entry.is_changed:
            sources.change(entry)
        if not scan.serial or serials.admit(store, scan):
            _ACTIONS[scan.action](store, scan)
    elif admission == "too_old":
        store.outbox.too_old(scan, now_ms)


def _receive(store: Store, scan: ScanInput) -> None:
    place = len(store.outbox.movements)
    book.receive_scan(store, scan)
    level = store.level(scan.sku, scan.site)
    book.note_served(store, place, needs.receive(store, level, scan.quantity_units))


_ACTIONS: Final[dict[str, Callable[[Store, ScanInput], None]]] = {
    "receive": _receive,
    "return": book.receive_scan,
    "pick": book.issue_scan,
    "sale": book.issue_scan,
    "waste": book.issue_scan,
    "adjust": book.correct_scan,
    "count": counts.count_scan,
    "open": book.open_scan,
    "dispatch": carriage.dispatch_scan,
    "arrive": units.arrive_scan,
}
