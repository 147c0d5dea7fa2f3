"""The daily round: closes each level's day, learns from it, and reviews its thresholds.

Each SKU has its minute of the day, so the work is spread; a turn does no more than
`KEYS_PER_TICK_MAX` levels and goes on a second later. How far the round is stands in the clock.
"""

from typing import Final

from ingest.contracts.durations import MINUTE_MS
from streams.contracts.demand import Demand
from streams.contracts.state import Level
from streams.domain import backorders, issues, kpi_periods, kpis, promotions, witnesses
from streams.domain.days import day_of, start_ms, weekday_of
from streams.domain.demand import learn, learn_at_least
from streams.domain.reviews import review
from streams.domain.shares import SHARES
from streams.domain.store import Store

ROUND: Final = "round"
"""Kind of the one timer."""
KEYS_PER_TICK_MAX: Final = 1_000
"""Levels looked at before the round waits for the next second."""
PAUSE_MS: Final = 1_000


def begin_round(store: Store) -> None:
    """Begin with the minute that is now; only in a partition that never had a round."""
    store.clock.round_minute = store.now_ms // MINUTE_MS
    store.timers.arm((ROUND, ""), round_due_ms(store, ""))


def round_due_ms(store: Store, _name: str) -> int:
    """Return when the round goes on; 0 before it began."""
    clock = store.clock
    if clock.round_minute < 0:
        return 0
    return max((clock.round_minute + 1) * MINUTE_MS, clock.round_paused_ms)


def go_round(store: Store, _name: str) -> int:
    """Look at the levels whose minute has come; return when the round goes on.

    After a leap in time every SKU has one turn, not one for each day.
    """
    clock = store.clock
    newest = clock.now_ms // MINUTE_MS
    if clock.round_minute < newest - SHARES:
        clock.round_minute, clock.round_after_sku = newest - SHARES, ""
    left = KEYS_PER_TICK_MAX
    while clock.round_minute < newest:
        minute = clock.round_minute + 1
        for sku in store.shares.after(minute, clock.round_after_sku):
            if left <= 0:
                clock.round_paused_ms = clock.now_ms + PAUSE_MS
                return round_due_ms(store, "")
            clock.round_after_sku = sku
            left -= _look_at(store, sku, day_of(minute * MINUTE_MS) - 1)
        clock.round_minute, clock.round_after_sku = minute, ""
    return round_due_ms(store, "")


def _look_at(store: Store, sku: str, day: int) -> int:
    sites = store.book(sku).sites
    for site in sites:
        level = store.levels.get((sku, site))
        if level is not None:
            kpi_periods.close_period(store, level, store.rules(sku, site))
            _close_day(store, level, day)
            kpis.begin_period(store, level)
            review(store, sku, site, "daily")
            backorders.look_again(store, level)
            if store.catalogue.foresees_promotions:
                promotions.follow(store, sku, site)
    return max(1, len(sites))


def _close_day(store: Store, level: Level, day: int) -> None:
    closed = issues.close_day(level, day)
    store.levels.touch((level.sku, level.site))
    if closed is None:
        return
    witnesses.note_day(store, level, closed.units, level.issued_day - closed.day)
    sku_site = (level.sku, level.site)
    demand = store.demands.get(sku_site)
    if demand is None:
        if closed.units <= 0:
            return  # what never sold has nothing to be kept
        demand = Demand()
        store.demands.put(sku_site, demand)
    if _is_promoted(store, level, closed.day):
        return
    store.demands.touch(sku_site)
    if closed.in_gap:
        learn_at_least(demand, closed.units, weekday_of(closed.day))
    else:
        learn(demand, max(0, closed.units), weekday_of(closed.day))


def _is_promoted(store: Store, level: Level, day: int) -> bool:
    category = store.category(level.sku)
    begin_ms, end_ms = start_ms(day), start_ms(day + 1)
    return bool(
        store.catalogue.promotions(
            level.sku, level.site, category, from_ms=begin_ms, until_ms=end_ms
        )
    )
