"""What left a level for customers, counted in days of event time, and the days that say too little.

A level counts for two days at once, so that what is told a few hours late still falls into its own
day: the round closes a day some time in the next one. What is later still counts in the open day,
for a closed one is not opened again.
"""

from typing import Final, NamedTuple

from ingest.contracts.durations import DAY_MS
from streams.contracts.state import Level
from streams.domain.days import day_of
from streams.domain.store import Store

LASTING: Final = -1
"""`gap_until_day` of a gap that has not ended."""


class ClosedDay(NamedTuple):
    """A day that is over."""

    day: int
    units: int
    in_gap: bool
    """Stock was out, or could not be seen, for a part of it at least."""


def count(level: Level, quantity_units: int, at_ms: int) -> None:
    """Count units that went to customers; the caller says that the level changed."""
    if at_ms // DAY_MS < level.issued_day:
        level.issued_units += quantity_units
    else:
        level.issued_next_units += quantity_units


def count_dispatch(store: Store, level: Level, quantity_units: int, at_ms: int) -> None:
    """Count units that were sent to another site: the sites are a warehouse's customers."""
    site = store.catalogue.sites.get(level.site)
    if site is not None and site.kind == "warehouse":
        count(level, quantity_units, at_ms)


def note_gap(store: Store, level: Level, *, gap: bool) -> None:
    """Note whether stock is out, or can't be seen, from now on."""
    if gap == (level.gap_until_day == LASTING):
        return
    today = day_of(store.clock.now_ms)
    if not gap:
        level.gap_until_day = today
    else:
        if level.gap_until_day < today - 1 or not level.gap_from_day:
            level.gap_from_day = today
        level.gap_until_day = LASTING
    store.levels.touch((level.sku, level.site))


def close_day(level: Level, day: int) -> ClosedDay | None:
    """Close the open day of a level if it is not after `day`; the level changes.

    Where days were left out, because nothing at all was folded meanwhile, they stay unknown.
    """
    open_day = level.issued_day
    if open_day > day:
        return None
    lasting = level.gap_until_day == LASTING
    in_gap = level.gap_from_day <= open_day and (lasting or open_day <= level.gap_until_day)
    closed = ClosedDay(open_day, level.issued_units, in_gap)
    level.issued_day = day + 1
    level.issued_units = level.issued_next_units if open_day == day else 0
    level.issued_next_units = 0
    if open_day < day and not lasting:
        level.gap_from_day = level.gap_until_day = day + 1
    return closed if open_day else None
