"""From demand, lead time and policy to a minimum, a maximum and the stock that outlasts an answer.

All inputs are whole numbers and stand in the event that tells of a change, so the same function
gives the same result again to whoever asks why.
"""

from math import sqrt
from typing import Final, NamedTuple

from msgspec.structs import replace

from ingest.contracts.durations import DAY_MS
from streams.contracts.demand import Demand, PromotionNeed
from streams.contracts.events import ThresholdInputs
from streams.domain import safety
from streams.domain.arithmetic import MILLI
from streams.domain.catalogue import Rules
from streams.domain.lotsize import eoq_units, lot_units

DAYS_PER_YEAR: Final = 365
FILL_RATE: Final[safety.Fit] = "fill_rate"


class Thresholds(NamedTuple):
    """What is computed from `ThresholdInputs`."""

    reorder_units: int
    order_up_to_units: int
    fit: safety.Fit
    factor_milli: int
    """Deviations kept above the expected demand, in thousandths; 0 where demand is counted out."""
    demand_sd_milli: int
    """Deviation of the demand over lead time and review, in thousandths of a unit."""
    lot_units: int
    service_level_permille: int
    """Chance that a cycle sees no stockout at the minimum, by the normal distribution."""
    fill_rate_permille: int
    """Share of demand served at the minimum, by the normal distribution."""


def compute(inputs: ThresholdInputs) -> Thresholds:
    """Return the thresholds; floors, caps and the room on the shelf hold in any case."""
    expected = inputs.demand_milli / MILLI
    sd = demand_sd(inputs)
    lot = lot_units(inputs.cycle_demand_milli / MILLI, _economic_units(inputs), inputs.pack_units)
    if inputs.fill_rate_permille and sd > 0:
        rate = inputs.fill_rate_permille / MILLI
        factor = safety.fill_rate_factor(sd, float(lot), rate)
        wanted, fit = max(0, safety.ceil_units(expected + factor * sd)), FILL_RATE
    else:
        probability = inputs.service_level_permille / MILLI
        wanted, fit = safety.quantile_units(expected, sd, probability)
        factor = safety.normal_quantile(0, 1, probability) if fit == "normal" else 0.0
    reorder = max(wanted, inputs.reorder_units_min)
    for cap in (inputs.reorder_units_max, inputs.capacity_units, inputs.sellable_units):
        reorder = reorder if cap < 0 else min(reorder, cap)
    order_up_to = reorder + lot
    for cap in (inputs.capacity_units, inputs.sellable_units):
        order_up_to = order_up_to if cap < 0 else min(order_up_to, cap)
    kept = (reorder - expected) / sd if sd > 0 else safety.SAFETY_FACTOR_MAX
    return Thresholds(
        reorder,
        order_up_to,
        fit,
        round(factor * MILLI),
        round(sd * MILLI),
        lot,
        round(safety.coverage(kept) * MILLI),
        round(safety.fill_rate(sd, float(lot), kept) * MILLI),
    )


def follows_demand(rules: Rules) -> bool:
    """Tell whether something of a level's rules is computed from its demand."""
    return rules.thresholds == "computed" or rules.stockout_horizon_ms > 0


def overlaid(rules: Rules, demand: Demand | None, foreseen: PromotionNeed | None) -> Rules:
    """Return the rules of a level with what was computed for it in the place of what was said.

    Args:
        rules: What its policies say.
        demand: What is learned of it.
        foreseen: What promotions need of it.
    """
    if demand is not None and follows_demand(rules):
        rules = _followed(rules, demand)
    if foreseen is not None and rules.promotion_lead_ms:
        rules = _promoted(rules, foreseen)
    return rules


def usual(rules: Rules) -> Rules:
    """Return the rules as they would be without a promotion."""
    if rules.promoted_units is None:
        return rules
    return replace(
        rules,
        max_units=rules.usual_max_units,
        promoted_units=None,
        promoted_aim_units=0,
        promotion="",
        promotion_begins_ms=0,
        usual_max_units=None,
    )


def _promoted(rules: Rules, foreseen: PromotionNeed) -> Rules:
    needed_units, most = foreseen.needed_units, rules.max_units
    if needed_units <= (rules.min_units or 0):
        return rules
    return replace(
        rules,
        max_units=most if most is None else max(most, foreseen.aimed_units),
        promoted_units=needed_units,
        promoted_aim_units=foreseen.aimed_units,
        promotion=foreseen.promotion,
        promotion_begins_ms=foreseen.begins_ms,
        usual_max_units=most,
    )


def _followed(rules: Rules, demand: Demand) -> Rules:
    if not (demand.demand_milli_day or demand.threshold_number):
        return rules
    computed: dict[str, int | None] = {
        "foretold_units": demand.lead_demand_units or None,
        "demand_milli_day": demand.demand_milli_day,
    }
    if rules.thresholds == "computed" and demand.threshold_number:
        computed["min_units"] = demand.reorder_units
        computed["max_units"] = demand.order_up_to_units
        computed["threshold_number"] = demand.threshold_number
    return replace(rules, **computed)


def demand_sd(inputs: ThresholdInputs) -> float:
    """Return the deviation of demand over lead time and review."""
    days = (inputs.lead_time_ms + inputs.review_period_ms) / DAY_MS
    if days <= 0:
        return 0.0
    return safety.horizon_sd(
        days,
        sqrt(inputs.variance_milli_day / MILLI),
        inputs.demand_milli / MILLI / days,
        inputs.lead_time_sd_ms / DAY_MS,
    )


def _economic_units(inputs: ThresholdInputs) -> float:
    holding = inputs.unit_cost_minor * inputs.holding_cost_permille / MILLI
    if holding <= 0 or inputs.order_cost_minor <= 0:
        return 0.0
    yearly = inputs.mean_milli_day / MILLI * DAYS_PER_YEAR
    return eoq_units(inputs.order_cost_minor, holding, yearly)
