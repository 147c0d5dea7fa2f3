"""A shop that sells day after day, from the first morning of a quiet month."""

from typing import Any

from ingest.contracts.durations import DAY_MS, MINUTE_MS
from ingest.contracts.policies import PolicyRecord
from ingest.frames import SiteRecord, SkuRecord
from streams.contracts.demand import Demand
from streams.contracts.events import ThresholdInputs
from streams.contracts.state import DEMAND, decode, key
from streams.domain.shares import share_of
from tests.unit.streams.builders import SHOP, SKU, WAREHOUSE, Story, lane, opening, reference, scan

START_MS = 20_000 * DAY_MS
"""Midnight, when stories of demand begin."""
TURN_MS = share_of(SKU) * MINUTE_MS
"""When in the day the round comes to the SKU."""


def threshold_inputs(**fields: Any) -> ThresholdInputs:
    """Return inputs of 20 a day with deviation 4, two days of lead time and a day of review."""
    plain: dict[str, Any] = dict.fromkeys(ThresholdInputs.__struct_fields__, 0)
    plain |= {
        "demand_class": "smooth",
        "mean_milli_day": 20_000,
        "variance_milli_day": 16_000,
        "demand_milli": 60_000,
        "cycle_demand_milli": 60_000,
        "lead_time_ms": 2 * DAY_MS,
        "review_period_ms": DAY_MS,
        "service_level_permille": 950,
        "pack_units": 1,
        "reorder_units_max": -1,
        "capacity_units": -1,
        "sellable_units": -1,
    }
    return ThresholdInputs(**{**plain, **fields})


class Shop:
    """A story with scans that are numbered and days that pass."""

    def __init__(self, *, stock: int = 100_000, pack: int = 1, **fields: Any) -> None:
        """Open a shop below a warehouse a day away; `fields` is what the network's policy says."""
        self.story = Story()
        self.story.now_ms = START_MS
        self._seq = 0
        said = {"scope": "network", "autonomy": "observe", "thresholds": "computed", **fields}
        self.story.tell(
            reference(SkuRecord(SKU, pack_units=pack, unit_cost_minor=100)),
            reference(SiteRecord(WAREHOUSE, kind="warehouse")),
            reference(SiteRecord(SHOP, parent_site=WAREHOUSE)),
            lane(WAREHOUSE, lead_time_ms=DAY_MS, cost_minor=800),
            reference(PolicyRecord(**said)),
            opening(stock, cost_minor=0),
        )

    def sell(self, units: int, *, at_ms: int | None = None, site: str = SHOP) -> None:
        """Sell units, now or as told of an earlier time."""
        self._seq += 1
        now_ms = self.story.now_ms
        observed_at_ms = now_ms if at_ms is None else at_ms
        self.story.tell(
            scan("sale", units, seq=self._seq, site=site, observed_at_ms=observed_at_ms)
        )

    def wait_until(self, at_ms: int) -> None:
        """Let time pass to a time, minute after minute where the round is due."""
        self.story.wait(at_ms - self.story.now_ms)

    def day(self, units: int, *, after_ms: int = DAY_MS // 2) -> None:
        """Sell units at noon, and let the day end."""
        begin_ms = self.story.now_ms // DAY_MS * DAY_MS
        if units:
            self.wait_until(begin_ms + after_ms)
            self.sell(units)
        self.wait_until(begin_ms + DAY_MS)

    def days(self, series: list[int]) -> "Shop":
        """Let a day pass for each number of units."""
        for units in series:
            self.day(units)
        return self

    def turn(self) -> "Shop":
        """Wait for the round of the day that begins."""
        self.wait_until(self.story.now_ms // DAY_MS * DAY_MS + TURN_MS)
        return self

    def demand(self, site: str = SHOP) -> Demand:
        """Return what is learned of the level, as written."""
        raw = key(DEMAND, SKU, site)
        found = decode(raw, self.story.state[raw])
        assert isinstance(found, Demand)
        return found
