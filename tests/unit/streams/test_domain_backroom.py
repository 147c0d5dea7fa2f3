"""A watched backroom: refills look at the shelf, the book is compared with both."""

from typing import Any

import pytest

from alerting.tasks import tasks_of
from deploy.explanations import explained, named_events
from ingest.contracts.durations import DAY_MS
from ingest.frames import ReadingInput
from streams.contracts.events import BreachCleared, BreachOpened
from streams.contracts.witnesses import WitnessGapChanged
from streams.points import level_line
from tests.unit.streams.builders import SHOP, SKU, T0, Story, opening, policy, reading, scan, status

DWELL_MS = 1_000
WINDOW_MS = 5_000


def _behind(value: int, *, at_ms: int, **more: Any) -> ReadingInput:
    """Return a reading of the backroom's channel."""
    return reading(value, at_ms=at_ms, source="store-room", backroom=True, **more)


def _story(book: int, shelf: int, backroom: int, **said: Any) -> Story:
    """Return a shop that sees both areas."""
    settings = {"min_units": None, "max_units": None, "witness_dwell_ms": DWELL_MS, **said}
    story = Story().tell(policy(**settings), opening(book))
    return story.tell(reading(shelf, at_ms=T0 + 1), _behind(backroom, at_ms=T0 + 1))


def _kinds(story: Story) -> list[str]:
    return [event.kind for event in story.events(BreachOpened)]


def test_a_refill_moves_no_stock_and_opens_no_gap() -> None:
    """Six units from backroom to shelf: no movement, no gap, no drop, and the task is over."""
    story = _story(10, 1, 9, refill_below_units=2, theft_drop_units=3, theft_window_ms=WINDOW_MS)
    ledger = len(story.movements())
    story.wait(DWELL_MS)
    assert _kinds(story) == ["shelf_gap"]
    story.tell(_behind(3, at_ms=T0 + 2)).wait(10).tell(reading(7, at_ms=T0 + 3)).wait(DAY_MS)
    assert [event.kind for event in story.events(BreachCleared)] == ["shelf_gap"]
    assert _kinds(story) == ["shelf_gap"]
    assert not story.events(WitnessGapChanged)
    assert len(story.movements()) == ledger
    assert story.level().on_hand_units == 10


def test_a_refill_is_of_what_sensors_see_in_the_backroom() -> None:
    """The book says nine are there; the sensor says four, so four are fetched."""
    story = _story(10, 1, 4, refill_below_units=2, capacity_units=8).wait(DWELL_MS)
    [opened] = [event for event in story.events(BreachOpened) if event.kind == "shelf_gap"]
    assert opened.decided_from["backroom_units"] == 4
    [task] = tasks_of(opened)
    assert (task.task, task.site, task.quantity_units) == ("refill", SHOP, 4)


def test_an_empty_backroom_has_nothing_to_refill_from_whatever_the_book_says() -> None:
    """No task is opened for what is not there, and one that is open is over."""
    story = _story(10, 1, 0, refill_below_units=2).wait(DWELL_MS)
    assert "shelf_gap" not in _kinds(story)
    story.tell(_behind(5, at_ms=T0 + 2)).wait(DWELL_MS)
    assert _kinds(story).count("shelf_gap") == 1
    story.tell(_behind(0, at_ms=T0 + 3))
    assert [event.kind for event in story.events(BreachCleared)] == ["shelf_gap"]


def test_a_blind_backroom_is_what_the_book_has_beside_the_shelf() -> None:
    """Not zero: the refill goes by book less shelf."""
    story = _story(10, 5, 5, refill_below_units=2, capacity_units=20)
    story.tell(status(online=False, sku=SKU, device="store-room"), reading(1, at_ms=T0 + 2)).wait(
        DWELL_MS
    )
    [opened] = story.events(BreachOpened)
    assert (opened.kind, opened.decided_from["backroom_units"]) == ("shelf_gap", 9)
    assert opened.decided_from["refill_units"] == 9


@pytest.mark.parametrize(
    ("book", "shelf", "backroom", "kinds"),
    [
        (6, 0, 6, []),
        (6, 0, 0, ["phantom_stock"]),
        (0, 0, 3, ["ghost_stock"]),
        (0, 0, 0, []),
    ],
)
def test_phantom_and_ghost_stock_are_of_both_areas(
    book: int, shelf: int, backroom: int, kinds: list[str]
) -> None:
    """What stands in the backroom is there, though the shelf is bare."""
    assert _kinds(_story(book, shelf, backroom).wait(DWELL_MS)) == kinds


def test_a_refilled_shop_can_have_phantom_stock_once_its_backroom_is_watched() -> None:
    """With `refill_below_units` alone a bare shelf says nothing of the backroom."""
    assert _kinds(_story(6, 0, 0, refill_below_units=2).wait(DWELL_MS)) == ["phantom_stock"]


def test_the_gap_is_of_both_areas_and_stays_while_one_is_blind() -> None:
    """Book 10, shelf 4, backroom 3: three are missing, and a blind backroom does not end that."""
    story = _story(10, 4, 3, refill_below_units=2).wait(DWELL_MS)
    [gap] = story.events(WitnessGapChanged)
    assert gap.gap_units == -3
    assert (gap.decided_from["shelf_units"], gap.decided_from["backroom_units"]) == (4, 3)
    story.tell(status(online=False, sku=SKU, device="store-room")).wait(DAY_MS)
    assert len(story.events(WitnessGapChanged)) == 1
    story.tell(_behind(6, at_ms=T0 + 2))
    assert [event.state for event in story.events(WitnessGapChanged)] == ["open", "closed"]


def test_theft_from_the_backroom_is_a_drop_too() -> None:
    """Six units gone behind the shelf, and no scan within the window."""
    settings = {"theft_drop_units": 3, "theft_window_ms": WINDOW_MS}
    story = _story(10, 1, 9, **settings).tell(_behind(3, at_ms=T0 + 2)).wait(WINDOW_MS)
    [opened] = [event for event in story.events(BreachOpened) if event.kind == "theft_like_drop"]
    assert opened.decided_from["missing_units"] == 6


def test_a_leading_shelf_counts_with_its_backroom() -> None:
    """Twelve of the fourteen stand behind: nothing is low; with a blind backroom nobody knows."""
    story = Story().tell(policy(lead_witness="shelf"), opening(14))
    story.tell(_behind(12, at_ms=T0 + 1), reading(2, at_ms=T0 + 1))
    assert not story.events(BreachOpened)
    story.tell(status(online=False, sku=SKU, device="store-room"), scan("sale", 9, seq=1))
    assert not story.events(BreachOpened)
    story.tell(_behind(3, at_ms=T0 + 2))
    assert _kinds(story) == ["low_stock"]
    [opened] = story.events(BreachOpened)
    assert opened.available_units == 5
    lines = explained(named_events([opened], opened.breach_id))
    assert "on hand by the book: 5 (book 5, shelf 2, backroom 3)" in lines[2]
    assert "sensed_units=5i,backroom_units=3i" in level_line(story.level())
    story.tell(status(online=False, sku=SKU, device="store-room"))
    assert "backroom_units" not in level_line(story.level())


def test_where_only_the_backroom_is_watched_the_book_leads() -> None:
    """A backroom says nothing of the shelf: it is as if no sensor were there."""
    story = Story().tell(policy(lead_witness="shelf"), opening(5))
    story.tell(_behind(12, at_ms=T0 + 1))
    assert _kinds(story) == ["low_stock"]
    assert story.events(BreachOpened)[0].available_units == 5


def test_a_channel_that_is_put_into_the_backroom_counts_there_at_its_next_reading() -> None:
    """Though it sees as many as before; a repeat of the older reading moves it no more."""
    story = _story(9, 2, 7).tell(reading(2, at_ms=T0 + 2, backroom=True))
    story.tell(reading(2, at_ms=T0 + 1))
    assert [channel.backroom for channel in story.level().sensed] == [True, True]
    story.restore()
    story.tell(reading(2, at_ms=T0 + 3))
    assert [channel.backroom for channel in story.level().sensed] == [False, True]
