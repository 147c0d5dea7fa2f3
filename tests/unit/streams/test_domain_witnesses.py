"""Book and shelf compared: what is told, when it is over, and which cause is guessed."""

import pytest

from alerting.tasks import tasks_of
from deploy.explanations import explained, named_events
from ingest.contracts.durations import DAY_MS
from streams.contracts.alerts import AlertEnded, AlertRaised
from streams.contracts.events import BreachCleared, BreachOpened
from streams.contracts.witnesses import WitnessGapChanged
from tests.unit.streams.builders import SHOP, T0, Story, opening, policy, reading, scan, status

DWELL_MS = 1_000
WINDOW_MS = 5_000


def _story(units: int, **said: int) -> Story:
    """Return a shop whose shelf shows what its book says, with these settings."""
    story = Story().tell(policy(min_units=None, max_units=None, **said), opening(units))
    return story.tell(reading(units, at_ms=T0 + 1))


def _kinds(story: Story) -> list[str]:
    return [event.kind for event in story.events(BreachOpened)]


def _causes(story: Story) -> list[str]:
    return [event.cause for event in story.events(WitnessGapChanged) if event.state == "open"]


def test_phantom_stock_is_told_after_its_dwell_and_ends_with_the_count() -> None:
    """Booked and not on the shelf: told once, over when the book is put right."""
    story = _story(3, witness_dwell_ms=DWELL_MS).tell(reading(0, at_ms=T0 + 2))
    story.wait(DWELL_MS - 1)
    assert not _kinds(story)
    story.wait(1)
    assert _kinds(story) == ["phantom_stock"]
    story.wait(DAY_MS)
    assert _kinds(story) == ["phantom_stock"]
    assert [alert.severity for alert in story.alerts(AlertRaised)] == ["warning"]
    story.tell(scan("count", 0, seq=1))
    [opened], [cleared] = story.events(BreachOpened), story.events(BreachCleared)
    assert cleared.breach_id == opened.breach_id
    assert [ended.alert_key for ended in story.alerts(AlertEnded)] == [opened.breach_id]
    assert [gap.state for gap in story.events(WitnessGapChanged)] == ["open", "closed"]


def test_ghost_stock_is_told() -> None:
    """On the shelf and not booked."""
    story = _story(0, witness_dwell_ms=DWELL_MS).tell(reading(4, at_ms=T0 + 2)).wait(DWELL_MS)
    assert _kinds(story) == ["ghost_stock"]
    assert _causes(story) == ["missed_receipt"]


def test_a_shelf_that_recovers_within_the_dwell_is_not_told() -> None:
    """A short difference is neither a breach nor a gap."""
    story = _story(3, witness_dwell_ms=DWELL_MS).tell(reading(0, at_ms=T0 + 2))
    story.wait(DWELL_MS - 1).tell(reading(3, at_ms=T0 + 3)).wait(DAY_MS)
    assert not _kinds(story)
    assert not story.events(WitnessGapChanged)


def test_an_unseen_shelf_is_not_an_empty_one() -> None:
    """Blind: nothing opens, what is open stays, and the dwell begins anew afterwards."""
    story = _story(3, witness_dwell_ms=DWELL_MS).tell(reading(0, at_ms=T0 + 2))
    story.wait(DWELL_MS // 2).tell(status(online=False, sku="milk")).wait(DAY_MS)
    assert not _kinds(story)
    story.tell(status(online=True, sku="milk")).wait(DWELL_MS - 1)
    assert not _kinds(story)
    story.wait(1)
    assert _kinds(story) == ["phantom_stock"]
    story.tell(status(online=False, sku="milk")).wait(DAY_MS)
    assert not story.events(BreachCleared)


@pytest.mark.parametrize(
    ("steps", "cause"),
    [
        ([reading(8, at_ms=T0 + 2)], "unscanned_sale"),
        ([reading(5, at_ms=T0 + 2)], "theft"),
        ([scan("receive", 4, seq=1)], "misplaced"),
        ([scan("sale", 4, seq=1)], "mistaken_scan"),
        ([reading(12, at_ms=T0 + 2)], "missed_receipt"),
    ],
)
def test_the_cause_is_guessed_from_what_moved(steps: list[object], cause: str) -> None:
    """The witness that moved since both agreed tells what may have happened."""
    settings = {"witness_dwell_ms": DWELL_MS, "theft_drop_units": 3, "theft_window_ms": WINDOW_MS}
    story = _story(10, **settings)
    for step in steps:
        story.tell(step)  # type: ignore[arg-type]  # reason: readings and scans alike
    assert _causes(story.wait(DWELL_MS)) == [cause]
    [gap] = story.events(WitnessGapChanged)
    lines = explained(named_events([gap], gap.gap_id))
    assert f"perhaps {cause}" in lines[0]


def test_a_drop_without_a_scan_is_told_and_one_that_is_scanned_in_time_is_not() -> None:
    """More than so many units gone, and no scan within the window."""
    settings = {"theft_drop_units": 3, "theft_window_ms": WINDOW_MS}
    story = _story(10, **settings).tell(reading(4, at_ms=T0 + 2)).wait(WINDOW_MS - 1)
    story.tell(scan("sale", 6, seq=1)).wait(DAY_MS)
    assert not _kinds(story)
    story = _story(10, **settings).tell(reading(4, at_ms=T0 + 2)).wait(WINDOW_MS)
    assert _kinds(story) == ["theft_like_drop"]
    [opened] = story.events(BreachOpened)
    assert opened.decided_from["missing_units"] == 6
    story.tell(scan("sale", 6, seq=1))
    assert [event.breach_id for event in story.events(BreachCleared)] == [opened.breach_id]


def test_single_picks_over_a_long_time_are_no_drop() -> None:
    """What falls slower than the window is a gap, not a drop."""
    story = _story(10, theft_drop_units=3, theft_window_ms=WINDOW_MS)
    for number in range(8):
        story.tell(reading(9 - number, at_ms=T0 + 2 + number)).wait(WINDOW_MS)
    assert not _kinds(story)


def test_a_bare_shelf_is_refilled_from_the_backroom_once() -> None:
    """One task with its quantity; it is called off when the shelf has risen."""
    story = _story(10, refill_below_units=2, capacity_units=6, witness_dwell_ms=DWELL_MS)
    story.tell(reading(1, at_ms=T0 + 2)).wait(DAY_MS)
    assert _kinds(story) == ["shelf_gap"]
    [task] = [task for event in story.events(BreachOpened) for task in tasks_of(event)]
    assert (task.task, task.site, task.quantity_units) == ("refill", SHOP, 5)
    story.tell(reading(6, at_ms=T0 + 3))
    [ended] = [task for event in story.events(BreachCleared) for task in tasks_of(event)]
    assert (ended.task, ended.state) == ("cancelled", "over")


def test_a_refill_is_over_when_the_backroom_is_empty() -> None:
    """Nothing to fetch: the task is called off, though the shelf is still bare."""
    story = _story(10, refill_below_units=2).tell(reading(1, at_ms=T0 + 2))
    assert _kinds(story) == ["shelf_gap"]
    story.tell(scan("sale", 9, seq=1))
    assert len(story.events(BreachCleared)) == 1


def test_dead_stock_is_told_until_some_is_sold() -> None:
    """Days without an issue while there is stock."""
    story = _story(10, dead_stock_days=3)
    for _ in range(6):
        story.wait(DAY_MS)
    assert _kinds(story) == ["dead_stock"]
    story.tell(scan("sale", 1, seq=1, observed_at_ms=story.now_ms))
    assert len(story.events(BreachCleared)) == 1


def test_what_no_longer_is_watched_is_over() -> None:
    """A policy that compares no more ends breach, alert and gap, and keeps no record."""
    story = _story(3, witness_dwell_ms=DWELL_MS).tell(reading(0, at_ms=T0 + 2)).wait(DWELL_MS)
    assert len(story.witnesses()) == 1
    story.tell(policy(min_units=None, max_units=None))
    assert len(story.events(BreachCleared)) == 1
    assert story.events(WitnessGapChanged)[-1].state == "closed"
    assert story.witnesses() == []
