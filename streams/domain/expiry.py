"""Expiry of lots: what nears it is told in time, what is past it is no longer available.

A lot has a stage by the clock and its policy. A level has one `near_expiry` breach while any of its
sellable units are near their expiry or past it; it grows graver when units expire, and clears when
they are sold, moved or thrown away.
"""

from typing import Final

from streams.contracts.alerts import AlertRaised
from streams.contracts.events import BreachCleared, BreachOpened
from streams.contracts.lots import EXPIRED, FRESH, LOTS, NEAR, LotBook
from streams.contracts.state import SEPARATOR, Level
from streams.domain import holds
from streams.domain.catalogue import Rules
from streams.domain.lots import lots_name
from streams.domain.positions import with_coming
from streams.domain.sensing import available_units
from streams.domain.store import Store

MINUTE_MS: Final = 60_000


def look(store: Store, level: Level, rules: Rules) -> None:
    """Bring the stages of a level's lots up to now, and tell what they mean."""
    name = lots_name(level.sku, level.site)
    book = store.lot_books.get(name)
    if book is None:
        return
    units = [0, 0, 0]
    changed = False
    for entry in book.lots:
        stage = stage_of(entry.expires_at_ms, store.now_ms, rules.near_expiry_ms)
        changed |= stage != entry.stage
        entry.stage = stage
        units[stage] += entry.units - entry.quarantined_units
    if changed:
        book.updated_at_ms = store.now_ms
        store.lot_books.touch(name)
        holds.count_held(store, level, f"expiry/{level.sku}/{level.site}")
    if _worst(units) != book.breach_stage:
        store.lot_books.touch(name)
        _tell(store, level, rules, book, units)
    next_ms = _due_ms(book, rules)
    if next_ms:
        store.timers.arm((LOTS, name), next_ms)


def stage_of(expires_at_ms: int, now_ms: int, near_ms: int) -> int:
    """Return the stage of a lot at a time; one without an expiry stays fresh."""
    if not expires_at_ms or now_ms < expires_at_ms - near_ms:
        return FRESH
    return NEAR if now_ms < expires_at_ms else EXPIRED


def due_ms(store: Store, name: str) -> int:
    """Return when a lot of this level comes to its next stage; 0 for never."""
    book = store.lot_books.get(name)
    if book is None:
        return 0
    return _due_ms(book, store.rules(book.sku, book.site))


def come_due(store: Store, name: str) -> int:
    """Look at a level whose lot comes to its next stage."""
    sku, _, site = name.partition(SEPARATOR)
    store.touched[sku, site] = None
    return 0


def follow_policy(store: Store, sku: str, site: str) -> None:
    """Forget the lots of a level whose policy no longer tracks them."""
    name = lots_name(sku, site)
    book = store.lot_books.get(name)
    if book is None or store.rules(sku, site).lot_tracking == "lots":
        return
    level = store.level(sku, site)
    if book.breach_id:
        _clear(store, level, store.rules(sku, site), book)
    book.lots = []
    holds.count_held(store, level, f"policy/{sku}/{site}")
    store.lot_books.remove(name)


def _worst(units: list[int]) -> int:
    return EXPIRED if units[EXPIRED] else NEAR if units[NEAR] else FRESH


def _due_ms(book: LotBook, rules: Rules) -> int:
    found_ms = 0
    for entry in book.lots:
        if entry.expires_at_ms and entry.stage != EXPIRED:
            near_ms = rules.near_expiry_ms if entry.stage == FRESH else 0
            next_ms = max(1, entry.expires_at_ms - near_ms)
            found_ms = min(found_ms or next_ms, next_ms)
    return found_ms


def _tell(store: Store, level: Level, rules: Rules, book: LotBook, units: list[int]) -> None:
    stage = _worst(units)
    if stage == FRESH:
        _clear(store, level, rules, book)
        return
    numbers = _numbers(store, rules, book, units)
    if not book.breach_id:
        _open(store, level, rules, book, numbers)
    book.breach_stage = stage
    raised = AlertRaised(
        alert_key=book.breach_id,
        kind="near_expiry",
        site=level.site,
        sku=level.sku,
        severity="critical" if stage == EXPIRED else "warning",
        at_ms=store.now_ms,
        observed_at_ms=store.observed_at_ms,
        facts=numbers,
        text="expired" if stage == EXPIRED else "",
    )
    store.outbox.alert(level.site, raised)


def _numbers(store: Store, rules: Rules, book: LotBook, units: list[int]) -> dict[str, int]:
    numbers = {
        "near_units": units[NEAR],
        "expired_units": units[EXPIRED],
        "unknown_units": book.unknown_units,
        "near_expiry_ms": rules.near_expiry_ms,
    }
    first_ms = next((one.expires_at_ms for one in book.lots if one.stage == NEAR), 0)
    if first_ms:
        numbers["expires_in_minutes"] = (first_ms - store.now_ms) // MINUTE_MS
    return numbers


def _open(store: Store, level: Level, rules: Rules, book: LotBook, numbers: dict[str, int]) -> None:
    book.breach_id = store.next_id("breach", level.sku)
    book.breach_opened_at_ms = store.now_ms
    available = available_units(level, rules)
    store.outbox.events.append(
        BreachOpened(
            breach_id=book.breach_id,
            sku=level.sku,
            site=level.site,
            kind="near_expiry",
            at_ms=store.now_ms,
            since_ms=store.now_ms,
            available_units=available,
            position_units=with_coming(level, available),
            threshold_units=0,
            observed_at_ms=store.observed_at_ms,
            decided_from={
                "on_hand_units": level.on_hand_units,
                **numbers,
                "reference_version": store.clock.reference_version,
            },
        )
    )


def _clear(store: Store, level: Level, rules: Rules, book: LotBook) -> None:
    store.outbox.clear_breach(
        BreachCleared(
            breach_id=book.breach_id,
            sku=level.sku,
            site=level.site,
            kind="near_expiry",
            at_ms=store.now_ms,
            opened_at_ms=book.breach_opened_at_ms,
            available_units=available_units(level, rules),
            threshold_units=0,
            reference_version=store.clock.reference_version,
        )
    )
    book.breach_id, book.breach_stage, book.breach_opened_at_ms = "", FRESH, 0
