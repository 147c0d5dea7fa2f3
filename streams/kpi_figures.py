"""Key figures as people ask for them: ratios of the sums that the fold tells, level to network.

Sums of days and of levels are added first and divided last. Units of different articles are
weighed by their unit cost (by 1 where none is known): turnover and days of a total are of its
value.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from ingest.contracts.durations import DAY_MS
from streams.contracts.events import EVENT_FRAMES
from streams.contracts.kpis import KPI, Kpi, KpisClosed, KpiSums
from streams.contracts.state import CLOCK, LEVEL, Clock, Level, decode, key, key_parts
from streams.domain.arithmetic import MILLI
from streams.domain.kpis import summed
from streams.domain.thresholds import DAYS_PER_YEAR

DAY_S: Final = 86_400
DAYS_TOLD_MAX: Final = 35
"""Days for which events are kept: further back there is nothing to add up."""
DECIMALS: Final = 4

LevelKey = tuple[str, str]
"""Site and SKU; the empty SKU stands for all of a site, the empty site for the network."""
Figure = int | float | None


class Totals(msgspec.Struct, kw_only=True):
    """What is added up of one level, one site or the network."""

    sums: KpiSums = msgspec.field(default_factory=KpiSums)
    lost_milli: int = 0
    held_minor_s: int = 0
    issued_minor: int = 0
    excess_minor: int = 0
    value_minor: int = 0
    """Of the ends of the days, as `excess_minor`."""
    seen_levels: int = 0
    """Ends of days at which sensors saw the shelf."""
    phantom_levels: int = 0
    """Those at which the book said stock, and the shelf was empty."""
    stock_minor: int = 0
    """Newest stock that has a forecast, at cost."""
    demand_milli_minor: int = 0
    """Its expected demand of a day, at cost."""

    def add(self, other: "Totals") -> None:
        """Add what belongs to the same total."""
        for name in KpiSums.__struct_fields__:
            setattr(self.sums, name, getattr(self.sums, name) + getattr(other.sums, name))
        for name in self.__struct_fields__[1:]:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def figures(self) -> dict[str, Figure]:
        """Return the key figures; None where nothing says how much."""
        sums = self.sums
        observed = sums.observed_ms
        return {
            "turnover_per_year": _ratio(
                self.issued_minor * DAYS_PER_YEAR * DAY_S, self.held_minor_s
            ),
            "days_on_hand": _ratio(self.held_minor_s, self.issued_minor * DAY_S),
            "days_on_hand_forward": _ratio(self.stock_minor * MILLI, self.demand_milli_minor),
            "stockout_time_rate": _ratio(sums.out_ms, observed),
            "fill_rate": _ratio(sums.filled_units, sums.asked_units),
            "unfilled_rate": _ratio(sums.asked_units - sums.filled_units, sums.asked_units),
            "lost_units_estimate": round(self.lost_milli / MILLI, 1),
            "overstock_value_rate": _ratio(self.excess_minor, self.value_minor),
            "record_accuracy": _ratio(sums.accurate_records, sums.counted_records),
            "counted_records": sums.counted_records,
            "phantom_share": _ratio(self.phantom_levels, self.seen_levels),
            "sensor_coverage": _ratio(sums.sensed_ms, observed + sums.unseen_ms),
            "observed_days": round(observed / DAY_MS, 2),
            "unseen_days": round(sums.unseen_ms / DAY_MS, 2),
        }


class Figures:
    """Adds up days that were told, and what came since, of the levels that are asked for."""

    def __init__(self, *, sku: str = "", site: str = "") -> None:
        """Take whose figures are wanted; empty names match all."""
        self._sku = sku
        self._site = site
        self._told: list[KpisClosed] = []
        self._levels: dict[LevelKey, tuple[int, object]] = {}
        self._open: dict[LevelKey, tuple[int, object]] = {}
        """Open periods, as the levels with the partition they are of."""
        self._now_ms: dict[int, int] = {}

    def take_events(self, value: bytes | None) -> None:
        """Take a record of `shelfstream.events`.

        Raises:
            FrameError: It is no frame of events.
        """
        for event in EVENT_FRAMES.decode(value or b"").items:
            if isinstance(event, KpisClosed) and self._wanted(event.sku, event.site):
                self._told.append(event)

    def take_state(self, partition: int, raw_key: bytes | None, value: bytes | None) -> None:
        """Take a record of `shelfstream.stock`; others than levels and their sums are left out."""
        if raw_key is None or not raw_key.startswith(_KINDS):
            return
        kind, *names = key_parts(raw_key)
        record = decode(raw_key, value) if value is not None else None
        if isinstance(record, Clock):
            self._now_ms[partition] = record.now_ms
        elif kind != CLOCK and self._wanted(*names):
            table = self._open if kind == KPI else self._levels
            table[names[1], names[0]] = (partition, record)

    def totals(self, days: int) -> dict[LevelKey, Totals]:
        """Return the totals of the last days up to the fold's now: levels, sites, the network.

        What began before counts where its period ended in these days.
        """
        from_ms = max(self._now_ms.values(), default=0) - days * DAY_MS
        found: dict[LevelKey, Totals] = {}
        costs: dict[LevelKey, int] = {}
        for told in sorted(self._told, key=lambda one: one.at_ms):
            place = told.site, told.sku
            # A book of nothing has no average: what it last was holds on.
            costs[place] = told.unit_cost_minor or costs.get(place, 0)
            if told.at_ms > from_ms:
                total = found.setdefault(place, Totals())
                total.stock_minor = total.demand_milli_minor = 0  # the newest counts
                total.add(_closed(told, costs[place] or 1))
        for place, (partition, kpi) in self._open.items():
            level = self._levels.get(place, (partition, None))[1]
            if isinstance(kpi, Kpi) and isinstance(level, Level):
                sums = summed(level, kpi, self._now_ms[partition])
                found.setdefault(place, Totals()).add(_weighed(sums, costs.get(place, 0)))
        return dict(sorted(_rolled_up(found).items()))

    def _wanted(self, sku: str, site: str) -> bool:
        return self._sku in {"", sku} and self._site in {"", site}


def _rolled_up(levels: Mapping[LevelKey, Totals]) -> dict[LevelKey, Totals]:
    found = dict(levels)
    for (site, _), total in levels.items():
        for place in ((site, ""), ("", "")):
            found.setdefault(place, Totals()).add(total)
    return found


def _closed(told: KpisClosed, cost_minor: int) -> Totals:
    total = _weighed(told.sums, cost_minor)
    total.lost_milli = told.lost_milli
    total.excess_minor, total.value_minor = told.excess_minor, max(0, told.value_minor)
    total.seen_levels = int(told.shelf_units >= 0)
    total.phantom_levels = int(told.shelf_units == 0 < told.on_hand_units)
    if told.demand_milli_day >= 0:
        total.stock_minor = max(0, told.on_hand_units) * cost_minor
        total.demand_milli_minor = told.demand_milli_day * cost_minor
    return total


def _weighed(sums: KpiSums, cost_minor: int) -> Totals:
    weight = cost_minor or 1
    return Totals(
        sums=msgspec.structs.replace(sums),
        held_minor_s=sums.held_unit_s * weight,
        issued_minor=sums.issued_units * weight,
    )


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, DECIMALS) if whole > 0 else None


_KINDS: Final = (key(LEVEL, ""), key(KPI, ""), CLOCK.encode())
