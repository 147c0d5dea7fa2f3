"""Demand that rises or falls: the damped trend, and when it is followed."""

from random import Random

import pytest

from ingest.contracts.durations import DAY_MS
from streams.contracts.demand import Demand
from streams.contracts.events import ThresholdChanged
from streams.domain.demand import (
    TREND_DAMPING,
    TREND_JUDGED_DAYS_MIN,
    TREND_LEARNED_AFTER_DAYS,
    forecast_units,
    learn,
    learn_at_least,
    trend_holds,
    trended_units,
)
from tests.unit.streams.demand_story import Shop


def learned(series: list[int]) -> Demand:
    """Return what a series of days teaches."""
    demand = Demand()
    for day, units in enumerate(series):
        learn(demand, units, day % 7)
    return demand


def noisy(draw: Random, level: float) -> int:
    """Return a day around a level."""
    return max(0, round(draw.gauss(level, 4)))


def rising(days: int = 150, seed: int = 1) -> list[int]:
    """Return days that begin at 20 and rise by half a unit a day."""
    draw = Random(seed)
    return [noisy(draw, 20 + day / 2) for day in range(days)]


def test_trend_foresees_what_the_average_lags_behind() -> None:
    """A week ahead of a rise the trend errs by less than half of what the average errs by."""
    demand = learned(rising())
    true_units = 20 + 156 / 2
    lag = abs(forecast_units(demand) - true_units)
    assert abs(trended_units(demand, 7) - true_units) < lag / 2
    assert demand.trend > 0


@pytest.mark.parametrize("seed", range(20))
def test_auto_follows_a_rise_and_no_level(seed: int) -> None:
    """By the errors of the last months: a rise is followed, noise around a level is not."""
    draw = Random(seed)
    assert trend_holds(learned(rising(seed=seed)), "auto")
    assert not trend_holds(learned([noisy(draw, 40) for _ in range(150)]), "auto")


def test_trend_dies_out_and_never_falls_below_nothing() -> None:
    """A falling demand ends at 0; a rise comes to an end by damping."""
    falling = learned([max(0, 100 - day) for day in range(95)])
    assert trended_units(falling, 400) == 0
    demand = learned(rising())
    limit = demand.trend_level + demand.trend * TREND_DAMPING / (1 - TREND_DAMPING)
    assert trended_units(demand, 2_000) == pytest.approx(limit)


def test_trend_needs_days_and_steady_sales() -> None:
    """Not at first, not judged before eight weeks, and never for what sells seldom."""
    assert not trend_holds(learned(rising(TREND_LEARNED_AFTER_DAYS)), "damped")
    assert trend_holds(learned(rising(TREND_LEARNED_AFTER_DAYS + 1)), "damped")
    least = TREND_LEARNED_AFTER_DAYS + TREND_JUDGED_DAYS_MIN
    assert not trend_holds(learned(rising(least - 1)), "auto")
    assert not trend_holds(learned([0, 0, 0, 8] * 40), "damped")
    assert not trend_holds(learned(rising()), "none")


def test_recurrence_is_that_of_the_books() -> None:
    """Damped Holt in error-correction form, beside the plainest reckoning."""
    series = [30 + day % 5 for day in range(60)]
    demand = learned(series[:TREND_LEARNED_AFTER_DAYS])
    level, trend = demand.mean, 0.0
    demand.weekday_permille = []
    for day, units in enumerate(series[TREND_LEARNED_AFTER_DAYS:]):
        before = [*demand.weekday_permille] or [1_000] * 7
        learn(demand, units, day % 7)
        ahead = level + 0.98 * trend
        error = units / (before[day % 7] / 1_000) - ahead
        level, trend = ahead + 0.1 * error, 0.98 * trend + 0.01 * error
    assert (demand.trend_level, demand.trend) == pytest.approx((level, trend))


def test_days_out_of_stock_teach_a_repaired_trend() -> None:
    """A rise that ends early each third day is not taken for a fall."""
    demand = Demand()
    for day, units in enumerate(rising()):
        if day % 3 == 2:
            learn_at_least(demand, units * 3 // 4, day % 7)
        else:
            learn(demand, units, day % 7)
    assert demand.trend > 0


def test_policy_lets_the_minimum_rise_ahead() -> None:
    """With `damped` the same sales make a higher minimum, and the event says why."""
    series = [20 + day for day in range(40)]
    flat = Shop(demand_trend="none").days(series).turn()
    ahead = Shop(demand_trend="damped").days(series).turn()
    [*_, without] = flat.story.events(ThresholdChanged)
    [*_, follows] = ahead.story.events(ThresholdChanged)
    assert follows.reorder_units > without.reorder_units
    assert (without.inputs.trend_milli_day, follows.inputs.trend_milli_day > 0) == (0, True)
    assert follows.inputs.lead_time_ms == DAY_MS
