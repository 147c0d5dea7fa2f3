"""Replenishment requests: what no donor could give, asked of the parent warehouse or supplier.

A level asks by one open request; what it still misses counts as on order. A voided receipt may open
an earlier one again: then the oldest is `need_id` of the level, and served first.
"""

from bisect import insort
from typing import Final

import msgspec

from ingest.contracts.durations import DAY_MS
from ingest.contracts.voids import VoidedMovement
from streams.contracts.alerts import AlertRaised
from streams.contracts.events import NeedChanged
from streams.contracts.state import Level, Need, Transfer
from streams.domain import backorders, lead_times, supply
from streams.domain.store import Store

CLOSED_KEPT_MS: Final = 35 * DAY_MS
"""A closed request is kept as long as the input that made it."""


def request(
    store: Store,
    level: Level,
    quantity_units: int,
    decided_from: dict[str, int],
    *,
    promotion: str = "",
    need_by_ms: int = 0,
) -> None:
    """Ask for more units: open a request, or add to the open one.

    Args:
        store: What the partition knows.
        level: Who is short.
        quantity_units: How much more is asked for.
        decided_from: The numbers that say so, by name.
        promotion: The one that they are for, where they are.
        need_by_ms: When it begins.
    """
    need = store.needs.get(level.need_id) if level.need_id else None
    opened = need is None
    if need is None:
        found = supply.source(store, level)
        decided_from = {**decided_from, **found.decided_from}
        need = Need(
            need_id=store.next_id("need", level.sku),
            sku=level.sku,
            site=level.site,
            from_site=found.from_site,
            supplier=found.supplier,
            state="open",
            quantity_units=0,
            opened_at_ms=store.now_ms,
            version=0,
            owed=found.from_site not in {"", level.site},
        )
        store.needs.put(need.need_id, need)
        level.need_id = need.need_id
        store.book(level.sku).needs.append(need.need_id)
        store.books.touch(level.sku)
    limits = supply.order_limits(store, need)
    decided_from = {**decided_from, **limits}
    quantity_units = supply.order_units(limits, quantity_units)
    if need.owed and _comes_back(store, need):
        backorders.owe_request(store, need, need.received_units - need.quantity_units)
        need.owed = False
    need.quantity_units += quantity_units
    need.decided_from = decided_from
    if promotion:
        need.promotion, need.need_by_ms = promotion, need_by_ms
    need.refused = False
    _expect(store, level, need, quantity_units)
    _tell(store, need)
    if opened:
        _alert(store, need, quantity_units)


def _comes_back(store: Store, need: Need) -> bool:
    """Tell whether a request is passed on to who made it: it would then grow without end."""
    site, seen = need.from_site, {need.from_site}
    while True:
        level = store.levels.get((need.sku, site))
        asked = store.needs.get(level.need_id) if level is not None and level.need_id else None
        if asked is None or not asked.from_site:
            return False
        site = asked.from_site
        if site == need.site:
            return True
        if site in seen:
            return False
        seen.add(site)


def _expect(store: Store, level: Level, need: Need, units: int) -> None:
    """Let a request miss so many units more, or fewer: on order here, owed where it was made."""
    level.on_order_units += units
    store.touch_level(level)
    backorders.owe_request(store, need, units)


def _alert(store: Store, need: Need, quantity_units: int) -> None:
    raised = AlertRaised(
        alert_key=need.need_id,
        kind="need_opened",
        site=need.site,
        sku=need.sku,
        severity="info",
        at_ms=store.now_ms,
        observed_at_ms=store.observed_at_ms,
        facts={"quantity_units": quantity_units},
    )
    store.outbox.alert(need.site, raised)


def open_needs(store: Store, level: Level) -> list[Need]:
    """Return the open requests of a level, the oldest first."""
    if not level.need_id:
        return []
    found = (store.needs.get(need_id) for need_id in store.book(level.sku).needs)
    return [need for need in found if need is not None and need.site == level.site]


def receive(store: Store, level: Level, quantity_units: int) -> dict[str, int]:
    """Let units that came in serve open requests; return how many served which."""
    served: dict[str, int] = {}
    for need in open_needs(store, level):
        if quantity_units > 0:
            lead_times.measure_need(store, need, store.now_ms)
            served[need.need_id] = _serve(store, level, need, quantity_units)
            quantity_units -= served[need.need_id]
    return served


def _serve(store: Store, level: Level, need: Need, quantity_units: int) -> int:
    served_units = min(quantity_units, need.quantity_units - need.received_units)
    need.received_units += served_units
    _expect(store, level, need, -served_units)
    if need.received_units >= need.quantity_units:
        close(store, need)
    else:
        _tell(store, need)
    return served_units


def take_back(store: Store, level: Level, receipt: VoidedMovement) -> None:
    """Let requests miss again what a voided receipt had served; what it had closed opens again.

    What a person has closed stays closed, and so does what was closed before all of it came.
    """
    if receipt.served is None:  # written before it was noted: only what is open can be meant
        for need in open_needs(store, level)[:1]:
            if receipt.recorded_at_ms >= need.opened_at_ms:
                _miss(store, level, need, receipt.quantity_units)
        return
    for need_id in sorted(receipt.served, key=_number):
        _miss_again(store, level, need_id, receipt.served[need_id])


def give_back(store: Store, transfer: Transfer, covered_units: int) -> None:
    """Let requests miss again what a transfer has served of them above what it still covers."""
    level = store.level(transfer.sku, transfer.to_site)
    uncovered_units = sum(transfer.served.values()) - covered_units
    for need_id in sorted(transfer.served, key=_number, reverse=True):
        units = min(uncovered_units, transfer.served[need_id])
        if units > 0:
            uncovered_units -= units
            transfer.served[need_id] -= units
            _miss_again(store, level, need_id, units)


def _miss_again(store: Store, level: Level, need_id: str, units: int) -> None:
    known = store.needs.get(need_id)
    if known is None or known.site != level.site:
        return
    if known.state == "closed" and known.received_units >= known.quantity_units:
        _reopen(store, level, known)
    if known.state == "open":
        _miss(store, level, known, units)


def _miss(store: Store, level: Level, need: Need, units: int) -> None:
    missed_units = min(units, need.received_units)
    if missed_units > 0:
        need.received_units -= missed_units
        _expect(store, level, need, missed_units)
        _tell(store, need)


def _reopen(store: Store, level: Level, need: Need) -> None:
    need.state, need.closed_at_ms = "open", 0
    insort(store.book(need.sku).needs, need.need_id, key=_number)
    store.books.touch(need.sku)
    level.need_id = need.need_id
    level.need_id = open_needs(store, level)[0].need_id
    _alert(store, need, need.quantity_units)


def _number(need_id: str) -> int:
    number = need_id.rpartition("-")[2]
    return int(number) if number.isdigit() else 0


def allot(store: Store, transfer: Transfer, quantity_units: int) -> None:
    """Let a transfer from where a request was made to serve it, so that nothing counts twice."""
    level = store.levels.get((transfer.sku, transfer.to_site))
    for need in open_needs(store, level) if level is not None else []:
        if level is not None and need.from_site == transfer.from_site and quantity_units > 0:
            units = _serve(store, level, need, quantity_units)
            quantity_units -= units
            transfer.served[need.need_id] = transfer.served.get(need.need_id, 0) + units


def close(store: Store, need: Need) -> None:
    """Close a request; what it still missed is no longer on order."""
    level = store.level(need.sku, need.site)
    _expect(store, level, need, need.received_units - need.quantity_units)
    store.book(need.sku).needs.remove(need.need_id)
    store.books.touch(need.sku)
    level.need_id = next((one.need_id for one in open_needs(store, level)), "")
    need.state = "closed"
    need.closed_at_ms = store.now_ms
    store.timers.arm(("need", need.need_id), due(need))
    _tell(store, need)
    store.outbox.end_alert(need.need_id, need.site, store.now_ms)


def close_unneeded(store: Store, need: Need) -> None:
    """Close a request whose shortage is over; what was ordered of a supplier still comes."""
    if need.ordered_units <= need.received_units:
        close(store, need)
    elif need.quantity_units > need.ordered_units:
        _resize(store, need, need.ordered_units)


def cut(store: Store, need: Need, missing_units: int, promotion: str, need_by_ms: int) -> None:
    """Let a request miss no more than so many units, once a promotion no longer asks for all of it.

    What was ordered of a supplier still comes; what is not yet ordered stays whole multiples.
    """
    need.promotion, need.need_by_ms = promotion, need_by_ms
    least_units = max(need.ordered_units, need.received_units)
    more_units = max(0, need.received_units + missing_units - least_units)
    quantity_units = least_units + supply.deliverable_units(store, need, more_units)
    if quantity_units <= need.received_units:
        close(store, need)
    elif quantity_units < need.quantity_units:
        _resize(store, need, quantity_units)
    else:
        _tell(store, need)


def refuse(store: Store, level: Level, refused_units: int) -> None:
    """Remember that a request was refused: it is not made again while its shortage lasts.

    With kanban it is the signals that were refused; those of further packs are heard. Where only
    what the site owes asks for more, it is so many units, until it owes nothing.
    """
    short = False
    for breach in level.breaches:
        if breach.kind != "overstock":
            short = True
            if "" not in breach.refused_sites:
                breach.refused_sites.insert(0, "")
    by_owing = level.backordered_units > 0 and not short
    if by_owing or store.rules(level.sku, level.site).replenishment == "kanban":
        refused = store.book(level.sku).refused_units
        refused[level.site] = refused.get(level.site, 0) + refused_units
        store.books.touch(level.sku)


def refuse_transfer(store: Store, level: Level, from_site: str) -> None:
    """Remember of what is asked of a site that a transfer from there was refused."""
    for need in open_needs(store, level):
        if need.from_site == from_site and not need.refused:
            need.refused = True
            store.needs.touch(need.need_id)


def order(store: Store, need: Need, ordered_units: int) -> None:
    """Take it that purchase orders for so many units have gone out, maybe more than asked for."""
    need.revision += 1
    need.ordered_units = ordered_units
    if ordered_units > need.quantity_units:
        _resize(store, need, ordered_units)
    else:
        _tell(store, need)


def resize(store: Store, need: Need, quantity_units: int) -> None:
    """Let a request be for more or less, as a person says; served by then, it is closed.

    What was taken from it is not asked for again while the shortage lasts.
    """
    need.revision += 1
    need.ordered_units = min(need.ordered_units, quantity_units)
    if quantity_units < need.quantity_units:
        left_units = max(quantity_units, need.received_units)
        level = store.level(need.sku, need.site)
        refuse(store, level, need.quantity_units - left_units)
    if quantity_units <= need.received_units:
        close(store, need)
    else:
        _resize(store, need, quantity_units)


def _resize(store: Store, need: Need, quantity_units: int) -> None:
    level = store.level(need.sku, need.site)
    _expect(store, level, need, quantity_units - need.quantity_units)
    need.quantity_units = quantity_units
    _tell(store, need)


def due(need: Need) -> int:
    """Return when a request is forgotten; 0 while it is open."""
    return need.closed_at_ms + CLOSED_KEPT_MS if need.state == "closed" else 0


def forget_closed(store: Store, need_id: str) -> int:
    """Delete a closed request whose time is over; return when it is due otherwise, 0 for never."""
    need = store.needs.get(need_id)
    if need is None:
        return 0
    due_ms = due(need)
    if due_ms == 0 or due_ms > store.now_ms:
        return due_ms
    store.needs.remove(need_id)
    return 0


def _tell(store: Store, need: Need) -> None:
    need.version += 1
    store.needs.touch(need.need_id)
    copied = msgspec.structs.replace(need, decided_from=dict(need.decided_from))
    version = store.clock.reference_version
    store.outbox.events.append(
        NeedChanged(at_ms=store.now_ms, need=copied, reference_version=version)
    )
    if need.supplier:
        store.outbox.plan(need.supplier, supply.purchase_line(store, need))
