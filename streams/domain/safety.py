"""How much stock covers a demand with a given certainty: quantiles, and the fill rate's way.

Demand over a time is fitted as normal, or where little is sold as Poisson or negative binomial.
The cycle service level is the chance that an order cycle sees no stockout; the fill rate is the
share of units served from the shelf. They are not the same, so both are told.
"""

from math import ceil, exp, floor, log, sqrt
from statistics import NormalDist
from typing import Final, Literal

Fit = Literal["normal", "poisson", "negative_binomial", "fill_rate"]

SLOW_UNITS: Final = 10.0
"""Expected demand below which a normal distribution fits badly."""
POISSON_RATIO_MAX: Final = 1.1
"""Variance over mean up to which slow demand counts as Poisson."""
STEPS_MAX: Final = 4_096
"""Units that a discrete quantile is searched up to; the normal one stands in above."""
SAFETY_FACTOR_MAX: Final = 6.0
SOLVE_STEPS: Final = 48

_STANDARD: Final = NormalDist()


def quantile_units(mean_units: float, sd_units: float, probability: float) -> tuple[int, Fit]:
    """Return the least stock that demand stays within with a probability, and what was fitted.

    Args:
        mean_units: Expected demand, not negative.
        sd_units: Its standard deviation.
        probability: Above 0 and below 1: the cycle service level, or the newsvendor's ratio.
    """
    if mean_units <= 0:
        return 0, "poisson"
    if mean_units < SLOW_UNITS:
        variance = sd_units * sd_units
        if variance <= POISSON_RATIO_MAX * mean_units:
            found, fit = poisson_quantile(mean_units, probability), "poisson"
        else:
            found = negative_binomial_quantile(mean_units, variance, probability)
            fit = "negative_binomial"
        if found is not None:
            return found, "poisson" if fit == "poisson" else "negative_binomial"
    level = normal_quantile(mean_units, sd_units, probability)
    return max(0, ceil_units(level)), "normal"


def normal_quantile(mean_units: float, sd_units: float, probability: float) -> float:
    """Return the stock that normal demand stays within with a probability."""
    return mean_units + _STANDARD.inv_cdf(probability) * sd_units


def poisson_quantile(mean_units: float, probability: float) -> int | None:
    """Return the least s with P(demand <= s) >= probability; None above `STEPS_MAX`."""
    chance = exp(-mean_units)
    total = chance
    for units in range(STEPS_MAX):
        if total >= probability:
            return units
        chance *= mean_units / (units + 1)
        total += chance
    return None


def negative_binomial_quantile(
    mean_units: float, variance: float, probability: float
) -> int | None:
    """Return the least s with P(demand <= s) >= probability; None above `STEPS_MAX`.

    The distribution is the one of that mean and variance: r = mean^2 / (variance - mean),
    p = mean / variance; the variance is above the mean.
    """
    successes = mean_units * mean_units / (variance - mean_units)
    p = mean_units / variance
    chance = exp(successes * log(p))
    total = chance
    for units in range(STEPS_MAX):
        if total >= probability:
            return units
        chance *= (units + successes) / (units + 1) * (1 - p)
        total += chance
    return None


def coverage(factor: float) -> float:
    """Return the chance that normal demand stays within its mean and `factor` deviations."""
    return _STANDARD.cdf(factor)


def loss(factor: float) -> float:
    """Return G(k), the expected shortage of standard normal demand above k.

    Source: Silver, Pyke, Thomas, Inventory and Production Management in Supply Chains, G_u(k).
    """
    return _STANDARD.pdf(factor) - factor * (1 - _STANDARD.cdf(factor))


def fill_rate(sd_units: float, lot_units: float, factor: float) -> float:
    """Return the share of demand served when `factor` deviations are kept and lots are ordered."""
    if sd_units <= 0 or lot_units <= 0:
        return 1.0
    return max(0.0, 1 - sd_units * loss(factor) / lot_units)


def fill_rate_factor(sd_units: float, lot_units: float, rate: float) -> float:
    """Return k that solves `sd * G(k) = lot * (1 - rate)`, by halving; within +-6.

    The lot has to be positive and the rate below 1.
    """
    low, high = -SAFETY_FACTOR_MAX, SAFETY_FACTOR_MAX
    for _ in range(SOLVE_STEPS):
        middle = (low + high) / 2
        if fill_rate(sd_units, lot_units, middle) < rate:
            low = middle
        else:
            high = middle
    return high


def critical_ratio(shortage_cost: float, leftover_cost: float) -> float:
    """Return the newsvendor's service level: `shortage / (shortage + leftover)` (Arrow, 1951)."""
    return shortage_cost / (shortage_cost + leftover_cost)


def horizon_sd(days: float, sd_day: float, mean_day: float, lead_time_sd_days: float) -> float:
    """Return the deviation of demand over a lead time (and review) that itself varies.

    `sqrt(days * sd_day^2 + mean_day^2 * lead_time_sd^2)`.
    """
    return sqrt(days * sd_day * sd_day + (mean_day * lead_time_sd_days) ** 2)


def ceil_units(units: float) -> int:
    """Round up to whole units; what is whole but for the error of floats stays as it is."""
    nearest = floor(units + 0.5)
    return nearest if abs(units - nearest) < 1e-9 else ceil(units)  # noqa: PLR2004 - float error
