"""Thresholds that follow demand, beside such that stand still, on a year of real orders.

A shop with lost sales, a review a day, two days of lead time and lots for three days is played for
each article. Both policies know the first third of the year; one goes on learning.
"""

import gzip
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from ingest.contracts.durations import DAY_MS
from simulators.orderlog import Skipped, columns_read, order_lines
from streams.contracts.demand import Demand
from streams.domain.demand import (
    demand_class,
    forecast_units,
    learn,
    learn_at_least,
    weekday_factor,
)
from streams.domain.thresholds import compute
from tests.unit.streams.demand_story import threshold_inputs

REAL_LOG = Path(__file__).parents[4] / "shared" / "data" / "online_retail.csv.gz"
LEAD_DAYS: Final = 2
CYCLE_DAYS: Final = 3
MIDDLE: Final = slice(800, 950)
"""Ranks in the middle of the range: neither the best sellers nor what hardly sells."""
BEST: Final = slice(0, 200, 4)
"""Every fourth of the 200 best sellers."""
BEST_HELD_OUT: Final = slice(2, 200, 4)
"""Best sellers that had no part in the choice of 0009."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not REAL_LOG.is_file(), reason="the real order log is not beside the project"
    ),
]


class Outcome(NamedTuple):
    """What a policy made of the rest of the year, over all articles."""

    fill_rate: float
    stock_days: float
    """Average stock in days of demand."""
    out_days: int


def _daily(ranks: slice) -> tuple[list[dict[int, int]], int]:
    """Return units a day of the articles of these ranks, and how many days there are."""
    found: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    first = last = 0
    with gzip.open(REAL_LOG, "rt", encoding="utf-8", newline="") as rows:
        for line in order_lines(rows, columns_read(""), 1, Skipped()):
            day = line.at_ms // DAY_MS
            first = first or day
            last = day
            if 0 < line.quantity <= 2_000:  # the two greatest orders were taken back the same day
                found[line.sku][day - first] += line.quantity
    ranked = sorted(found.values(), key=len, reverse=True)
    return ranked[ranks], last - first + 1


def _limits(demand: Demand, today: int, service_level_permille: int) -> tuple[int, int]:
    def expected(begin: int, end: int) -> int:
        factors = (weekday_factor(demand, (today + day) % 7) for day in range(begin, end))
        return round(forecast_units(demand) * sum(factors) * 1_000)

    found = compute(
        threshold_inputs(
            service_level_permille=service_level_permille,
            demand_class=demand_class(demand),
            mean_milli_day=round(forecast_units(demand) * 1_000),
            variance_milli_day=round(demand.variance * 1_000),
            demand_milli=expected(0, LEAD_DAYS + 1),
            cycle_demand_milli=expected(LEAD_DAYS + 1, LEAD_DAYS + 1 + CYCLE_DAYS),
        )
    )
    return max(1, found.reorder_units), found.order_up_to_units


def _play(
    articles: Iterable[dict[int, int]],
    days: int,
    *,
    follows: bool,
    service_level_permille: int = 950,
) -> Outcome:
    wanted = lost = out_days = 0
    stocked = 0.0
    for series in articles:
        demand = Demand()
        for day in range(days // 3):
            learn(demand, series.get(day, 0), day % 7)
        least, most = _limits(demand, days // 3, service_level_permille)
        stock, coming = most, dict.fromkeys(range(days + LEAD_DAYS + 1), 0)
        for day in range(days // 3, days):
            stock += coming[day]
            sold = min(stock, series.get(day, 0))
            stock -= sold
            wanted += series.get(day, 0)
            lost += series.get(day, 0) - sold
            out_days += stock == 0
            stocked += stock
            if follows:
                (learn if stock else learn_at_least)(demand, sold, day % 7)
                least, most = _limits(demand, day + 1, service_level_permille)
            position = stock + sum(coming[later] for later in range(day + 1, day + LEAD_DAYS + 1))
            if position < least:
                coming[day + LEAD_DAYS] += most - position
    return Outcome(1 - lost / wanted, stocked / wanted, out_days)


def test_following_demand_beats_standing_still_where_the_range_moves() -> None:
    """Much more is served, from about the same stock."""
    articles, days = _daily(MIDDLE)
    still = _play(articles, days, follows=False)
    following = _play(articles, days, follows=True)
    assert following.fill_rate > still.fill_rate + 0.15, (still, following)
    assert following.out_days < still.out_days / 2
    assert following.stock_days < still.stock_days * 1.25


def test_following_demand_serves_more_of_best_sellers_from_equal_stock() -> None:
    """At the same service level it keeps less; with as much stock it serves more than a frozen one.

    So thresholds of best sellers need no way back to frozen ones, but the level that is wanted.
    """
    articles, days = _daily(BEST)
    still = _play(articles, days, follows=False)
    leaner = _play(articles, days, follows=True)
    assert leaner.stock_days < still.stock_days * 0.8, (still, leaner)
    equal = _play(articles, days, follows=True, service_level_permille=990)
    assert equal.stock_days <= still.stock_days, (still, equal)
    assert equal.fill_rate > still.fill_rate + 0.015, (still, equal)
    assert equal.out_days < still.out_days


def test_the_choice_holds_for_best_sellers_that_had_no_part_in_it() -> None:
    """Decision 0009 was made on `BEST`: on others, too, less stock serves more than frozen ones."""
    articles, days = _daily(BEST_HELD_OUT)
    still = _play(articles, days, follows=False)
    following = _play(articles, days, follows=True, service_level_permille=980)
    assert following.stock_days < still.stock_days, (still, following)
    assert following.fill_rate > still.fill_rate + 0.005, (still, following)
    assert following.out_days < still.out_days
