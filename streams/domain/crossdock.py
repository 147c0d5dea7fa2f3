"""Stock that covers open requests of other sites is sent on to them as it comes.

Whatever gives a site stock makes it look at them: a receipt, an arrival, a count, an order or a
transfer that was called off.

With cross-dock so is all that comes, before put-away, down to the hold-back. Without it a site
sends along its lanes what it can spare: it keeps its own minimum too, and sends nothing while it
expects some itself or has just been sent some, so that nothing goes to and fro.
"""

from streams.contracts.state import Level, Need
from streams.domain import needs, transfers
from streams.domain.arithmetic import round_down
from streams.domain.autonomy import take_automatic
from streams.domain.donors import is_cooling
from streams.domain.promised import kept_units
from streams.domain.sensing import available_units, is_unknown
from streams.domain.store import Store
from streams.domain.supply import runs_out_ms


def allot(store: Store, level: Level, gained_units: int) -> None:
    """Allot stock to the requests that were made of this site, which has just got so many units.

    Who runs out first comes first.
    """
    rules = store.rules(level.sku, level.site)
    if is_unknown(level, rules) or (level.in_transit_in_units and not rules.cross_dock):
        return
    free_units = available_units(level, rules) - level.in_transit_out_units - kept_units(rules)
    left_units = min(gained_units, free_units) if rules.cross_dock else free_units
    for need in _waiting(store, level):
        if left_units <= 0:
            return
        multiple_units = store.rules(need.sku, need.site).multiple_units
        missing_units = need.quantity_units - need.received_units
        quantity_units = min(missing_units, round_down(left_units, multiple_units))
        if quantity_units > 0 and (rules.cross_dock or _has_way(store, level, need.site)):
            _send(store, level, need, quantity_units, left_units=left_units)
            left_units -= quantity_units


def _has_way(store: Store, level: Level, to_site: str) -> bool:
    lane = store.catalogue.lane(level.site, to_site)
    return lane is not None and not is_cooling(store, level, lane)


def _waiting(store: Store, level: Level) -> list[Need]:
    found = (store.needs.get(need_id) for need_id in store.book(level.sku).needs)
    waiting = [
        need
        for need in found
        if need is not None
        and need.from_site == level.site
        and need.site != level.site
        and not need.refused
    ]
    return sorted(waiting, key=lambda need: _urgency(store, need))


def _urgency(store: Store, need: Need) -> tuple[bool, int, int]:
    rules = store.rules(need.sku, need.site)
    out_ms = runs_out_ms(store, store.level(need.sku, need.site), rules)
    return out_ms == 0, out_ms, transfers.number_of(need.need_id)


def _send(store: Store, level: Level, need: Need, quantity_units: int, *, left_units: int) -> None:
    rules, own_rules = store.rules(need.sku, need.site), store.rules(level.sku, level.site)
    approved, limits = take_automatic(store, need.sku, need.site, rules, quantity_units)
    transfer = transfers.make(
        store,
        need.sku,
        level.site,
        need.site,
        quantity_units=quantity_units,
        state="approved" if approved else "proposed",
    )
    transfer.deadline_ms = transfers.proposal_deadline_ms(store, transfer)
    transfer.decided_from = {
        "need_units": need.quantity_units - need.received_units,
        "donor_available_units": available_units(level, own_rules),
        "donor_planned_units": level.in_transit_out_units,
        "donor_kept_units": kept_units(own_rules),
        "donor_surplus_units": left_units,
        "multiple_units": rules.multiple_units,
        **limits,
    }
    transfer.promotion = need.promotion
    transfers.flag(transfer, "cross_dock" if own_rules.cross_dock else "on_request")
    needs.allot(store, transfer, quantity_units)
    transfers.settle(store, transfer, transfers.NOTHING, need.need_id)
