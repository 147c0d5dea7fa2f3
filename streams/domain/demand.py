"""What is known of a level's demand, day by day, in constant size.

Exponentially weighted mean and squared one-day error, seven weekday factors, and Teunter, Syntetos
and Babai's chance and size for what sells seldom (TSB; European Journal of Operational Research
214, 2011). The first days count as a plain average. A day on which stock ran out only says "at
least so many": it counts with what would have been expected above that (Tobin's repair), for
otherwise low stock would teach low demand, and low demand lower stock.
"""

from math import sqrt
from statistics import NormalDist
from typing import Final, Literal

from ingest.contracts.demand import DemandTrend
from streams.contracts.demand import Demand

DemandClass = Literal["smooth", "erratic", "intermittent", "lumpy"]

MEAN_WEIGHT: Final = 0.1
VARIANCE_WEIGHT: Final = 0.03
"""Slow, so that one great day does not raise every threshold."""
WEEKDAY_WEIGHT: Final = 0.08
"""Each weekday is seen once a week: a quarter of a year of memory."""
CHANCE_WEIGHT: Final = 0.05
SIZE_WEIGHT: Final = 0.1
WEEKDAYS_LEARNED_AFTER_DAYS: Final = 14
WEEKDAY_MEAN_MIN: Final = 3.0
"""Units a day; below it weekdays are noise."""
WEEKDAY_PERMILLE_MIN: Final = 100
WEEKDAY_PERMILLE_MAX: Final = 4_000
TREND_LEARNED_AFTER_DAYS: Final = 14
TREND_JUDGED_DAYS_MIN: Final = 56
"""Days with a trend before its errors are compared with those of none."""
TREND_WEIGHT: Final = 0.01
TREND_DAMPING: Final = 0.98
"""Of each day: a trend goes on for 49 days' worth in all (Gardner, McKenzie, Management Science 31,
1985)."""
TREND_GAIN_MIN: Final = 0.02
"""By how much a trend has to lower the squared error, or it is left out."""
UNKNOWN_GAPS_MAX: Final = 2
"""Days with a gap that teach nothing while nothing is known."""
INTERVAL_DAYS_CUT: Final = 1.32
SIZE_CV2_CUT: Final = 0.49
"""Syntetos, Boylan, Croston, Journal of the Operational Research Society 56, 2005."""

_STANDARD: Final = NormalDist()
_PERMILLE: Final = 1_000
_TAIL_MIN: Final = 1e-6


def learn(demand: Demand, units: int, weekday: int) -> None:
    """Learn a day on which all that was wanted could be sold.

    Args:
        demand: What is known, changed in place.
        units: Sold on that day, not negative.
        weekday: 0 to 6; which day is 0 does not matter as long as it stays.
    """
    demand.days += 1
    _learn_total(demand, float(units), weekday)
    _learn_size(demand, units)


def learn_at_least(demand: Demand, units: int, weekday: int) -> None:
    """Learn a day on which stock ran out after `units` were sold.

    Where nothing was sold such a day says nothing, and so do the first ones. Later ones are taken
    as they are where nothing else is known: what sells out each day must become known, too.
    """
    demand.censored_days += 1
    if units <= 0:
        return
    if demand.days == 0:
        if demand.censored_days > UNKNOWN_GAPS_MAX:
            learn(demand, units, weekday)
        return
    demand.days += 1
    forecast = forecast_units(demand) * weekday_factor(demand, weekday)
    # Days that all end early show too little spread: no less than Poisson's is reckoned with.
    repaired = expected_above(units, forecast, sqrt(max(demand.variance, forecast)))
    _learn_total(demand, repaired, weekday)
    _learn_size(demand, max(units, round(demand.size)))


def expected_above(units: float, mean: float, sd: float) -> float:
    """Return the expected demand given that it was at least `units`, of normal demand.

    `mean + sd * phi(k) / (1 - Phi(k))` with `k = (units - mean) / sd` (Tobin, Econometrica 26,
    1958); far in the tail, and where nothing varies, the greater of both.
    """
    if sd <= 0:
        return max(units, mean)
    factor = (units - mean) / sd
    tail = 1 - _STANDARD.cdf(factor)
    if tail < _TAIL_MIN:
        return max(units, mean)
    return max(units, mean + sd * _STANDARD.pdf(factor) / tail)


def forecast_units(demand: Demand) -> float:
    """Return the expected demand of an average day."""
    if demand_class(demand) in {"intermittent", "lumpy"}:
        return demand.chance * demand.size
    return demand.mean


def weekday_factor(demand: Demand, weekday: int) -> float:
    """Return by how much a weekday differs from an average day."""
    return demand.weekday_permille[weekday] / _PERMILLE if demand.weekday_permille else 1.0


def trend_holds(demand: Demand, wanted: DemandTrend) -> bool:
    """Tell whether what is expected follows the damped trend.

    What sells seldom has none: its chance and size are too few to tell a trend from luck.
    """
    learned_days = demand.days - TREND_LEARNED_AFTER_DAYS
    if wanted == "none" or learned_days <= 0:
        return False
    if demand_class(demand) in {"intermittent", "lumpy"}:
        return False
    if wanted == "damped":
        return True
    least = (1 - TREND_GAIN_MIN) * demand.flat_variance
    return learned_days >= TREND_JUDGED_DAYS_MIN and demand.trend_variance < least


def trended_units(demand: Demand, days_ahead: int) -> float:
    """Return the expected demand of an average day so many days ahead, at least 0.

    `level + trend * (d + d^2 + ... + d^days_ahead)` with the damping `d`.
    """
    damped = TREND_DAMPING * (1 - TREND_DAMPING**days_ahead) / (1 - TREND_DAMPING)
    return max(0.0, demand.trend_level + demand.trend * damped)


def demand_class(demand: Demand) -> DemandClass:
    """Return the class by the mean interval between days with demand and the CV^2 of sizes."""
    seldom = demand.chance * INTERVAL_DAYS_CUT < 1
    varied = demand.size_variance > SIZE_CV2_CUT * demand.size * demand.size
    if seldom:
        return "lumpy" if varied else "intermittent"
    return "erratic" if varied else "smooth"


def smoothed(value: float, seen: float, weight: float) -> float:
    """Return an exponentially weighted mean after one more observation."""
    return value + weight * (seen - value)


def warm_weight(weight: float, count: int) -> float:
    """Return the weight of the `count`-th observation: a plain average until that is smaller."""
    return max(weight, 1 / count)


def learned_moments(
    mean: float, variance: float, seen: float, count: int, *, weights: tuple[float, float]
) -> tuple[float, float]:
    """Return mean and mean squared error after the `count`-th observation, the first of them 1.

    `weights` are theirs; an error is that of the mean before, so the first observation has none.
    """
    if count > 1:
        error = seen - mean
        variance = smoothed(variance, error * error, warm_weight(weights[1], count - 1))
    return smoothed(mean, seen, warm_weight(weights[0], count)), variance


def _learn_total(demand: Demand, units: float, weekday: int) -> None:
    factor = weekday_factor(demand, weekday)
    days = demand.days
    if days > 1:
        error = units - forecast_units(demand) * factor
        weight = warm_weight(VARIANCE_WEIGHT, days - 1)
        demand.variance = smoothed(demand.variance, error * error, weight)
    _learn_trend(demand, units, factor)
    demand.mean = smoothed(demand.mean, units / factor, warm_weight(MEAN_WEIGHT, days))
    if days > WEEKDAYS_LEARNED_AFTER_DAYS and demand.mean >= WEEKDAY_MEAN_MIN:
        _learn_weekday(demand, units / demand.mean, weekday)


def _learn_trend(demand: Demand, units: float, factor: float) -> None:
    """Learn with one day more; called while `mean` is still what it was before."""
    learned_days = demand.days - TREND_LEARNED_AFTER_DAYS
    if learned_days <= 0:
        return
    if learned_days == 1:
        demand.trend_level = demand.mean
    ahead = trended_units(demand, 1)
    weight = warm_weight(VARIANCE_WEIGHT, learned_days)
    for name, forecast in (("trend_variance", ahead), ("flat_variance", demand.mean)):
        error = units - forecast * factor
        setattr(demand, name, smoothed(getattr(demand, name), error * error, weight))
    surprise = units / factor - ahead
    demand.trend_level = ahead + MEAN_WEIGHT * surprise
    demand.trend = TREND_DAMPING * demand.trend + TREND_WEIGHT * surprise


def _learn_weekday(demand: Demand, ratio: float, weekday: int) -> None:
    factors = demand.weekday_permille or [_PERMILLE] * 7
    seen = smoothed(factors[weekday], ratio * _PERMILLE, WEEKDAY_WEIGHT)
    factors = [*factors]
    factors[weekday] = round(seen)
    total = sum(factors)
    demand.weekday_permille = [
        min(WEEKDAY_PERMILLE_MAX, max(WEEKDAY_PERMILLE_MIN, round(part * 7 * _PERMILLE / total)))
        for part in factors
    ]


def _learn_size(demand: Demand, units: int) -> None:
    sold = 1.0 if units > 0 else 0.0
    demand.chance = smoothed(demand.chance, sold, warm_weight(CHANCE_WEIGHT, demand.days))
    if units <= 0:
        return
    demand.sale_days += 1
    demand.size, demand.size_variance = learned_moments(
        demand.size,
        demand.size_variance,
        units,
        demand.sale_days,
        weights=(SIZE_WEIGHT, VARIANCE_WEIGHT),
    )
