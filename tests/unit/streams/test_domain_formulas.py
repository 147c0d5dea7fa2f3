"""The formulas of stock against published and independently computed numbers."""

from math import sqrt
from random import Random
from statistics import fmean

import pytest

from streams.contracts.demand import Demand
from streams.domain.demand import (
    demand_class,
    expected_above,
    forecast_units,
    learn,
    learn_at_least,
    smoothed,
    weekday_factor,
)
from streams.domain.lotsize import eoq_units, lot_units
from streams.domain.safety import (
    critical_ratio,
    fill_rate,
    fill_rate_factor,
    horizon_sd,
    loss,
    negative_binomial_quantile,
    normal_quantile,
    poisson_quantile,
    quantile_units,
)


def test_the_newsvendor_of_normal_demand_is_the_known_one() -> None:
    """Holding .18, shortage .70, mean 50, deviation 8: 56.604 units at a cost of 1.998."""
    ratio = critical_ratio(0.70, 0.18)
    units = normal_quantile(50, 8, ratio)
    assert units == pytest.approx(56.60396, abs=1e-5)
    factor = (units - 50) / 8
    cost = 0.18 * 8 * (factor + loss(factor)) + 0.70 * 8 * loss(factor)
    assert cost == pytest.approx(1.99761, abs=1e-5)


def test_the_newsvendor_of_poisson_demand_is_the_known_one() -> None:
    """Holding 1, shortage 4, mean 6: 8 units."""
    assert poisson_quantile(6, critical_ratio(4, 1)) == 8


def test_the_economic_lot_is_the_known_one() -> None:
    """Order cost 8, holding .225, demand 1300: 304.04678."""
    assert eoq_units(8, 0.225, 1_300) == pytest.approx(304.04678, abs=1e-5)


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (-1.0, 1.0833154705876864),
        (0.0, 0.3989422804014327),
        (0.5, 0.19779655740130608),
        (1.645, 0.02088564148012674),
        (2.5, 0.0020041371791281425),
    ],
)
def test_the_loss_function_is_the_known_one(factor: float, expected: float) -> None:
    """G(k) as stockpyl computes it."""
    assert loss(factor) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("mean", "variance", "probability", "expected"),
    [(2, 5, 0.95, 6), (6, 20, 0.98, 18), (0.4, 1.2, 0.99, 5), (9.5, 30, 0.9, 17)],
)
def test_negative_binomial_quantiles_are_the_known_ones(
    mean: float, variance: float, probability: float, expected: int
) -> None:
    """As scipy computes them."""
    assert negative_binomial_quantile(mean, variance, probability) == expected
    assert quantile_units(mean, sqrt(variance), probability) == (expected, "negative_binomial")


@pytest.mark.parametrize(
    ("mean", "probability", "expected"), [(0.3, 0.95, 1), (2.5, 0.98, 6), (9.9, 0.999, 21)]
)
def test_poisson_quantiles_are_the_known_ones(
    mean: float, probability: float, expected: int
) -> None:
    """As scipy computes them."""
    assert quantile_units(mean, sqrt(mean), probability) == (expected, "poisson")


def test_a_quantile_is_normal_for_much_and_nothing_for_nothing() -> None:
    """From 10 units on the normal one, rounded up; a tail too long for counting is normal too."""
    assert quantile_units(100, 10, 0.95) == (117, "normal")
    assert quantile_units(0, 0, 0.95) == (0, "poisson")
    assert negative_binomial_quantile(9, 81_009.0, 0.9999) is None
    assert quantile_units(9, sqrt(81_009.0), 0.9999) == (1_068, "normal")


def test_a_fill_rate_is_solved_for_its_factor() -> None:
    """The factor found gives the fill rate asked for; it is not the service level's."""
    factor = fill_rate_factor(20.0, 100.0, 0.98)
    assert fill_rate(20.0, 100.0, factor) == pytest.approx(0.98, abs=1e-9)
    assert 20.0 * loss(factor) == pytest.approx(100.0 * 0.02, abs=1e-6)
    assert factor == pytest.approx(0.9023, abs=1e-3)


def test_deviation_over_a_lead_time_counts_its_own_spread() -> None:
    """`sqrt(4 * 9 + 100 * 4)`."""
    assert horizon_sd(4, 3, 10, 2) == pytest.approx(sqrt(436))
    assert lot_units(13.2, 0.0, 6) == 18
    assert lot_units(0.0, 0.0, 6) == 6
    assert lot_units(1.0, 40.0, 1) == 40


def test_smoothing_is_that_of_the_library() -> None:
    """TSB (.1, .05) and simple smoothing (.1) as statsforecast 2.1 forecasts them."""
    series = [0, 3, 0, 0, 5, 2, 0, 0, 0, 7, 0, 1, 0, 0, 4]
    chance, size = float(series[0] > 0), 3.0
    for units in series[1:]:
        chance = smoothed(chance, float(units > 0), 0.05)
        if units:
            size = smoothed(size, units, 0.1)
    assert chance * size == pytest.approx(0.72213225, abs=1e-7)
    level = 4.0
    for units in (6, 5, 9, 3, 7, 8, 2, 6, 5):
        level = smoothed(level, units, 0.1)
    assert level == pytest.approx(4.94702463, abs=1e-7)


def _learned(series: list[int]) -> Demand:
    demand = Demand()
    for day, units in enumerate(series):
        learn(demand, units, day % 7)
    return demand


def test_a_steady_demand_is_learned_with_its_spread() -> None:
    """After a year of 20 +- 4 a day: mean, error and class, with all weekdays alike."""
    draw = Random(7)
    demand = _learned([round(draw.gauss(20, 4)) for _ in range(364)])
    assert demand.mean == pytest.approx(20, abs=2)
    assert sqrt(demand.variance) == pytest.approx(4, abs=1.2)
    assert demand_class(demand) == "smooth"
    assert all(abs(factor - 1_000) < 150 for factor in demand.weekday_permille)


def test_weekdays_are_told_apart() -> None:
    """A double seventh day is known as one after a year; the average stays the average."""
    demand = _learned([40 if day % 7 == 6 else 20 for day in range(364)])
    assert weekday_factor(demand, 6) / weekday_factor(demand, 0) == pytest.approx(2, abs=0.15)
    mean = sum(demand.mean * weekday_factor(demand, weekday) for weekday in range(7)) / 7
    assert mean == pytest.approx(160 / 7, abs=1.5)


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        ([5, 6, 4, 5] * 30, "smooth"),
        ([1, 1, 12, 1, 1, 1, 20, 1] * 15, "erratic"),
        ([0, 0, 0, 2] * 30, "intermittent"),
        ([0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 30] * 10, "lumpy"),
    ],
)
def test_demand_is_classed(series: list[int], expected: str) -> None:
    """By how often it comes and how much the sizes vary; what is seldom is forecast by TSB."""
    demand = _learned(series)
    assert demand_class(demand) == expected
    mean = sum(series) / len(series)
    assert forecast_units(demand) == pytest.approx(mean, rel=0.5)


def test_a_day_that_ran_out_says_at_least_so_many() -> None:
    """Normal demand above a bound, and the bound itself where nothing varies or far in the tail."""
    assert expected_above(50, 50, 10) == pytest.approx(50 + 10 * 0.7978845608)
    assert expected_above(7, 5, 0) == 7
    assert expected_above(500, 50, 10) == 500
    fresh = Demand()
    learn_at_least(fresh, 9, 0)
    assert (fresh.days, fresh.censored_days, fresh.mean) == (0, 1, 0.0)


def test_low_stock_does_not_teach_low_demand() -> None:
    """With stock for less than an average day on half of all days the estimate stays near truth."""
    draw = Random(3)
    demand, naive = Demand(), Demand()
    found: list[float] = []
    unrepaired: list[float] = []
    for day in range(1_000):
        wanted = max(0, round(draw.gauss(20, 5)))
        sold = min(wanted, 18 if day % 2 and day > 20 else 1_000)
        learn(naive, sold, day % 7)
        if sold < wanted:
            learn_at_least(demand, sold, day % 7)
        else:
            learn(demand, sold, day % 7)
        found.append(demand.mean)
        unrepaired.append(naive.mean)
    late = slice(100, None)
    assert fmean(found[late]) == pytest.approx(20, rel=0.06)
    assert fmean(unrepaired[late]) < 18.8
    assert demand.censored_days > 200
