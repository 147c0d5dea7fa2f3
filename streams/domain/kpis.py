"""Key figures of a level, summed as it goes: time held, out of stock and unseen, issues, counts.

A period is summed in stretches in which stock is seen alike. Within one nothing is written but the
level's own moment: each movement adds its units times its second, so that the units held over the
stretch follow at its end as `end * units - begin * units_then - moment`. The daily round closes the
period and tells of it.
"""

from streams.contracts.kpis import SUM_MAX, Kpi, KpiSums, StockSight
from streams.contracts.state import Level
from streams.domain.issues import LASTING
from streams.domain.store import Store, second_of


def note_sight(store: Store, level: Level, sight: StockSight) -> None:
    """Note whether there is stock, none, or nobody can see it from now on."""
    kpi = kpi_of(store, level)
    if kpi.sight != sight:
        sum_up(store, level, kpi)
        kpi.sight = sight


def note_sensors(store: Store, level: Level) -> None:
    """Note that a channel began, fell silent or came back."""
    kpi = kpi_of(store, level)
    sensed = bool(level.sensed) and not any(channel.blind for channel in level.sensed)
    if kpi.sensed != sensed:
        sum_up(store, level, kpi)
        kpi.sensed = sensed


def count_order(store: Store, level: Level, asked_units: int, available_units: int) -> None:
    """Count what an order line asks for, and how much of it could be given at once."""
    sums = kpi_of(store, level).sums
    sums.asked_units = _bounded(sums.asked_units + asked_units)
    filled_units = max(0, min(asked_units, available_units))
    sums.filled_units = _bounded(sums.filled_units + filled_units)
    store.kpis.touch((level.sku, level.site))


def count_record(store: Store, level: Level, *, accurate: bool) -> None:
    """Count that a person compared the book with what is there."""
    sums = kpi_of(store, level).sums
    sums.counted_records += 1
    sums.accurate_records += accurate
    store.kpis.touch((level.sku, level.site))


def kpi_of(store: Store, level: Level) -> Kpi:
    """Return the open period of a level; one that has none begins now."""
    sku_site = level.sku, level.site
    found = store.kpis.get(sku_site)
    if found is None:
        # A level from before there were key figures: what is in a gap may be unseen.
        sight: StockSight = "unseen" if level.gap_until_day == LASTING else "stocked"
        found = Kpi(from_ms=store.clock.now_ms, since_ms=store.clock.now_ms, sight=sight)
        store.kpis.put(sku_site, found)
        _begin(store, level, found)
    return found


def begin_period(store: Store, level: Level) -> None:
    """Begin a new period with what is known of the level now."""
    kpi = kpi_of(store, level)
    kpi.from_ms, kpi.sums = store.clock.now_ms, KpiSums()
    _begin(store, level, kpi)


def summed(level: Level, kpi: Kpi, now_ms: int) -> KpiSums:
    """Return the sums of the open period up to now; nothing is changed."""
    sums, span_ms = kpi.sums, now_ms - kpi.since_ms
    seen_ms = 0 if kpi.sight == "unseen" else span_ms
    held_unit_s = issued_units = 0
    if kpi.sight != "unseen":
        held_unit_s = (
            level.on_hand_units * second_of(now_ms)
            - kpi.begun_units * second_of(kpi.since_ms)
            - level.moment_unit_s
        )
        issued_units = _issued_units(level) - kpi.issued_before_units
    return KpiSums(
        observed_ms=sums.observed_ms + seen_ms,
        out_ms=sums.out_ms + (span_ms if kpi.sight == "out" else 0),
        unseen_ms=sums.unseen_ms + span_ms - seen_ms,
        sensed_ms=sums.sensed_ms + (span_ms if kpi.sensed else 0),
        held_unit_s=_bounded(sums.held_unit_s + held_unit_s),
        issued_units=_bounded(sums.issued_units + issued_units),
        asked_units=sums.asked_units,
        filled_units=sums.filled_units,
        counted_records=sums.counted_records,
        accurate_records=sums.accurate_records,
        blind_ms=sums.blind_ms + (span_ms if kpi.blind_id else 0),
    )


def sum_up(store: Store, level: Level, kpi: Kpi) -> None:
    """Take into the sums what came up to now."""
    kpi.sums = summed(level, kpi, store.clock.now_ms)
    _begin(store, level, kpi)


def _begin(store: Store, level: Level, kpi: Kpi) -> None:
    kpi.since_ms = store.clock.now_ms
    kpi.begun_units = level.on_hand_units
    kpi.issued_before_units = _issued_units(level)
    level.moment_unit_s = 0
    sku_site = level.sku, level.site
    store.kpis.touch(sku_site)
    store.levels.touch(sku_site)


def _issued_units(level: Level) -> int:
    return level.issued_units + level.issued_next_units


def _bounded(total: int) -> int:
    return max(-SUM_MAX, min(SUM_MAX, total))
