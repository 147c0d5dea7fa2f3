"""Order outliers over random orders: judged by what came before alone, told once, ended once."""

from collections import Counter
from math import sqrt
from random import Random
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from ingest.contracts.order_lines import OrderAction, OrderLineInput
from ingest.contracts.policies import PolicyRecord
from streams.contracts.alerts import AlertEnded, AlertRaised
from streams.contracts.demand import ORDER_SIZES, OrderSizes
from streams.contracts.events import BreachCleared, BreachOpened
from streams.contracts.orders import OrderLineChanged
from streams.contracts.state import decode, key
from streams.domain.order_outliers import LINES_LEARNED_MIN, SIZE_WEIGHT
from tests.unit.streams.builders import SHOP, SKU, Story, opening, reference

ACTIONS: Final[tuple[OrderAction, ...]] = (
    *("reserve", "reserve", "reserve", "accept", "release", "fulfil"),
)
SIZES = (1, 2, 3, 4, 5, 9, 30, 200, 1_000_000)
STATE_BYTES_MAX = 40


def _policy(draw: Random) -> PolicyRecord:
    return PolicyRecord(
        scope="network",
        order_outlier_deviations=draw.choice((1, 3, 6)),
        order_line_units_max=draw.choice((0, 0, 40)),
        outlier_orders=draw.choice(("flag", "hold")),
        short_orders=draw.choice(("reserve", "wait", "refuse")),
    )


def _lines(draw: Random, steps: int) -> list[OrderLineInput]:
    names = [f"o{number}" for number in range(1, steps + 1)]
    return [
        OrderLineInput(draw.choice(names), 1, SKU, SHOP, draw.choice(ACTIONS), draw.choice(SIZES))
        for _ in range(steps)
    ]


def _run(seed: int, steps: int, *, cuts: bool) -> Story:
    draw, cutter = Random(seed), Random(seed + 1)
    story = Story().tell(reference(_policy(draw)), opening(500))
    for line in _lines(draw, steps):
        story.fold_frame(line, after_ms=1)
        if cuts:
            cutter.choice((story.drain, story.restore, lambda: None))()
    story.drain()
    return story


class _Usual:
    """What is usual, reckoned plainly from every line that was asked for so far."""

    def __init__(self, policy: PolicyRecord) -> None:
        self._policy = policy
        self._learned: list[float] = []

    def limit_units(self) -> int:
        most = self._policy.order_line_units_max or 0
        if len(self._learned) < LINES_LEARNED_MIN:
            return most
        mean = variance = 0.0
        for number, units in enumerate(self._learned):
            if number:
                weight = max(SIZE_WEIGHT, 1 / number)
                variance += weight * ((units - mean) ** 2 - variance)
            mean += max(SIZE_WEIGHT, 1 / (number + 1)) * (units - mean)
        deviations = self._policy.order_outlier_deviations or 0
        learned = int(mean + deviations * sqrt(max(variance, mean)))
        return min(learned, most) if most else learned

    def judge(self, units: int) -> bool:
        """Tell whether a line is an outlier, and learn it."""
        limit = self.limit_units()
        self._learned.append(min(units, limit) if limit else units)
        return 0 < limit < units


@given(st.integers(0, 2**32), st.integers(0, 90))
def test_each_new_line_is_judged_by_those_before_it(seed: int, steps: int) -> None:
    """By a plain reckoning over all of them: the same lines are told, and no other."""
    story = _run(seed, steps, cuts=False)
    draw = Random(seed)
    usual = _Usual(_policy(draw))
    known: set[str] = set()
    told = []
    for line in _lines(draw, steps):
        if (
            line.order_id not in known
            and line.action == "reserve"
            and usual.judge(line.quantity_units)
        ):
            told.append(f"{line.order_id}/1")
        elif line.order_id not in known and line.action == "fulfil":
            usual.judge(line.quantity_units)
        known |= {line.order_id} if line.action in {"reserve", "fulfil"} else set()
    assert [event.cause for event in story.events(BreachOpened)] == told


@given(st.integers(0, 2**32), st.integers(0, 90))
def test_frames_drains_and_restores_make_no_difference(seed: int, steps: int) -> None:
    """What is told and what is kept is of the log alone; what is kept has a constant size."""
    whole, cut = _run(seed, steps, cuts=False), _run(seed, steps, cuts=True)
    assert cut.state == whole.state
    assert cut.said() == whole.said()
    raw = key(ORDER_SIZES, SKU, SHOP)
    if raw in whole.state:
        assert isinstance(decode(raw, whole.state[raw]), OrderSizes)
        assert len(whole.state[raw]) <= STATE_BYTES_MAX


@given(st.integers(0, 2**32), st.integers(0, 90))
def test_what_is_told_ends_once_and_a_held_line_holds_nothing(seed: int, steps: int) -> None:
    """Breach, alert and line say the same."""
    story = _run(seed, steps, cuts=False)
    opened = [event.breach_id for event in story.events(BreachOpened)]
    cleared = Counter(event.breach_id for event in story.events(BreachCleared))
    assert len(set(opened)) == len(opened)
    assert all(times == 1 for times in cleared.values())
    still = [line.outlier.breach_id for line in story.order_lines() if line.outlier is not None]
    assert sorted(still) == sorted(set(opened) - set(cleared))
    assert [alert.alert_key for alert in story.alerts(AlertRaised) if _is_ours(alert)] == opened
    ended = [alert.alert_key for alert in story.alerts(AlertEnded)]
    assert sorted(ended) == sorted(cleared)
    for line in story.order_lines():
        if line.state == "held":
            assert (line.reserved_units, line.outlier is not None) == (0, True)


def _is_ours(alert: AlertRaised) -> bool:
    return alert.kind == "order_outlier"


def test_the_random_orders_are_judged() -> None:
    """They tell by what was learned and by the maximum, hold, accept and end."""
    stories = [_run(seed, 90, cuts=False) for seed in range(40)]
    opened = [event for story in stories for event in story.events(BreachOpened)]
    assert any(event.threshold_units != 40 for event in opened)
    assert any(event.threshold_units == 40 for event in opened)
    states = Counter(event.state for story in stories for event in story.events(OrderLineChanged))
    assert states["held"]
    assert any(story.events(BreachCleared) for story in stories)
