"""Demand as the fold learns it: which day a sale falls into, and which days say too little."""

from itertools import count, islice

from ingest.contracts.demand import PromotionRecord
from ingest.contracts.durations import DAY_MS
from streams.contracts.events import ThresholdChanged
from streams.contracts.state import DEMAND, key
from streams.domain.rounds import KEYS_PER_TICK_MAX, PAUSE_MS
from streams.domain.shares import SHARES, Shares, share_of
from tests.unit.streams.builders import (
    SHOP,
    SKU,
    WAREHOUSE,
    Story,
    opening,
    order_line,
    policy,
    reading,
    reference,
    scan,
    status,
)
from tests.unit.streams.demand_story import START_MS, TURN_MS, Shop


def test_a_day_is_learned_when_its_turn_comes() -> None:
    """The first day is no whole one; the others count with what was sold on them."""
    shop = Shop().days([5, 7, 9]).turn()
    demand = shop.demand()
    assert (demand.days, demand.sale_days, demand.mean) == (2, 2, 8.0)
    level = shop.story.level()
    assert (level.issued_units, level.issued_next_units) == (0, 0)
    assert level.issued_day == START_MS // DAY_MS + 4


def test_picks_and_fulfilled_orders_are_demand_and_waste_is_not() -> None:
    """Waste, adjustments and what a shop sends away are nobody's demand; a warehouse's are."""
    shop = Shop().days([1, 1])
    story = shop.story
    story.tell(
        scan("pick", 3, seq=101, observed_at_ms=story.now_ms),
        scan("waste", 50, seq=102),
        scan("adjust", -50, seq=103),
        scan("dispatch", 50, seq=104, counterpart_site=WAREHOUSE),
        order_line("reserve", 4),
        order_line("fulfil", 4),
    )
    leaving = scan("dispatch", 6, seq=1, site=WAREHOUSE, observed_at_ms=story.now_ms)
    story.tell(opening(100, site=WAREHOUSE), leaving)
    assert story.level().issued_next_units == 7
    assert story.level(WAREHOUSE).issued_units == 6


def test_what_is_told_late_counts_in_its_own_day() -> None:
    """A sale of yesterday, told before the day is closed, is yesterday's; later it is today's."""
    shop = Shop().days([2, 2, 2])
    yesterday_ms = shop.story.now_ms - 1
    shop.sell(8, at_ms=yesterday_ms)
    shop.sell(1)
    shop.turn()
    assert shop.demand().mean == (2 + 10) / 2
    shop.sell(5, at_ms=yesterday_ms)
    assert shop.story.level().issued_units == 1 + 5


def test_nothing_is_learned_while_stock_is_out() -> None:
    """Days without stock are counted as such and lower no mean, whatever was not sold on them."""
    shop = Shop(stock=30).days([10, 10, 10]).turn()
    ran_out = shop.demand()
    assert (ran_out.days, ran_out.censored_days) == (2, 2)  # the first day was no whole one
    assert ran_out.mean > 10  # the last unit went at noon: more was wanted
    shop.wait_until(shop.story.now_ms // DAY_MS * DAY_MS + DAY_MS)
    shop.days([0, 0]).turn()
    demand = shop.demand()
    assert (demand.days, demand.censored_days, demand.mean) == (2, 5, ran_out.mean)
    shop.story.tell(scan("receive", 100, seq=900))
    shop.wait_until(shop.story.now_ms // DAY_MS * DAY_MS + DAY_MS)
    shop.days([12]).turn()
    assert (shop.demand().days, shop.demand().censored_days) == (3, 6)


def test_what_sells_out_each_day_becomes_known() -> None:
    """A shop that gets three and sells three, every day, is not without demand for ever."""
    shop = Shop(stock=0)
    for number in range(20):
        shop.story.tell(scan("receive", 3, seq=number, source="dock"))
        shop.day(3)
    shop.turn()
    assert shop.demand().days >= 15
    assert shop.demand().mean > 3
    assert shop.story.events(ThresholdChanged)


def test_nothing_is_learned_while_the_shelf_is_blind() -> None:
    """With a leading shelf that can't be seen a day says no more than at least."""
    shop = Shop(lead_witness="shelf").days([4, 4])
    story = shop.story
    story.tell(reading(50, at_ms=story.now_ms))
    shop.day(4)
    story.tell(status(online=False, sku=SKU))
    shop.days([0, 0]).turn()
    assert (shop.demand().days, shop.demand().censored_days) == (2, 3)
    assert shop.demand().mean == 4.0


def test_a_book_that_may_be_negative_is_no_stockout() -> None:
    """Where the policy lets the book go below zero, nothing is out: all sales are demand."""
    shop = Shop(stock=0, negative_stock="allow").days([5, 5, 5]).turn()
    assert (shop.demand().days, shop.demand().censored_days) == (2, 1)


def test_promoted_days_are_not_learned() -> None:
    """What a promotion sells says nothing of ordinary days."""
    shop = Shop().days([3, 3])
    begin_ms = shop.story.now_ms
    shop.story.tell(reference(PromotionRecord("sale", begin_ms, begin_ms + DAY_MS, 3_000, sku=SKU)))
    shop.days([30, 3]).turn()
    assert (shop.demand().days, shop.demand().mean) == (2, 3.0)


def test_what_never_sold_has_no_record() -> None:
    """A level without demand costs nothing."""
    shop = Shop().days([0, 0, 0]).turn()
    assert key(DEMAND, SKU, SHOP) not in shop.story.state


def test_days_on_which_nothing_was_folded_stay_unknown() -> None:
    """After a leap over days the last open one is learned; the day of the leap is no whole one."""
    shop = Shop().days([6, 6])
    shop.wait_until(shop.story.now_ms + 9 * DAY_MS + TURN_MS)
    demand = shop.demand()
    assert (demand.days, demand.mean) == (1, 6.0)
    shop.wait_until(shop.story.now_ms // DAY_MS * DAY_MS + DAY_MS)
    shop.day(6)
    shop.turn()
    assert shop.demand().days == 1 + 1


def test_the_round_stops_at_its_limit_and_goes_on() -> None:
    """More levels than the limit in one minute are finished a second later."""
    minute = share_of(SKU)
    sites = [f"s{number:04}" for number in range(KEYS_PER_TICK_MAX)]
    others = (name for number in count() if share_of(name := f"x{number}") == minute)
    same = islice(others, 2)
    skus = sorted([SKU, *same])
    story = Story()
    story.now_ms = START_MS
    story.tell(policy(max_units=None))
    for sku in skus:
        story.tell(*(opening(9, site=site, sku=sku) for site in sites[:400]))
    story.tell(*(opening(9, site=site, sku=skus[0]) for site in sites))
    story.wait(DAY_MS + minute * 60_000)
    opened = START_MS // DAY_MS + 1

    def closed() -> set[str]:
        return {level.sku for level in story.levels() if level.issued_day > opened}

    assert closed() == {skus[0]}
    story.restore()
    story.wait(PAUSE_MS - 1)
    assert closed() == {skus[0]}
    story.wait(1)
    assert closed() == set(skus)


def test_skus_are_spread_over_the_day() -> None:
    """Each has its minute; a thousand of them are not in few."""
    shares = Shares()
    for number in range(1_000):
        shares.add(f"sku-{number}")
    filled = [shares.after(minute, "") for minute in range(SHARES)]
    assert sum(len(skus) for skus in filled) == 1_000
    assert max(len(skus) for skus in filled) < 10
    assert all(skus == sorted(skus) for skus in filled)
