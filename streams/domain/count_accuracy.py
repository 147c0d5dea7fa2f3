"""How far a count is from the book, whether that is within the tolerance, and who hears of it."""

from typing import NamedTuple

from streams.contracts.counts import CountLine, CountLineAnswered, CountRecord, SessionLineState
from streams.contracts.state import SEPARATOR, Level
from streams.domain import areas, book, kpis
from streams.domain.catalogue import Rules
from streams.domain.store import Store


class Comparison(NamedTuple):
    """A count beside the book of its own time."""

    expected_units: int
    difference_units: int
    difference_minor: int
    """At moving-average cost."""
    tolerance: dict[str, int]
    within: bool


def line_key(sku: str, site: str) -> str:
    """Return the key of a line, or of a count record, in the store."""
    return SEPARATOR.join((sku, site))


def compared(store: Store, level: Level, expected_units: int, counted_units: int) -> Comparison:
    """Compare what was counted with what the book expected."""
    difference_units = counted_units - expected_units
    difference_minor = difference_units * book.average_cost_minor(store, level)
    tolerance = tolerance_of(store.rules(level.sku, level.site))
    within = is_within(tolerance, expected_units, difference_units, difference_minor)
    return Comparison(expected_units, difference_units, difference_minor, tolerance, within)


def tolerance_of(rules: Rules) -> dict[str, int]:
    """Return the limits that are set, by name."""
    limits = {
        "tolerance_units": rules.count_tolerance_units,
        "tolerance_permille": rules.count_tolerance_permille,
        "tolerance_minor": rules.count_tolerance_minor,
    }
    return {name: limit for name, limit in limits.items() if limit is not None}


def is_within(
    tolerance: dict[str, int], expected_units: int, difference_units: int, difference_minor: int
) -> bool:
    """Tell whether a difference keeps every limit that is set; where none is, it must be 0."""
    if not tolerance:
        return difference_units == 0
    sizes = {
        "tolerance_units": abs(difference_units),
        "tolerance_permille": abs(difference_units) * 1_000,
        "tolerance_minor": abs(difference_minor),
    }
    limits = dict(tolerance)
    if "tolerance_permille" in limits:
        limits["tolerance_permille"] *= abs(expected_units)
    return all(sizes[name] <= limit for name, limit in limits.items())


def note_count(store: Store, level: Level, comparison: Comparison) -> None:
    """Count a booked count into the record accuracy of its SKU and site."""
    name = line_key(level.sku, level.site)
    record = store.counts.get(name)
    if record is None:
        record = CountRecord()
        store.counts.put(name, record)
    store.counts.touch(name)
    kpis.count_record(store, level, accurate=comparison.within)
    record.counted += 1
    record.within_tolerance += comparison.within
    record.counted_at_ms = store.now_ms
    record.error_units += abs(comparison.difference_units)
    record.difference_units = comparison.difference_units


def answer(
    store: Store,
    line: CountLine,
    state: SessionLineState,
    comparison: Comparison | None = None,
    *,
    expected_units: int = 0,
    actor: str = "",
    reason: str = "",
) -> None:
    """Tell the session how a line stands; of a blind one no number before it is counted."""
    level = store.levels.get((line.sku, line.site))
    seen_units = areas.seen_units(level) if level is not None and not line.blind else None
    told = comparison or Comparison(expected_units, 0, 0, {}, within=False)
    answered = CountLineAnswered(
        session_id=line.session_id,
        sku=line.sku,
        site=line.site,
        state=state,
        at_ms=store.now_ms,
        expected_units=told.expected_units,
        counted_units=line.counted_units,
        counted_at_ms=line.counted_at_ms,
        counted_by=line.counted_by,
        difference_units=told.difference_units,
        difference_minor=told.difference_minor,
        sensed_units=-1 if seen_units is None else seen_units,
        within_tolerance=told.within,
        tolerance=told.tolerance,
        actor=actor,
        reason=reason,
        reference_version=store.clock.reference_version,
    )
    store.outbox.plan(line.site, answered)
