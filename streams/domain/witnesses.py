"""The two witnesses of a level: what its book says, what its shelf shows, and what that means.

Where sensors watch a backroom too, the book is compared with shelf and backroom together; what the
shelf alone shows says when to refill it.

Only levels whose policy watches them come here. A shelf that is not seen says nothing: while it is
blind nothing opens, nothing clears, and a dwell begins anew afterwards.
"""

from typing import Final, NamedTuple

from streams.contracts.alerts import AlertRaised, Severity
from streams.contracts.events import BreachCleared, BreachOpened
from streams.contracts.state import SEPARATOR, Level
from streams.contracts.witnesses import (
    WITNESS,
    Watch,
    WitnessKind,
    WitnessRecord,
)
from streams.domain import areas, witness_gaps
from streams.domain.areas import Sight
from streams.domain.catalogue import Rules
from streams.domain.positions import with_coming
from streams.domain.sensing import available_units
from streams.domain.store import Store

SEVERITY: Final[dict[WitnessKind, Severity]] = {
    "phantom_stock": "warning",
    "ghost_stock": "info",
    "shelf_gap": "warning",
    "theft_like_drop": "critical",
    "dead_stock": "info",
}


class Judgement(NamedTuple):
    """How a level stands to one kind of breach."""

    kind: WitnessKind
    threshold_units: int
    crossed: bool
    recovered: bool


def look(store: Store, level: Level, rules: Rules) -> None:
    """Compare the witnesses of a changed level, and tell what is to be told."""
    name = witness_name(level.sku, level.site)
    record = store.witnesses.get(name)
    if record is None:
        record = WitnessRecord(sku=level.sku, site=level.site)
    store.witnesses.put(name, record)
    sight = areas.sight_of(level)
    witness_gaps.follow_drop(store, level, rules, record, sight.units)
    witness_gaps.compare(store, level, rules, record, sight)
    witness_gaps.note_seen(record, sight)
    record.seen_book_units = level.on_hand_units
    for judgement in _judgements(level, rules, record, sight):
        _apply(store, level, rules, record, judgement)
    next_ms = _next_ms(record, rules)
    if next_ms:
        store.timers.arm((WITNESS, name), next_ms)


def witness_name(sku: str, site: str) -> str:
    """Return the key of a witness record in the store."""
    return f"{sku}{SEPARATOR}{site}"


def due_ms(store: Store, name: str) -> int:
    """Return when a dwell of this level has passed; 0 for never."""
    record = store.witnesses.get(name)
    return _next_ms(record, store.rules(record.sku, record.site)) if record is not None else 0


def come_due(store: Store, name: str) -> int:
    """Look at a level whose dwell has passed."""
    sku, _, site = name.partition(SEPARATOR)
    store.touched[sku, site] = None
    return 0


def follow_policy(store: Store, sku: str, site: str) -> None:
    """End all that was told of a level whose policy no longer watches its witnesses."""
    name = witness_name(sku, site)
    record = store.witnesses.get(name)
    if record is None or store.rules(sku, site).is_watched:
        return
    level = store.level(sku, site)
    rules = store.rules(sku, site)
    for watch in record.watches:
        if watch.breach_id:
            _clear(store, level, rules, watch, 0)
    if record.gap_id:
        witness_gaps.tell_gap(store, level, record, areas.sight_of(level), "closed")
    store.witnesses.remove(name)


def note_day(store: Store, level: Level, issued_units: int, days: int) -> None:
    """Count closed days without an issue; the daily round calls it."""
    rules = store.rules(level.sku, level.site)
    if not rules.dead_stock_days:
        return
    name = witness_name(level.sku, level.site)
    record = store.witnesses.get(name) or WitnessRecord(sku=level.sku, site=level.site)
    store.witnesses.put(name, record)
    idle = issued_units <= 0 < level.on_hand_units
    record.idle_days = record.idle_days + days if idle else 0
    store.touched[level.sku, level.site] = None


def _next_ms(record: WitnessRecord, rules: Rules) -> int:
    due = [
        watch.since_ms + _dwell_ms(watch.kind, rules)
        for watch in record.watches
        if not watch.breach_id
    ]
    if record.gap_since_ms and not record.gap_id:
        due.append(record.gap_since_ms + rules.witness_dwell_ms)
    return min(due, default=0)


def _dwell_ms(kind: WitnessKind, rules: Rules) -> int:
    if kind == "dead_stock":
        return 0
    return rules.theft_window_ms if kind == "theft_like_drop" else rules.witness_dwell_ms


def _judgements(level: Level, rules: Rules, record: WitnessRecord, sight: Sight) -> list[Judgement]:
    """Return how the level stands to each kind; those that need what is not seen stay."""
    found = [_dead_stock(level, rules, record)]
    if sight.units is not None:
        found += _compared(level, rules, sight, sight.units)
    if sight.shelf_units is not None:
        found.append(_shelf_gap(level, rules, sight, sight.shelf_units))
    if sight.units is not None:
        drop = witness_gaps.is_drop(level, rules, record, sight.units)
        found.append(Judgement("theft_like_drop", rules.theft_drop_units, drop, not drop))
    judged = {judgement.kind for judgement in found}
    for watch in [watch for watch in record.watches if not watch.breach_id]:
        if watch.kind not in judged:
            record.watches.remove(watch)
    return found


def _dead_stock(level: Level, rules: Rules, record: WitnessRecord) -> Judgement:
    issues = level.issued_units + level.issued_next_units
    if issues > 0 or level.on_hand_units <= 0:
        record.idle_days = 0
    dead = 0 < rules.dead_stock_days <= record.idle_days
    return Judgement("dead_stock", 0, dead, not dead)


def _compared(level: Level, rules: Rules, sight: Sight, seen_units: int) -> list[Judgement]:
    """Return how the book stands to all that is seen."""
    book_units, compared = level.on_hand_units, rules.witness_dwell_ms > 0
    whole = sight.backroom_units is not None or not rules.refill_below_units
    ghost = compared and book_units <= 0 < seen_units
    phantom = compared and whole and seen_units == 0 < book_units
    return [
        Judgement("ghost_stock", 0, ghost, not ghost),
        Judgement("phantom_stock", 0, phantom, not phantom),
    ]


def _shelf_gap(level: Level, rules: Rules, sight: Sight, shelf_units: int) -> Judgement:
    """Return whether the shelf is to be refilled; the backroom only says if there is anything."""
    least_units = rules.refill_below_units
    backroom_units = _backroom_units(level, sight, shelf_units)
    bare = shelf_units < least_units and backroom_units > 0
    filled = shelf_units >= least_units + rules.hysteresis_units or backroom_units <= 0
    return Judgement("shelf_gap", least_units, bare, filled or not least_units)


def _backroom_units(level: Level, sight: Sight, shelf_units: int) -> int:
    """Return what sensors see in the backroom; where they don't, what the book has beside."""
    if sight.backroom_units is not None:
        return sight.backroom_units
    return level.on_hand_units - shelf_units


def _watch(record: WitnessRecord, kind: WitnessKind) -> Watch | None:
    return next((watch for watch in record.watches if watch.kind == kind), None)


def _apply(
    store: Store, level: Level, rules: Rules, record: WitnessRecord, judgement: Judgement
) -> None:
    watch = _watch(record, judgement.kind)
    if watch is None:
        if not judgement.crossed:
            return
        watch = Watch(judgement.kind, store.now_ms, observed_at_ms=store.observed_at_ms)
        record.watches.append(watch)
        record.watches.sort(key=lambda entry: entry.kind)
    if watch.breach_id:
        if judgement.recovered:
            record.watches.remove(watch)
            _clear(store, level, rules, watch, judgement.threshold_units)
    elif not judgement.crossed:
        record.watches.remove(watch)
    elif watch.since_ms + _dwell_ms(watch.kind, rules) <= store.now_ms:
        numbers = {"threshold_units": judgement.threshold_units}
        numbers |= _numbers(level, rules, record, watch.kind)
        _open(store, level, rules, watch, numbers)


def _open(
    store: Store,
    level: Level,
    rules: Rules,
    watch: Watch,
    numbers: dict[str, int],
) -> None:
    watch.breach_id = store.next_id("breach", level.sku)
    watch.opened_at_ms = store.now_ms
    available = available_units(level, rules)
    store.outbox.events.append(
        BreachOpened(
            breach_id=watch.breach_id,
            sku=level.sku,
            site=level.site,
            kind=watch.kind,
            at_ms=store.now_ms,
            since_ms=watch.since_ms,
            available_units=available,
            position_units=with_coming(level, available),
            threshold_units=numbers["threshold_units"],
            observed_at_ms=watch.observed_at_ms,
            decided_from={**numbers, "reference_version": store.clock.reference_version},
        )
    )
    raised = AlertRaised(
        alert_key=watch.breach_id,
        kind=watch.kind,
        site=level.site,
        sku=level.sku,
        severity=SEVERITY[watch.kind],
        at_ms=store.now_ms,
        observed_at_ms=watch.observed_at_ms,
        facts=numbers,
    )
    store.outbox.alert(level.site, raised)


def _numbers(
    level: Level, rules: Rules, record: WitnessRecord, kind: WitnessKind
) -> dict[str, int]:
    numbers = {"book_units": level.on_hand_units}
    if kind == "dead_stock":
        return {**numbers, "idle_days": record.idle_days, "dead_stock_days": rules.dead_stock_days}
    sight = areas.sight_of(level)
    numbers |= {**witness_gaps.seen_numbers(sight), "dwell_ms": _dwell_ms(kind, rules)}
    if kind == "theft_like_drop":
        numbers["missing_units"] = witness_gaps.missing_units_of(
            level, record, witness_gaps.last_seen_units(record)
        )
    if kind == "shelf_gap":
        shelf_units = numbers["shelf_units"]
        numbers["backroom_units"] = _backroom_units(level, sight, shelf_units)
        room_units = (rules.capacity_units or shelf_units + numbers["backroom_units"]) - shelf_units
        numbers["refill_units"] = max(1, min(room_units, numbers["backroom_units"]))
    return numbers


def _clear(store: Store, level: Level, rules: Rules, watch: Watch, threshold_units: int) -> None:
    store.outbox.clear_breach(
        BreachCleared(
            breach_id=watch.breach_id,
            sku=level.sku,
            site=level.site,
            kind=watch.kind,
            at_ms=store.now_ms,
            opened_at_ms=watch.opened_at_ms,
            available_units=available_units(level, rules),
            threshold_units=threshold_units,
            reference_version=store.clock.reference_version,
        )
    )
