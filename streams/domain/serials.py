"""Serial numbers: each item is in one place, comes once and leaves once.

Only where the policy keeps them (`serials_max`), and only for scans that name one. What comes or
leaves twice is told; whether it moves the book is the policy's (`serial_twice`).
"""

from typing import Final

from ingest.frames import ScanInput
from streams.contracts.alerts import AlertRaised
from streams.contracts.ledger import scan_cause
from streams.contracts.serials import SerialBook, SerialFault, SerialFlagged
from streams.contracts.state import SEPARATOR
from streams.domain import book
from streams.domain.store import Store

SERIAL_TWICE: Final = "serial_twice"
"""Flag of a scan that was refused because its serial number came or left twice."""
_COMES: Final = frozenset({"receive", "return", "arrive"})
_LEAVES: Final = frozenset({"sale", "pick", "waste", "dispatch"})


def admit(store: Store, scan: ScanInput) -> bool:
    """Note where a scanned item now is; return False where its scan may not move the book."""
    rules = store.rules(scan.sku, scan.site)
    if not rules.serials_max or scan.action not in _COMES | _LEAVES:
        return True
    comes = scan.action in _COMES
    other_site = _place_of(store, scan) if comes else _left_from(store, scan)
    if other_site:
        refused = rules.serial_twice == "refuse"
        _tell(store, scan, "received_twice" if comes else "left_twice", other_site, not refused)
        if refused:
            level = store.level(scan.sku, scan.site)
            book.post_refused(store, level, scan, SERIAL_TWICE)
            return False
    if comes:
        for site in store.book(scan.sku).sites:
            _forget(store, scan, site)
    elif book.refuses(store, store.level(scan.sku, scan.site), scan.quantity_units):
        return True  # it stays where it is: the book will not let it go
    else:
        _forget(store, scan, scan.site)
    found = _of_site(store, scan.sku, scan.site)
    kept = found.present if comes else found.gone
    kept.append(scan.serial)
    del kept[: -rules.serials_max]
    store.serials.put(_name(scan.sku, scan.site), found)
    return True


def follow_policy(store: Store, sku: str, site: str) -> None:
    """Forget the serial numbers of a level whose policy no longer keeps them."""
    name = _name(sku, site)
    if store.serials.get(name) is not None and not store.rules(sku, site).serials_max:
        store.serials.remove(name)


def _place_of(store: Store, scan: ScanInput) -> str:
    """Return where an item that comes already is; empty where nothing speaks against it."""
    for site in store.book(scan.sku).sites:
        found = store.serials.get(_name(scan.sku, site))
        # Arriving from another site implies that it left there, as it does for the units.
        elsewhere = scan.action == "arrive" and site != scan.site
        if found is not None and scan.serial in found.present and not elsewhere:
            return site
    return ""


def _left_from(store: Store, scan: ScanInput) -> str:
    """Return where an item that leaves had already left from; empty where it had not."""
    if scan.serial in _of_site(store, scan.sku, scan.site).present:
        return ""
    for site in store.book(scan.sku).sites:
        found = store.serials.get(_name(scan.sku, site))
        if found is not None and scan.serial in found.gone:
            return site
    return ""


def _forget(store: Store, scan: ScanInput, site: str) -> None:
    name = _name(scan.sku, site)
    found = store.serials.get(name)
    if found is None:
        return
    for kept in (found.present, found.gone):
        if scan.serial in kept:
            kept.remove(scan.serial)
            store.serials.touch(name)


def _of_site(store: Store, sku: str, site: str) -> SerialBook:
    return store.serials.get(_name(sku, site)) or SerialBook(sku=sku, site=site)


def _name(sku: str, site: str) -> str:
    return f"{sku}{SEPARATOR}{site}"


def _tell(
    store: Store, scan: ScanInput, fault: SerialFault, other_site: str, counted: bool
) -> None:
    flagged = SerialFlagged(
        flag_id=store.next_id("serial", scan.sku),
        sku=scan.sku,
        site=scan.site,
        serial=scan.serial,
        fault=fault,
        other_site=other_site,
        counted=counted,
        cause=scan_cause(scan.source, scan.boot, scan.seq),
        at_ms=store.now_ms,
    )
    store.outbox.events.append(flagged)
    raised = AlertRaised(
        alert_key=flagged.flag_id,
        kind="serial_twice",
        site=scan.site,
        sku=scan.sku,
        severity="warning",
        at_ms=store.now_ms,
        observed_at_ms=store.observed_at_ms,
        facts={"counted": int(counted)},
        text=f"{scan.serial} {fault}, {other_site}",
    )
    store.outbox.alert(scan.site, raised)
