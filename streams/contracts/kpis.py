"""What the stock fold counts for key figures: sums of a period, never ratios.

Sums of levels and of periods add up; ratios are made of them by whoever shows them. All are whole
numbers: units, milliseconds, and units times seconds.
"""

from typing import Final, Literal

import msgspec

from streams.contracts.blindness import BlindCause

StockSight = Literal["stocked", "out", "unseen"]
"""`unseen`: the shelf leads, and can't be seen. That time is kept out of every figure."""

KPI: Final = "kpi"
"""Kind of the state records of open periods."""
SUM_MAX: Final = 1 << 62
"""No sum goes beyond, so that absurd quantities can't end a worker."""


class KpiSums(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """Sums of one SKU at one site over a period, by recorded time."""

    observed_ms: int = 0
    """All time but that in which the leading shelf could not be seen."""
    out_ms: int = 0
    """Observed time in which nothing was available."""
    unseen_ms: int = 0
    sensed_ms: int = 0
    """Time in which every sensor of the level reported, whoever leads."""
    held_unit_s: int = 0
    """The book's units times the observed seconds for which they were held."""
    issued_units: int = 0
    """What went to customers (from a warehouse: to its sites too) in observed time."""
    asked_units: int = 0
    """What order lines asked for; scans can't tell what nobody found."""
    filled_units: int = 0
    """How much of it was available when it was asked for."""
    counted_records: int = 0
    """Counts of the book by a person."""
    accurate_records: int = 0
    """Those within the tolerance; where none is set, that found what the book said."""
    blind_ms: int = 0
    """Time in which at least one sensor of the level was blind, whoever leads."""


class Kpi(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """The open period of a level: what is summed up to the last change of what can be seen.

    What came since follows from the level itself: see `streams.domain.kpis`.
    """

    from_ms: int
    """When the period began."""
    since_ms: int
    """Up to when the sums reach."""
    sight: StockSight = "stocked"
    sensed: bool = False
    begun_units: int = 0
    """The book at `since_ms`."""
    issued_before_units: int = 0
    """What the level had counted as issued at `since_ms`."""
    sums: KpiSums = msgspec.field(default_factory=KpiSums)
    blind_id: str = ""
    """The open blind interval; empty while every sensor sees, and where there is none."""
    blind_since_ms: int = 0
    blind_cause: BlindCause = "offline"


class KpisClosed(msgspec.Struct, frozen=True, array_like=True, tag=60, kw_only=True):
    """A level's period of about a day is over: its sums, and how the level stood at its end."""

    sku: str
    site: str
    from_ms: int
    at_ms: int
    sums: KpiSums
    on_hand_units: int
    value_minor: int
    unit_cost_minor: int
    """Moving average, or the catalogue's while nothing is on hand; weighs units in totals."""
    excess_minor: int
    """Value of what is above the maximum."""
    demand_milli_day: int
    """Expected demand of an average day in thousandths of a unit; -1 while nothing is known."""
    lost_milli: int
    """Estimate: what would have been sold while stock was out, in thousandths of a unit."""
    shelf_units: int
    """What sensors see, on the shelf and in a watched backroom; -1 where that is unknown."""
