"""Whether a transfer pays, where a policy asks for that, and how much of it.

It pays if the shortage it avoids until normal supply comes costs more than the transfer, and it
comes before that supply. After it the donor does not run out before the recipient.
"""

from typing import NamedTuple

from ingest.contracts.durations import DAY_MS
from ingest.contracts.supply import LaneRecord
from streams.contracts.state import Level
from streams.domain import lead_times
from streams.domain.arithmetic import MILLI, round_down
from streams.domain.catalogue import Rules
from streams.domain.store import Store
from streams.domain.supply import demand_milli_day


class Worth(NamedTuple):
    """How much is worth a transfer, 0 for none, and the numbers that say so."""

    quantity_units: int
    decided_from: dict[str, int]


def judge(
    store: Store,
    level: Level,
    rules: Rules,
    lane: LaneRecord,
    *,
    position_units: int,
    donor_units: int,
    quantity_units: int,
) -> Worth:
    """Return how much of a transfer is worth it.

    Args:
        store: What the partition knows.
        level: Who is short.
        rules: What holds for it.
        lane: The way from the donor.
        position_units: What the recipient has and expects, with what others give it now.
        donor_units: What the donor has, without what it has promised.
        quantity_units: What it would give.
    """
    demand = demand_milli_day(store, level, rules)
    donor = store.level(level.sku, lane.from_site)
    donor_demand = demand_milli_day(store, donor, store.rules(level.sku, lane.from_site))
    if demand and donor_demand:
        had_units = position_units - (rules.promoted_units or 0)  # beyond what a promotion takes
        most_units = lasting_units(donor_units, donor_demand, had_units, demand)
        quantity_units = min(quantity_units, round_down(most_units, rules.multiple_units))
    arrives_ms = lane.lead_time_ms
    supply_ms = lead_times.supply_time(store, level.sku, level.site).mean_ms
    short_units = _sold(demand, supply_ms) - position_units
    if rules.promoted_units is not None and store.now_ms + supply_ms > rules.promotion_begins_ms:
        short_units = max(short_units, rules.promoted_units - position_units)
    unavoidable_units = max(0, _sold(demand, arrives_ms) - position_units)
    avoided_units = max(0, min(quantity_units, short_units - unavoidable_units))
    avoided_minor = avoided_units * rules.shortage_cost_minor
    unit_minor = lane.unit_cost_minor + rules.handling_cost_minor
    cost_minor = lane.cost_minor + quantity_units * unit_minor
    numbers = {
        "demand_milli_day": demand,
        "donor_demand_milli_day": donor_demand,
        "normal_supply_ms": supply_ms,
        "avoided_units": avoided_units,
        "avoided_cost_minor": avoided_minor,
        "transfer_cost_minor": cost_minor,
    }
    pays = quantity_units > 0 and arrives_ms < supply_ms and avoided_minor > cost_minor
    return Worth(quantity_units if pays else 0, numbers)


def lasting_units(donor_units: int, donor_demand: int, had_units: int, demand: int) -> int:
    """Return the most that leaves a donor no less time than the recipient has then.

    `(donor - q) / its demand >= (had + q) / demand`; both demands are above 0 and of one unit.
    """
    balance = donor_units * demand - had_units * donor_demand
    return max(0, balance // (demand + donor_demand))


def _sold(demand_milli_day_: int, span_ms: int) -> int:
    return demand_milli_day_ * span_ms // (MILLI * DAY_MS)
