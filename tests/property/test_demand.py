"""Properties of learned demand and computed thresholds, over scripts of weeks."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.demand import Demand
from streams.contracts.events import BreachOpened, ThresholdChanged
from streams.contracts.state import DEMAND, decode, key_parts
from streams.domain.safety import negative_binomial_quantile, poisson_quantile, quantile_units
from streams.domain.thresholds import compute
from tests.property.fold_scripts import LONG_PACE_MS, STEPS_MAX, Step, long_scripts, run, script_of


def test_long_scripts_compute_thresholds() -> None:
    """The scripts of the properties do what they are about: learn, change thresholds, foretell."""
    happened: Counter[str] = Counter()
    for seed in range(40):
        story = run(script_of(seed, STEPS_MAX, pace_ms=LONG_PACE_MS))
        happened["changed"] += len(story.events(ThresholdChanged))
        kinds = Counter(breach.kind for breach in story.events(BreachOpened))
        happened["foretold"] += kinds["predicted_stockout"]
        happened["learned"] += sum(key_parts(raw)[0] == DEMAND for raw in story.state)
    assert min(happened["changed"], happened["foretold"], happened["learned"]) >= 5


@given(long_scripts())
def test_thresholds_follow_one_another_and_their_own_inputs(script: list[Step]) -> None:
    """Each change begins where the one before ended, and is what its inputs give."""
    story = run(script)
    newest: dict[tuple[str, str], ThresholdChanged] = {}
    ids: Counter[str] = Counter()
    for change in story.events(ThresholdChanged):
        ids[change.threshold_id] += 1
        before = newest.get((change.sku, change.site))
        known = (before.reorder_units, before.order_up_to_units) if before else (0, 0)
        assert (change.reorder_units_before, change.order_up_to_units_before) == known
        found = compute(change.inputs)
        assert (change.reorder_units, change.order_up_to_units) == found[:2]
        assert 0 <= change.reorder_units <= change.order_up_to_units
        newest[change.sku, change.site] = change
    assert set(ids.values()) <= {1}
    for raw, value in story.state.items():
        demand = decode(raw, value)
        if isinstance(demand, Demand) and demand.threshold_number:
            _, sku, site = key_parts(raw)
            change = newest[sku, site]
            assert change.threshold_id == f"threshold-{sku}-{demand.threshold_number}"
            assert change.reorder_units == demand.reorder_units


@given(long_scripts())
def test_what_is_learned_is_of_a_size(script: list[Step]) -> None:
    """No negative demand, no chance above 1, seven weekday factors or none."""
    story = run(script)
    for raw, value in story.state.items():
        demand = decode(raw, value)
        if isinstance(demand, Demand):
            assert min(demand.mean, demand.variance, demand.size, demand.size_variance) >= 0
            assert 0 <= demand.chance <= 1
            assert len(demand.weekday_permille) in {0, 7}
            assert demand.sale_days <= demand.days


@given(
    st.floats(0.01, 400),
    st.floats(0.01, 60),
    st.floats(0.5, 0.999),
    st.floats(0.5, 0.999),
)
def test_more_certainty_never_needs_less(mean: float, sd: float, one: float, other: float) -> None:
    """Quantiles rise with the probability, whatever is fitted."""
    low, high = sorted((one, other))
    assert quantile_units(mean, sd, low)[0] <= quantile_units(mean, sd, high)[0]


@given(st.floats(0.01, 50), st.floats(0.5, 0.999))
def test_a_negative_binomial_of_little_spread_is_nearly_poisson(
    mean: float, probability: float
) -> None:
    """The two fits meet where the variance is the mean's."""
    poisson = poisson_quantile(mean, probability)
    close = negative_binomial_quantile(mean, mean * 1.0001, probability)
    assert poisson is not None
    assert close is not None
    assert abs(poisson - close) <= 1
