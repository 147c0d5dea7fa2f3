"""The same formulas beside the libraries that others use; `pip install .[oracle]` brings those."""

from random import Random
from typing import Any

import pytest

from streams.domain.demand import smoothed
from streams.domain.lotsize import eoq_units
from streams.domain.safety import critical_ratio, loss, normal_quantile, poisson_quantile


def _library(name: str) -> Any:
    return pytest.importorskip(name, reason=f"{name} comes with the extra `oracle`")


def test_newsvendor_and_lot_agree_with_stockpyl() -> None:
    """On a hundred random cases."""
    newsvendor = _library("stockpyl.newsvendor")
    eoq = _library("stockpyl.eoq")
    losses = _library("stockpyl.loss_functions")
    draw = Random(11)
    for _ in range(100):
        holding, shortage = draw.uniform(0.1, 2), draw.uniform(2.5, 20)
        mean, sd = draw.uniform(20, 200), draw.uniform(1, 5)
        ratio = critical_ratio(shortage, holding)
        expected, _ = newsvendor.newsvendor_normal(holding, shortage, mean, sd)
        assert normal_quantile(mean, sd, ratio) == pytest.approx(float(expected), rel=1e-9)
        slow = draw.uniform(0.2, 9)
        expected, _ = newsvendor.newsvendor_poisson(holding, shortage, slow)
        assert poisson_quantile(slow, ratio) == int(expected)
        expected, _ = eoq.economic_order_quantity(mean, holding, 365 * slow)
        assert eoq_units(mean, holding, 365 * slow) == pytest.approx(float(expected), rel=1e-9)
        factor = draw.uniform(-2, 3)
        expected, _ = losses.standard_normal_loss(factor)
        assert loss(factor) == pytest.approx(float(expected), rel=1e-6)


def test_smoothing_agrees_with_statsforecast() -> None:
    """TSB on random intermittent series."""
    models, numpy = _library("statsforecast.models"), _library("numpy")
    draw = Random(12)
    for _ in range(20):
        series = [draw.randint(1, 9) if draw.random() < 0.4 else 0 for _ in range(80)]
        series[draw.randrange(10)] = 3
        chance, size = float(series[0] > 0), 0.0
        for number, units in enumerate(series):
            chance = smoothed(chance, float(units > 0), 0.05) if number else chance
            if units:
                size = smoothed(size, units, 0.1) if size else float(units)
        model = models.TSB(alpha_d=0.1, alpha_p=0.05)
        expected = model.forecast(numpy.array(series, dtype=float), 1)["mean"][0]
        assert chance * size == pytest.approx(float(expected), rel=1e-4)
