"""Breaches: thresholds that stay crossed for their dwell; opened once, cleared once.

A breach clears only when stock is back over the threshold by the hysteresis; one that flaps, when
it has stayed so (see `flapping`). While the leading witness is blind nothing opens and nothing
clears, and a dwell begins anew afterwards.
"""

from math import inf
from typing import Final, NamedTuple

from streams.contracts.alerts import AlertRaised, Severity
from streams.contracts.events import BreachCleared, BreachOpened
from streams.contracts.state import Breach, BreachKind, Level
from streams.domain import (
    areas,
    covering,
    expiry,
    flapping,
    kanban,
    kpis,
    needs,
    promised,
    promotions,
    sensing,
    transfers,
    witnesses,
)
from streams.domain.answers import answer
from streams.domain.arithmetic import MILLI
from streams.domain.catalogue import Rules
from streams.domain.issues import note_gap
from streams.domain.positions import owed_numbers, position_units, with_coming
from streams.domain.records import NEVER_CALM
from streams.domain.store import Store
from streams.domain.thresholds import usual

SEVERITY: Final[dict[BreachKind, Severity]] = {
    "stockout": "critical",
    "predicted_stockout": "warning",
    "low_stock": "warning",
    "overstock": "info",
    "near_expiry": "warning",
    "promotion_shortage": "warning",
}

PROMOTION_SHORTAGE: Final = "promotion_shortage"
DAY_MINUTES: Final = 1_440


class Judgement(NamedTuple):
    """How a level stands to one threshold."""

    kind: BreachKind
    threshold_units: int
    crossed: bool
    recovered: bool


def assess(store: Store, level: Level, rules: Rules) -> None:
    """Open, clear and answer what a changed level calls for."""
    entry = store.levels.entries[level.sku, level.site]
    entry.calm = NEVER_CALM
    look_again(store, level, rules)
    if rules.is_watched:
        witnesses.look(store, level, rules)
    on_hand_units = level.on_hand_units
    if rules.lead_witness == "shelf" and level.sensed:
        seen_units = areas.seen_units(level)
        if seen_units is not None:
            on_hand_units = seen_units
        elif areas.is_shelf_watched(level):
            note_gap(store, level, gap=True)
            kpis.note_sight(store, level, "unseen")
            _drop_pending(store, level)
            flapping.lose_sight(store, level)
            return
    held_units = level.reserved_units + level.quarantined_units + level.buffer_units
    available_units = on_hand_units - held_units
    if available_units <= 0 or level.gap_until_day < 0:
        gap = available_units <= 0 and rules.negative_stock != "allow"
        note_gap(store, level, gap=gap)
        kpis.note_sight(store, level, "out" if gap else "stocked")
    if rules.replenishment == "kanban":
        kanban.signal(store, level, rules)
    promised.review(store, level, rules, available_units)
    if not level.breaches and not level.need_id and _is_fine(rules, on_hand_units, available_units):
        _rest(store, level, rules, available_units)
        return
    for judgement in judgements(rules, on_hand_units, available_units):
        _apply(store, level, rules, judgement, available_units)
    _look_ahead(store, level, rules, available_units)
    _follow_up(store, level, rules)


def _rest(store: Store, level: Level, rules: Rules, available_units: int) -> None:
    """Let a level be calm that is fine and owes nothing; what it owes may have to be ordered."""
    if level.backordered_units:
        covering.cover(store, level, rules)
        return
    seen = rules.lead_witness == "shelf" and level.sensed
    followed = rules.is_watched or rules.replenishment == "kanban" or level.in_transit_out_units
    if available_units > 0 and not (seen or followed):
        held_units = level.reserved_units + level.quarantined_units + level.buffer_units
        store.levels.entries[level.sku, level.site].calm = _calm_books(rules, held_units)


def look_again(store: Store, level: Level, rules: Rules) -> None:
    """Take the policy's buffer where it has changed, and put aside what has expired."""
    if rules.buffer_units != level.buffer_policy_units:  # a release lasts until then
        level.buffer_units = level.buffer_policy_units = rules.buffer_units
        store.levels.touch((level.sku, level.site))
    if rules.lot_tracking == "lots":
        expiry.look(store, level, rules)


def level_due_ms(level: Level, rules: Rules) -> int:
    """Return when a level has to be looked at again by time alone; 0 for never."""
    due_ms = 0
    if level.sensed:
        due_ms, settled_ms = sensing.blind_due_ms(level, rules), sensing.settle_due_ms(level)
        if settled_ms and (not due_ms or settled_ms < due_ms):
            due_ms = settled_ms
    for breach in level.breaches:
        if not breach.breach_id:
            opens_ms = breach.since_ms + rules.dwell_ms
            due_ms = min(due_ms, opens_ms) if due_ms else opens_ms
        elif breach.calm_since_ms:
            clears_ms = flapping.settled_at_ms(breach, rules)
            due_ms = min(due_ms, clears_ms) if due_ms else clears_ms
    return due_ms


def judgements(rules: Rules, on_hand_units: int, available_units: int) -> tuple[Judgement, ...]:
    """Return how stock stands to each threshold; one that is not set is always recovered."""
    least, most, hysteresis = rules.min_units, rules.max_units, rules.hysteresis_units
    foretold = rules.foretold_units
    low = least is not None and available_units < least
    out = least is not None and available_units <= 0
    over = most is not None and on_hand_units > most
    return (
        Judgement(
            "low_stock", least or 0, low, least is None or available_units >= least + hysteresis
        ),
        Judgement("stockout", 0, out, least is None or available_units > hysteresis),
        Judgement(
            "predicted_stockout",
            foretold or 0,
            foretold is not None and available_units < foretold,
            foretold is None or available_units >= foretold + hysteresis,
        ),
        Judgement(
            "overstock",
            most or 0,
            over,
            most is None or on_hand_units <= max(0, most - hysteresis),
        ),
    )


def _look_ahead(store: Store, level: Level, rules: Rules, available_units: int) -> None:
    """Apply how stock stands to a promotion: what is coming counts; once it is there it is over.

    There is no hysteresis: an answer aims at a day more than what is needed, and no higher.
    """
    needed_units = rules.promoted_units
    if needed_units is None and not level.breaches:
        return
    position = with_coming(level, available_units)
    judgement = Judgement(
        PROMOTION_SHORTAGE,
        needed_units or 0,
        needed_units is not None and position < needed_units,
        needed_units is None or available_units >= needed_units,
    )
    _apply(store, level, rules, judgement, available_units)


def _calm_books(rules: Rules, held_units: int) -> tuple[float, float]:
    """Return the books between which `_is_fine` holds, and no gap begins, with so many held."""
    least = max(1, rules.min_units or 1, rules.foretold_units or 1, rules.promoted_units or 1)
    least += held_units
    return least, inf if rules.max_units is None else rules.max_units


def _is_fine(rules: Rules, on_hand_units: int, available_units: int) -> bool:
    least, most, foretold = rules.min_units, rules.max_units, rules.foretold_units
    promoted = rules.promoted_units
    return (
        (least is None or (available_units >= least and available_units > 0))
        and (most is None or on_hand_units <= most)
        and (foretold is None or available_units >= foretold)
        and (promoted is None or available_units >= promoted)
    )


def _apply(
    store: Store, level: Level, rules: Rules, judgement: Judgement, available_units: int
) -> None:
    breach = next((entry for entry in level.breaches if entry.kind == judgement.kind), None)
    if breach is None:
        if not judgement.crossed:
            return
        breach = Breach(
            judgement.kind,
            store.now_ms,
            threshold_units=judgement.threshold_units,
            available_units=available_units,
            observed_at_ms=store.observed_at_ms,
        )
        level.breaches = tuple(sorted((*level.breaches, breach), key=lambda entry: entry.kind))
        store.levels.touch((level.sku, level.site))
    if breach.breach_id:
        crossed, over = judgement.crossed, judgement.recovered
        if breach.flapping:
            over = flapping.settles(store, level, rules, breach, crossed=crossed, recovered=over)
        if over:
            _clear(store, level, rules, breach, judgement, available_units=available_units)
    elif not judgement.crossed:
        _remove(level, breach)
        store.levels.touch((level.sku, level.site))
    elif breach.since_ms + rules.dwell_ms <= store.now_ms:
        breach.threshold_units = judgement.threshold_units
        _open(store, level, rules, breach, available_units)


def _open(
    store: Store,
    level: Level,
    rules: Rules,
    breach: Breach,
    available_units: int,
) -> None:
    breach.breach_id = store.next_id("breach", level.sku)
    breach.available_units = available_units
    breach.opened_at_ms = store.now_ms
    flapping.note_opened(level, rules, breach)
    store.levels.touch((level.sku, level.site))
    position = position_units(level, rules)
    promotion = rules.promotion if breach.kind == PROMOTION_SHORTAGE else ""
    numbers = _numbers(store, level, rules, available_units)
    if promotion:
        numbers |= promotions.numbers(store, level)
    store.outbox.events.append(
        BreachOpened(
            breach_id=breach.breach_id,
            sku=level.sku,
            site=level.site,
            kind=breach.kind,
            at_ms=store.now_ms,
            since_ms=breach.since_ms,
            available_units=available_units,
            position_units=position,
            threshold_units=breach.threshold_units,
            observed_at_ms=breach.observed_at_ms,
            decided_from={**numbers, **flapping.limits(rules, breach)},
            promotion=promotion,
        )
    )
    store.outbox.alert(
        level.site,
        AlertRaised(
            alert_key=breach.breach_id,
            kind=breach.kind,
            site=level.site,
            sku=level.sku,
            severity=SEVERITY[breach.kind],
            at_ms=store.now_ms,
            observed_at_ms=breach.observed_at_ms,
            facts={
                "available_units": available_units,
                "position_units": position,
                "threshold_units": breach.threshold_units,
                **_minutes_left(rules, available_units),
                **flapping.limits(rules, breach),
            },
            text=flapping.FLAPPING if breach.flapping else promotion,
        ),
    )


def _minutes_left(rules: Rules, available_units: int) -> dict[str, int]:
    """Return how long available stock lasts by the expected demand, where that is known."""
    if rules.demand_milli_day <= 0:
        return {}
    left_milli_days = max(0, available_units) * MILLI * MILLI // rules.demand_milli_day
    return {"stockout_in_minutes": left_milli_days * DAY_MINUTES // MILLI}


def _numbers(store: Store, level: Level, rules: Rules, available_units: int) -> dict[str, int]:
    numbers = {
        "on_hand_units": level.on_hand_units,
        "reserved_units": level.reserved_units,
        "quarantined_units": level.quarantined_units,
        "buffer_units": level.buffer_units,
        "in_transit_in_units": level.in_transit_in_units,
        "on_order_units": level.on_order_units,
        **owed_numbers(level),
        "hysteresis_units": rules.hysteresis_units,
        "dwell_ms": rules.dwell_ms,
        "reference_version": store.clock.reference_version,
        **_minutes_left(rules, available_units),
    }
    if rules.threshold_number:
        numbers["threshold_number"] = rules.threshold_number
    if rules.demand_milli_day:
        numbers["demand_milli_day"] = rules.demand_milli_day
    sight = areas.sight_of(level)
    if sight.shelf_units is not None:
        numbers["shelf_units"] = sight.shelf_units
    if sight.backroom_units is not None:
        numbers["backroom_units"] = sight.backroom_units
    return numbers


def _clear(
    store: Store,
    level: Level,
    rules: Rules,
    breach: Breach,
    judgement: Judgement,
    *,
    available_units: int,
) -> None:
    _remove(level, breach)
    flapping.forget_old(level, rules, store.now_ms)
    store.levels.touch((level.sku, level.site))
    store.outbox.clear_breach(
        BreachCleared(
            breach_id=breach.breach_id,
            sku=level.sku,
            site=level.site,
            kind=breach.kind,
            at_ms=store.now_ms,
            opened_at_ms=breach.opened_at_ms,
            available_units=available_units,
            threshold_units=judgement.threshold_units,
            reference_version=store.clock.reference_version,
        )
    )
    if _open_shortage(level) is None and breach.kind != "overstock":
        transfers.withdraw(store, level.sku, level.site, breach.breach_id)
    elif breach.kind == PROMOTION_SHORTAGE:
        only = breach.breach_id
        transfers.withdraw(store, level.sku, level.site, breach.breach_id, of_breach=only)


def _follow_up(store: Store, level: Level, rules: Rules) -> None:
    if level.need_id:
        promotions.give_up(store, level, rules)
        without_units = position_units(level, rules) - level.on_order_units
        if without_units >= rules.order_up_to_units:
            for need in needs.open_needs(store, level):
                needs.close_unneeded(store, need)
    breach = _open_shortage(level)
    if breach is not None and rules.promoted_units is not None:
        promoted = _open_of(level, PROMOTION_SHORTAGE)
        if promoted is None:  # it has to dwell first
            rules = usual(rules)
        else:  # it needs more than the others
            breach = promoted
    if breach is not None:
        answer(store, level, rules, breach)
    elif level.backordered_units:
        covering.cover(store, level, rules)


def _open_of(level: Level, kind: BreachKind) -> Breach | None:
    for breach in level.breaches:
        if breach.kind == kind and breach.breach_id:
            return breach
    return None


def _open_shortage(level: Level) -> Breach | None:
    for breach in level.breaches:  # low_stock sorts before stockout
        if breach.breach_id and breach.kind != "overstock":
            return breach
    return None


def _remove(level: Level, breach: Breach) -> None:
    level.breaches = tuple(entry for entry in level.breaches if entry is not breach)


def _drop_pending(store: Store, level: Level) -> None:
    if any(not breach.breach_id for breach in level.breaches):
        level.breaches = tuple(breach for breach in level.breaches if breach.breach_id)
        store.levels.touch((level.sku, level.site))
