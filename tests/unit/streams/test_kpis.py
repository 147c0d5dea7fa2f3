"""Key figures of one level over days, and their totals."""

import msgspec
import pytest

from ingest.contracts.durations import DAY_MS, HOUR_MS
from streams.contracts.kpis import KPI, SUM_MAX, Kpi, KpisClosed
from streams.contracts.state import CLOCK, LEVEL, decode, key
from streams.kpi_figures import DAYS_TOLD_MAX, Figures, LevelKey, Totals
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    SKU,
    Story,
    opening,
    order_line,
    policy,
    reading,
    scan,
    status,
)


def totals(story: Story, days: int = DAYS_TOLD_MAX, **only: str) -> dict[LevelKey, Totals]:
    """Return what a view of the story's topics adds up."""
    figures = Figures(**only)
    for output in story.outputs:
        if output.topic.endswith("events"):
            figures.take_events(output.value)
    for raw, value in story.state.items():
        figures.take_state(0, raw, value)
    return figures.totals(days)


def shop(story: Story) -> Totals:
    """Return the totals of the shop's level."""
    return totals(story)[SHOP, SKU]


def stocked(**fields: object) -> Story:
    """Return ten units of 100 each at the shop."""
    return Story().tell(policy(autonomy="observe", **fields)).tell(opening(10))


def test_time_out_of_stock_is_counted_from_the_last_unit_to_the_receipt() -> None:
    """Six of 24 hours: a quarter, though the day was told in one piece."""
    story = stocked().tell(scan("sale", 10, seq=1), after_ms=12 * HOUR_MS)
    story.tell(scan("receive", 5, seq=2), after_ms=6 * HOUR_MS).wait(6 * HOUR_MS)
    figures = shop(story).figures()
    assert figures["stockout_time_rate"] == pytest.approx(0.25, abs=1e-3)
    assert figures["observed_days"] == pytest.approx(1, abs=0.01)


def test_days_on_hand_are_held_over_issued() -> None:
    """Ten held for a day, then five sold: 10 unit-days for 5 units, and turnover is its inverse."""
    story = stocked().tell(scan("sale", 5, seq=1), after_ms=24 * HOUR_MS)
    figures = shop(story).figures()
    assert figures["days_on_hand"] == 2
    assert figures["turnover_per_year"] == pytest.approx(365 / 2)


def test_unseen_time_is_kept_out() -> None:
    """While the leading shelf is blind nothing is held, issued or out; coverage tells of it."""
    story = stocked(lead_witness="shelf").tell(reading(10, at_ms=1))
    story.tell(status(online=True, sku=SKU))
    story.tell(status(online=False, sku=SKU), after_ms=6 * HOUR_MS)
    story.tell(scan("sale", 3, seq=1), after_ms=6 * HOUR_MS)
    story.tell(status(online=True, sku=SKU), reading(7, at_ms=2), after_ms=6 * HOUR_MS)
    story.wait(6 * HOUR_MS)
    total = shop(story)
    assert (total.sums.observed_ms, total.sums.unseen_ms) == (12 * HOUR_MS, 12 * HOUR_MS)
    assert total.sums.issued_units == 0
    assert total.sums.held_unit_s == 6 * 3_600 * 10 + 6 * 3_600 * 7
    assert total.figures()["sensor_coverage"] == 0.5


def test_fill_rate_is_of_what_orders_ask() -> None:
    """Of 8 and 6 asked, 8 and then 2 were available; fulfilling a reserved line asks nothing."""
    story = stocked().tell(order_line("reserve", 8), order_line("reserve", 6, order="o2"))
    story.tell(order_line("fulfil", 8))
    sums = shop(story).sums
    assert (sums.asked_units, sums.filled_units) == (14, 10)


def test_a_line_that_was_held_asks_when_it_is_handed_over() -> None:
    """It took nothing before, so nothing was asked: 9 of the 10 on hand are."""
    story = stocked(order_line_units_max=5, outlier_orders="hold")
    story.tell(order_line("reserve", 9))
    assert shop(story).sums.asked_units == 0
    sums = shop(story.tell(order_line("fulfil", 9))).sums
    assert (sums.asked_units, sums.filled_units) == (9, 9)


def test_accuracy_is_of_counted_records() -> None:
    """One count of two found what the book said."""
    story = stocked().tell(scan("count", 10, seq=1), scan("count", 9, seq=2))
    assert shop(story).figures()["record_accuracy"] == 0.5


def test_a_day_is_told_with_how_it_ended() -> None:
    """Stock above the maximum, at cost; what sensors saw; what is expected, once known."""
    story = stocked(max_units=8).tell(reading(0, at_ms=1)).wait(DAY_MS).wait(DAY_MS)
    told = story.events(KpisClosed)
    assert [event.excess_minor for event in told] == [200] * len(told)
    assert told
    assert (told[-1].value_minor, told[-1].shelf_units, told[-1].demand_milli_day) == (1_000, 0, -1)
    figures = shop(story).figures()
    assert (figures["overstock_value_rate"], figures["phantom_share"]) == (0.2, 1)


def test_what_is_neither_kept_nor_watched_is_not_told() -> None:
    """A level that holds nothing, sells nothing and has no minimum is not out of stock for ever."""
    story = Story().tell(opening(1), scan("sale", 1, seq=1)).wait(DAY_MS).wait(DAY_MS)
    before = len(story.events(KpisClosed))
    story.wait(DAY_MS).wait(DAY_MS)
    assert len(story.events(KpisClosed)) == before


def test_totals_are_weighed_by_cost() -> None:
    """A site of two articles, one dear: the network's days on hand are of value, not of units."""
    story = Story().tell(policy(autonomy="observe"))
    story.tell(opening(10, cost_minor=900), opening(10, site=DONOR, cost_minor=100))
    story.wait(DAY_MS).wait(DAY_MS)
    story.tell(scan("sale", 1, seq=1), scan("sale", 10, seq=1, site=DONOR)).wait(DAY_MS)
    story.wait(DAY_MS)
    found = totals(story)
    assert set(found) == {("", ""), (SHOP, ""), (DONOR, ""), (SHOP, SKU), (DONOR, SKU)}
    dear, cheap, network = found[SHOP, SKU], found[DONOR, SKU], found["", ""]
    assert network.issued_minor == dear.issued_minor + cheap.issued_minor == 900 + 1_000
    assert network.held_minor_s == dear.held_minor_s + cheap.held_minor_s
    assert set(totals(story, site=DONOR)) == {("", ""), (DONOR, ""), (DONOR, SKU)}


def test_days_bound_what_is_added_up() -> None:
    """The last day only has the periods that ended in it, and the open one."""
    story = stocked()
    for _ in range(5):
        story.wait(DAY_MS)
    whole, last = shop(story).sums, totals(story, 1)[SHOP, SKU].sums
    assert whole.observed_ms == 5 * DAY_MS
    assert DAY_MS <= last.observed_ms <= 2 * DAY_MS


def test_sums_have_a_limit() -> None:
    """A leap of time with absurd stock ends at the limit, and can still be written."""
    story = stocked()
    kpi = decode(key(KPI, SKU, SHOP), story.state[key(KPI, SKU, SHOP)])
    assert isinstance(kpi, Kpi)
    level = story.level()
    level.on_hand_units = kpi.begun_units = 1 << 60
    story.state[key(KPI, SKU, SHOP)] = msgspec.msgpack.encode(kpi)
    story.state[key(LEVEL, SKU, SHOP)] = msgspec.msgpack.encode(level)
    story.restore()
    story.wait(400 * DAY_MS)
    assert story.events(KpisClosed)[-1].sums.held_unit_s == SUM_MAX


def test_a_state_without_sums_begins_them() -> None:
    """A level from before there were key figures has its first period from the next round on."""
    story = stocked()
    story.state = {raw: value for raw, value in story.state.items() if not raw.startswith(b"kpi")}
    story.restore()
    story.wait(DAY_MS).wait(DAY_MS).wait(DAY_MS)
    assert CLOCK.encode() in story.state
    assert story.events(KpisClosed)[-1].sums.observed_ms == DAY_MS
