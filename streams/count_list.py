"""Where a count pays: levels by expected error of the record times the value of a unit. Pure.

The record's error is taken for a random walk: each unit that moved, and each day, adds variance,
and a count ends it (DeHoratius, Mersereau, Schrage, "Retail inventory management when records are
inaccurate", M&SOM 10, 2008). What sensors see of the shelf adds the gap itself, and leaves little
else unknown. See docs/counts.md for the formula.
"""

from math import pi, sqrt
from typing import Final

import msgspec

from ingest.contracts.durations import DAY_MS
from streams.contracts.counts import COUNT, CountRecord
from streams.contracts.demand import Demand
from streams.contracts.state import (
    CLOCK,
    DEMAND,
    LEVEL,
    SEPARATOR,
    SKU,
    Clock,
    Level,
    SkuBook,
    decode,
    key_parts,
)
from streams.domain import areas

UNIT_VARIANCE: Final = 0.01
"""Squared units of error that each moved unit adds: one scan in a hundred is a unit off."""
DAY_VARIANCE: Final = 0.05
"""Squared units of error that each day adds: theft, breakage, misplaced units."""
NEVER_COUNTED_DAYS: Final = 90
"""A level that was never counted is taken for one that was counted so long ago."""
SEEN_SHARE: Final = 0.2
"""How much of the random error is left where sensors see the shelf."""

_KINDS: Final = tuple(f"{kind}{SEPARATOR}".encode() for kind in (LEVEL, COUNT, DEMAND, SKU))


class CountWorth(msgspec.Struct, frozen=True, kw_only=True):
    """Why a level should be counted."""

    site: str
    sku: str
    on_hand_units: int
    shelf_units: int | None
    """What sensors see; None where nobody knows."""
    days: float
    """Since the last count."""
    counted: int
    """How many counts there were."""
    moved_units: float
    """Expected to have moved since then, by the demand that was learned."""
    error_units: float
    """Expected error of the record."""
    unit_cost_minor: int
    worth_minor: float
    """Expected error times cost."""
    zero: bool
    """The book says that nothing is there: one look confirms it."""


class CountList:
    """Takes the live table and tells where a count pays."""

    def __init__(self) -> None:
        """Begin with an empty table."""
        self.now_ms = 0
        self._records: dict[tuple[str, ...], object] = {}

    def take(self, raw_key: bytes | None, value: bytes | None) -> None:
        """Take one committed record of `shelfstream.stock`, in log order."""
        if raw_key is None:
            return
        if raw_key == CLOCK.encode():
            clock = decode(raw_key, value) if value is not None else None
            self.now_ms = max(self.now_ms, clock.now_ms if isinstance(clock, Clock) else 0)
        elif raw_key.startswith(_KINDS):
            name = tuple(key_parts(raw_key))
            if value is None:
                self._records.pop(name, None)
            else:
                self._records[name] = decode(raw_key, value)

    def ranked(self, site: str) -> list[CountWorth]:
        """Return the levels of a site, the one that pays most first."""
        found = [
            self._worth(record)
            for record in self._records.values()
            if isinstance(record, Level) and record.site == site
        ]
        return sorted(found, key=lambda one: (-one.worth_minor, one.sku))

    def _worth(self, level: Level) -> CountWorth:
        count = self._records.get((COUNT, level.sku, level.site))
        demand = self._records.get((DEMAND, level.sku, level.site))
        days = float(NEVER_COUNTED_DAYS)
        if isinstance(count, CountRecord):
            days = max(0.0, (self.now_ms - count.counted_at_ms) / DAY_MS)
        moved_units = demand.mean * days if isinstance(demand, Demand) else 0.0
        seen_units = areas.seen_units(level)
        error_units = expected_error(level.on_hand_units, seen_units, days, moved_units)
        cost_minor = self._cost_minor(level)
        return CountWorth(
            site=level.site,
            sku=level.sku,
            on_hand_units=level.on_hand_units,
            shelf_units=seen_units,
            days=round(days, 1),
            counted=count.counted if isinstance(count, CountRecord) else 0,
            moved_units=round(moved_units, 1),
            error_units=round(error_units, 2),
            unit_cost_minor=cost_minor,
            worth_minor=round(error_units * cost_minor, 1),
            zero=level.on_hand_units <= 0,
        )

    def _cost_minor(self, level: Level) -> int:
        if level.on_hand_units > 0:
            return level.value_minor // level.on_hand_units
        book = self._records.get((SKU, level.sku))
        record = book.record if isinstance(book, SkuBook) else None
        return record.unit_cost_minor if record is not None else 0


def expected_error(
    on_hand_units: int, seen_units: int | None, days: float, moved_units: float
) -> float:
    """Return the expected absolute error of a record, in units.

    The mean of |x| of a normal x with deviation s is `s * sqrt(2 / pi)`.
    """
    deviation = sqrt(UNIT_VARIANCE * moved_units + DAY_VARIANCE * days)
    random_units = deviation * sqrt(2 / pi)
    if seen_units is None:
        return random_units
    return abs(on_hand_units - seen_units) + SEEN_SHARE * random_units
