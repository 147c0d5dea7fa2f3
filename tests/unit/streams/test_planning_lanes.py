"""Lanes with days, hours and capacity: when a shipment departs, and what it takes."""

import pytest

from ingest.contracts.durations import DAY_MS, HOUR_MS
from ingest.contracts.supply import LaneRecord
from streams.domain.calendars import next_open_ms, next_time_ms
from tests.unit.streams.builders import reference
from tests.unit.streams.plan_story import line, withdrawn
from tests.unit.streams.test_planning import FIRST, PlanStory

SECOND = FIRST[:-1] + "2"


def _story(**terms: object) -> PlanStory:
    """Return a story of the lane from the hub to Berlin with these terms."""
    story = PlanStory()
    story.at(0, reference(LaneRecord("hub", "berlin", HOUR_MS, **terms)))  # type: ignore[arg-type] # its fields
    return story


@pytest.mark.parametrize(
    ("at_ms", "weekdays", "closed", "open_ms"),
    [
        (9 * HOUR_MS, "", "", 9 * HOUR_MS),
        (7 * HOUR_MS, "", "", 8 * HOUR_MS),
        (18 * HOUR_MS, "", "", DAY_MS + 8 * HOUR_MS),
        (9 * HOUR_MS, "fri", "", DAY_MS + 8 * HOUR_MS),  # 1970-01-01 was a Thursday
        (9 * HOUR_MS, "", "1970-01-01 1970-01-02", 2 * DAY_MS + 8 * HOUR_MS),
        (9 * HOUR_MS, "thu", "1970-01-01", 7 * DAY_MS + 8 * HOUR_MS),
    ],
)
def test_what_is_ready_waits_for_open_hours(
    at_ms: int, weekdays: str, closed: str, open_ms: int
) -> None:
    """From eight to six, on open weekdays that are no closed dates."""
    assert next_open_ms(at_ms, weekdays, 8 * HOUR_MS, 18 * HOUR_MS, closed) == open_ms


def test_a_time_of_day_is_always_in_the_future() -> None:
    """At the time itself it is the next day's."""
    assert next_time_ms(8 * HOUR_MS, "", 8 * HOUR_MS, "") == DAY_MS + 8 * HOUR_MS


def test_a_shipment_closes_at_the_next_departure() -> None:
    """Lines that come before it travel along."""
    story = _story(depart_from_ms=8 * HOUR_MS, depart_until_ms=18 * HOUR_MS)
    story.at(HOUR_MS, line("transfer-milk-1", HOUR_MS, consolidation_ms=0))
    story.at(7 * HOUR_MS, line("transfer-rice-1", 7 * HOUR_MS, consolidation_ms=0))
    assert (story.shipment().state, story.shipment().closes_at_ms) == ("collecting", 8 * HOUR_MS)
    story.at(8 * HOUR_MS)
    shipment = story.shipment()
    assert (shipment.state, len(shipment.lines)) == ("closed", 2)
    assert shipment.departs_at_ms == 8 * HOUR_MS


def test_a_line_that_does_not_fit_opens_the_next_shipment() -> None:
    """The full one is closed at once and departs within hours."""
    story = _story(capacity_units=10, depart_from_ms=8 * HOUR_MS)
    for number in (1, 2, 3):
        story.at(HOUR_MS, line(f"transfer-milk-{number}", HOUR_MS, quantity_units=4))
    first, second = story.shipment(), story.shipment(SECOND)
    assert (first.state, sum(first.lines.values()), first.flags) == ("closed", 8, ["full"])
    assert first.departs_at_ms == 8 * HOUR_MS
    assert (second.state, second.lines) == ("collecting", {"transfer-milk-3": 4})


def test_what_fills_a_shipment_exactly_closes_it() -> None:
    """Nothing waits for a line that could not join."""
    story = _story(capacity_units=8)
    story.at(1_000, line("transfer-milk-1", 1_000), line("transfer-milk-2", 1_000))
    assert (story.shipment().state, story.shipment().flags) == ("closed", [])


def test_a_line_above_the_capacity_travels_alone_and_says_so() -> None:
    """It is not split: a transfer has one shipment."""
    story = _story(capacity_units=3)
    story.at(1_000, line("transfer-milk-1", 1_000))
    assert (story.shipment().state, story.shipment().flags) == ("closed", ["over_capacity"])


def test_a_withdrawn_line_makes_room() -> None:
    """What it had taken is free again."""
    story = _story(capacity_units=10)
    story.at(1_000, line("transfer-milk-1", 1_000), line("transfer-milk-2", 1_000))
    story.at(2_000, withdrawn("transfer-milk-1"), line("transfer-milk-3", 2_000))
    assert story.shipment().lines == {"transfer-milk-2": 4, "transfer-milk-3": 4}


def test_new_hours_hold_for_a_collecting_shipment() -> None:
    """Terms change live."""
    story = _story()
    story.at(1_000, line("transfer-milk-1", 1_000))
    assert story.shipment().closes_at_ms == 61_000
    story.at(2_000, reference(LaneRecord("hub", "berlin", 1, depart_from_ms=HOUR_MS)))
    assert story.shipment().closes_at_ms == HOUR_MS
