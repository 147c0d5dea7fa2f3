"""How a threshold follows from what was learned and what its policy says. Pure."""

from math import sqrt
from typing import Final

from deploy.decision_words import again, milli, span
from deploy.utc import utc
from ingest.contracts.durations import DAY_MS
from streams.contracts.events import ThresholdChanged, ThresholdInputs
from streams.domain.arithmetic import MILLI
from streams.domain.thresholds import Thresholds, compute

_CAPS: Final = (
    ("reorder_units_max", "cap"),
    ("capacity_units", "room on the shelf"),
    ("sellable_units", "sold before it spoils"),
)


def _trend(trend_milli_day: int) -> str:
    return f", rising by {milli(trend_milli_day)} a day, damped" if trend_milli_day else ""


def threshold_lines(event: ThresholdChanged) -> list[str]:
    """Return the lines that explain a computed threshold, and compute it again."""
    inputs = event.inputs
    found = compute(inputs)
    verdict = again(
        (found.reorder_units, found.order_up_to_units),
        (event.reorder_units, event.order_up_to_units),
    )
    lines = [
        (
            f"{event.threshold_id}: {event.sku} at {event.site}, {utc(event.at_ms)}, by the"
            f" {event.cause} review, catalogue load {event.reference_version}"
        ),
        (
            f"minimum {event.reorder_units_before} -> {event.reorder_units}, maximum"
            f" {event.order_up_to_units_before} -> {event.order_up_to_units}; a stockout is"
            f" foreseen below {event.lead_demand_units} ({span(inputs.stockout_horizon_ms)} ahead)"
        ),
        (
            f"demand {milli(inputs.mean_milli_day)} a day, deviation"
            f" {sqrt(inputs.variance_milli_day / MILLI):.3f} ({inputs.demand_class};"
            f" {inputs.days} days learned, {inputs.censored_days} out of stock or unseen)"
            f"{_trend(inputs.trend_milli_day)}"
        ),
        (
            f"lead time {span(inputs.lead_time_ms)}, deviation {span(inputs.lead_time_sd_ms)},"
            f" measured {inputs.lead_times_measured} times; review {span(inputs.review_period_ms)}"
        ),
        (
            f"demand over both {milli(inputs.demand_milli)}, of it by promotions"
            f" {milli(inputs.promoted_milli)}; deviation = {_deviation(inputs)}"
            f" = {milli(found.demand_sd_milli)}"
        ),
        *_minimum(event, found),
        (
            f"lot: {milli(inputs.cycle_demand_milli)} in {span(inputs.order_cycle_ms)}, in packs"
            f" of {inputs.pack_units}: {found.lot_units}; maximum {event.reorder_units} +"
            f" {found.lot_units}{_limits(event, ('capacity_units', 'sellable_units'))}"
            f" = {event.order_up_to_units}"
        ),
        (
            f"at this minimum: service level {_percent(found.service_level_permille)}, fill rate"
            f" {_percent(found.fill_rate_permille)}"
        ),
    ]
    if event.frozen:
        lines.append("it stays so: following such demand does not pay with such a lead time")
    return [*lines, verdict]


def _minimum(event: ThresholdChanged, found: Thresholds) -> list[str]:
    inputs = event.inputs
    aim = f"service level {_percent(inputs.service_level_permille)}"
    if inputs.shortage_cost_minor and inputs.leftover_cost_minor:
        costs = f"{inputs.shortage_cost_minor} / ({inputs.shortage_cost_minor}"
        aim += f" = {costs} + {inputs.leftover_cost_minor})"
    if found.fit == "fill_rate":
        aim = f"fill rate {_percent(inputs.fill_rate_permille)}"
    limits = _limits(event, ("reorder_units_max", "capacity_units", "sellable_units"))
    formula = f"{milli(inputs.demand_milli)} + {milli(found.factor_milli)}"
    formula += f" * {milli(found.demand_sd_milli)}"
    if found.fit in {"poisson", "negative_binomial"}:
        formula = f"P(demand <= minimum) >= {milli(inputs.service_level_permille)}"
    return [
        (
            f"minimum for a {aim} ({found.fit.replace('_', ' ')}): {formula}, floor"
            f" {inputs.reorder_units_min}{limits}: {event.reorder_units}"
        )
    ]


def _deviation(inputs: ThresholdInputs) -> str:
    days = (inputs.lead_time_ms + inputs.review_period_ms) / DAY_MS
    mean_day = inputs.demand_milli / MILLI / days if days else 0.0
    spread_days = inputs.lead_time_sd_ms / DAY_MS
    return (
        f"sqrt({days:.4g} * {inputs.variance_milli_day / MILLI:.6g}"
        f" + {mean_day:.6g}^2 * {spread_days:.4g}^2)"
    )


def _limits(event: ThresholdChanged, names: tuple[str, ...]) -> str:
    found = [(word, getattr(event.inputs, name)) for name, word in _CAPS if name in names]
    return "".join(f", {word} {value}" for word, value in found if value >= 0)


def _percent(permille: int) -> str:
    return f"{permille / 10:g} %"
