"""Where a count pays: expected error times value."""

from math import pi, sqrt

import msgspec
import pytest

from ingest.contracts.durations import DAY_MS
from ingest.frames import SkuRecord
from streams.contracts.counts import COUNT, CountRecord
from streams.contracts.demand import Demand
from streams.contracts.state import DEMAND, key
from streams.count_list import CountList, expected_error
from tests.unit.streams.builders import DONOR, SHOP, Story, opening, reading, reference, scan

ENCODE = msgspec.msgpack.encode


def _listed(story: Story, extra: dict[bytes, bytes] | None = None) -> CountList:
    table = CountList()
    for raw, value in {**story.state, **(extra or {})}.items():
        table.take(raw, value)
    return table


def test_the_error_of_a_record_grows_as_said() -> None:
    """By the formula: hundred moved units are a variance of 1, twenty days another 1."""
    assert expected_error(5, None, 20, 100) == pytest.approx(sqrt(2) * sqrt(2 / pi))
    assert expected_error(5, None, 0, 0) == 0
    assert expected_error(5, 3, 20, 100) == pytest.approx(2 + 0.2 * sqrt(2) * sqrt(2 / pi))


def test_what_costs_more_or_moves_more_comes_first() -> None:
    """And a level that was counted just now comes last; other sites are left out."""
    story = Story().tell(
        *(reference(SkuRecord(sku, unit_cost_minor=100)) for sku in ("cheap", "dear", "fast")),
        opening(10, sku="cheap", cost_minor=1),
        opening(10, sku="dear", cost_minor=900),
        opening(10, sku="fast", cost_minor=100),
        opening(10, sku="fresh", cost_minor=5_000),
        opening(10, sku="dear", site=DONOR),
    )
    story.tell(scan("count", 10, seq=1, sku="fresh"))
    demand = {key(DEMAND, "fast", SHOP): ENCODE(Demand(days=9, mean=500.0))}
    ranked = _listed(story, demand).ranked(SHOP)
    assert [one.sku for one in ranked] == ["fast", "dear", "cheap", "fresh"]
    assert (ranked[0].moved_units, ranked[0].days) == (45_000, 90)
    assert (ranked[-1].counted, ranked[-1].worth_minor) == (1, 0)


def test_a_gap_between_book_and_shelf_comes_first() -> None:
    """A shelf that agrees is hardly worth a look."""
    story = Story().tell(*(opening(10, sku=sku) for sku in ("gap", "same", "unseen")))
    story.tell(reading(4, at_ms=1, sku="gap"), reading(10, at_ms=1, sku="same", source="s2"))
    ranked = _listed(story).ranked(SHOP)
    assert [one.sku for one in ranked] == ["gap", "unseen", "same"]
    assert ranked[0].shelf_units == 4


def test_an_empty_book_asks_for_a_look() -> None:
    """Zero is worth confirming at the catalogue's cost."""
    story = Story().tell(reference(SkuRecord("milk", unit_cost_minor=70)), opening(0))
    [only] = _listed(story).ranked(SHOP)
    assert (only.zero, only.unit_cost_minor) == (True, 70)


def test_a_record_that_was_deleted_is_left_out() -> None:
    """A tombstone takes the count with it: the level was never counted, then."""
    story = Story().tell(opening(10)).wait(DAY_MS)
    raw = key(COUNT, "milk", SHOP)
    table = _listed(story, {raw: ENCODE(CountRecord(counted=1, counted_at_ms=story.now_ms))})
    assert table.ranked(SHOP)[0].days == 0
    table.take(raw, None)
    assert table.ranked(SHOP)[0].days == 90
