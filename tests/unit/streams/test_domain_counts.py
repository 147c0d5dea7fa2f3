"""Counts in the stock fold: the book of the count's own time, tolerance, approval, late facts."""

from typing import Any

import pytest

from ingest.contracts.counts import CountLineInput
from ingest.frames import SkuRecord
from streams.contracts.alerts import AlertEnded, AlertRaised
from streams.contracts.counts import COUNT, COUNT_LINE, CountLine, CountLineAnswered, CountRecord
from streams.contracts.state import decode, key
from streams.domain.counts import ANCHOR_KEPT_MS, MOVES_KEPT_MAX
from streams.scan_movements import voided_movement
from tests.unit.streams.builders import (
    SHOP,
    SKU,
    T0,
    Story,
    command,
    opening,
    policy,
    reading,
    reference,
    scan,
)

SESSION = f"count-{SHOP}-1"


def asked(action: Any, units: int = 0, *, at_ms: int = 0, **more: Any) -> CountLineInput:
    """Return what a session asks of the one line."""
    fields = {"session_id": SESSION, "actor": "ann", "sku": SKU, "site": SHOP, **more}
    return CountLineInput(action=action, quantity_units=units, counted_at_ms=at_ms, **fields)


def counted(units: int = 20, **rules: Any) -> Story:
    """Return 20 pieces at 100 each and an open line."""
    story = Story().tell(reference(SkuRecord(SKU, unit_cost_minor=100)))
    story.tell(policy(autonomy="observe", **rules), opening(units))
    return story.tell(asked("open"))


def told(story: Story) -> list[CountLineAnswered]:
    """Return what sessions were told, in order."""
    return story.plans(CountLineAnswered)


def record(story: Story) -> CountRecord:
    """Return the accuracy record of the level."""
    raw = key(COUNT, SKU, SHOP)
    found = decode(raw, story.state[raw])
    assert isinstance(found, CountRecord)
    return found


def line(story: Story) -> CountLine:
    """Return the line as written."""
    raw = key(COUNT_LINE, SKU, SHOP)
    found = decode(raw, story.state[raw])
    assert isinstance(found, CountLine)
    return found


def test_a_difference_is_booked_with_the_session_as_its_cause() -> None:
    """The book becomes what was counted, at cost, and the record counts as not exact."""
    story = counted().tell(asked("enter", 17))
    movement = story.movements()[-1]
    assert (movement.kind, movement.cause, movement.quantity_units) == ("count", SESSION, -3)
    assert (story.level().on_hand_units, story.level().value_minor) == (17, 1_700)
    answer = told(story)[-1]
    assert (answer.state, answer.expected_units, answer.difference_units) == ("counted", 20, -3)
    assert answer.difference_minor == -300
    assert (record(story).counted, record(story).within_tolerance) == (1, 0)
    assert (record(story).error_units, record(story).difference_units) == (3, -3)


def test_a_count_that_agrees_is_exact() -> None:
    """It leaves a movement of nothing, and a better accuracy."""
    story = counted().tell(asked("enter", 20))
    assert story.movements()[-1].quantity_units == 0
    assert (record(story).counted, record(story).within_tolerance) == (1, 1)
    assert record(story).counted_at_ms == T0


def test_what_is_sold_between_looking_and_booking_is_not_lost() -> None:
    """The count is compared with the book as it stood when the counter looked."""
    story = counted()
    looked_ms = T0 + 50
    story.tell(scan("sale", 4, seq=1, observed_at_ms=T0 + 40), after_ms=100)
    story.tell(scan("sale", 2, seq=2, observed_at_ms=T0 + 60))
    story.tell(asked("enter", 15, at_ms=looked_ms), after_ms=100)
    assert told(story)[-1].expected_units == 16
    assert story.level().on_hand_units == 13


def test_an_empty_shelf_is_confirmed_by_zero() -> None:
    """Zero is a count like any other."""
    story = counted().tell(asked("enter", 0))
    assert (story.level().on_hand_units, story.level().value_minor) == (0, 0)


def test_what_is_told_late_of_before_a_count_is_in_it_already() -> None:
    """A sale of before the count that comes after it changes nothing of what was seen."""
    story = counted().tell(asked("enter", 18), after_ms=100)
    story.restore()
    story.tell(scan("sale", 2, seq=1, observed_at_ms=T0 + 50), after_ms=100)
    assert story.level().on_hand_units == 18
    late = story.movements()[-1]
    assert (late.kind, late.cause, late.quantity_units) == ("count", SESSION, 2)
    assert late.flags == ["late"]
    story.tell(scan("sale", 3, seq=2, observed_at_ms=T0 + 150))
    assert story.level().on_hand_units == 15


def test_an_anchor_ends_after_a_day() -> None:
    """What is told later still moves the book, and the line has left the state."""
    story = counted().tell(asked("enter", 18))
    story.wait(ANCHOR_KEPT_MS)
    assert key(COUNT_LINE, SKU, SHOP) not in story.state
    story.tell(scan("sale", 2, seq=1, observed_at_ms=T0))
    assert story.level().on_hand_units == 16


def test_a_new_session_keeps_the_anchor_until_it_counts_itself() -> None:
    """Late facts of before the older count stay out of the book meanwhile."""
    story = counted().tell(asked("enter", 18))
    story.tell(asked("open", session_id="count-shop-1-2"), after_ms=100)
    story.tell(scan("sale", 2, seq=1, observed_at_ms=T0 - 5))
    assert story.level().on_hand_units == 18
    story.tell(asked("close", session_id="count-shop-1-2"))
    assert (line(story).state, line(story).session_id) == ("counted", SESSION)


@pytest.mark.parametrize(
    ("rules", "units", "state"),
    [
        ({"count_tolerance_units": 2}, 18, "counted"),
        ({"count_tolerance_units": 2}, 17, "waiting"),
        ({"count_tolerance_permille": 100}, 22, "counted"),
        ({"count_tolerance_permille": 100}, 23, "waiting"),
        ({"count_tolerance_minor": 300}, 17, "counted"),
        ({"count_tolerance_minor": 299}, 17, "waiting"),
        ({"count_tolerance_units": 5, "count_tolerance_minor": 100}, 18, "waiting"),
        ({"count_tolerance_units": 0}, 20, "counted"),
    ],
)
def test_a_difference_above_any_limit_waits(rules: dict[str, int], units: int, state: str) -> None:
    """Units, share of what was expected, value: each limit that is set has to be kept."""
    story = counted(**rules).tell(asked("enter", units))
    assert told(story)[-1].state == state
    assert story.level().on_hand_units == (units if state == "counted" else 20)
    raised = story.alerts(AlertRaised)
    waits = [one for one in raised if one.kind == "count_waiting"]
    assert len(waits) == (state == "waiting")


def test_an_approval_books_what_is_different_by_then() -> None:
    """What moved after the count stays moved; the alert ends; a second approval changes nothing."""
    story = counted(count_tolerance_units=1).tell(asked("enter", 15))
    story.restore()
    story.tell(scan("sale", 4, seq=1, observed_at_ms=T0 + 150), after_ms=200)
    approval = asked("approve", actor="bob")
    story.tell(approval, approval)
    assert story.level().on_hand_units == 11
    assert told(story)[-1].actor == "bob"
    assert (record(story).counted, record(story).within_tolerance) == (1, 0)
    ended = [one.alert_key for one in story.alerts(AlertEnded)]
    assert ended == [f"{SESSION}.{SKU}"]


def test_a_late_fact_may_explain_a_difference_that_waits() -> None:
    """Then nobody has to approve it: it is compared anew, and booked."""
    story = counted(count_tolerance_units=1).tell(asked("enter", 15), after_ms=100)
    story.tell(scan("sale", 5, seq=1, observed_at_ms=T0 + 50))
    assert told(story)[-1].state == "counted"
    assert story.level().on_hand_units == 15
    assert record(story).within_tolerance == 1


def test_a_recount_asks_for_another_look() -> None:
    """What was entered is forgotten; only a look after that can be compared."""
    story = counted(count_tolerance_units=1).tell(asked("enter", 10), after_ms=100)
    story.tell(asked("recount", actor="bob"), after_ms=100)
    story.tell(asked("enter", 20, at_ms=T0 + 100))
    assert told(story)[-1].state == "recount"
    story.tell(scan("sale", 1, seq=1, observed_at_ms=story.now_ms))
    story.tell(asked("enter", 19), after_ms=10)
    assert (told(story)[-1].state, story.level().on_hand_units) == ("counted", 19)


def test_entering_twice_changes_nothing() -> None:
    """The first number that was booked stands; another one needs a new session."""
    story = counted().tell(asked("enter", 17))
    state, said = dict(story.state), len(story.outputs)
    story.tell(asked("enter", 17), asked("enter", 3), asked("open"))
    assert story.state == state
    assert len(story.outputs) == said


def test_a_line_is_counted_in_one_session_at_a_time() -> None:
    """The second session hears which one is at it."""
    story = counted().tell(asked("open", session_id="count-shop-1-2"))
    assert told(story)[-1].state == "refused"
    assert told(story)[-1].reason == f"it is being counted in {SESSION}"
    story.tell(asked("enter", 3, session_id="count-shop-1-2"))
    assert story.level().on_hand_units == 20


def test_an_unknown_article_is_refused() -> None:
    """A typing error makes no level."""
    story = counted().tell(asked("open", sku="mlik"))
    assert (told(story)[-1].state, told(story)[-1].reason) == (
        "refused",
        "nothing is known of the article",
    )
    assert {one.sku for one in story.levels()} == {SKU}


def test_a_close_forgets_what_waits() -> None:
    """Nothing of it is booked, and its alert ends."""
    story = counted(count_tolerance_units=1).tell(asked("enter", 10), asked("close"))
    assert story.level().on_hand_units == 20
    assert key(COUNT_LINE, SKU, SHOP) not in story.state
    assert len(story.alerts(AlertEnded)) == 1
    story.tell(scan("sale", 1, seq=1, observed_at_ms=T0))
    assert story.level().on_hand_units == 19


def test_a_count_scan_answers_an_open_line() -> None:
    """The floor counts with its scanner: the scan leaves its trace, the line the difference."""
    story = counted(count_tolerance_units=1).tell(scan("count", 15, seq=1))
    trace = story.movements()[-1]
    assert (trace.quantity_units, trace.flags) == (0, ["in_session"])
    assert (told(story)[-1].state, told(story)[-1].counted_by) == ("waiting", f"scanner-{SHOP}")
    story.tell(asked("approve", actor="bob"))
    assert story.level().on_hand_units == 15


def test_a_count_of_one_lot_is_no_count_of_the_line() -> None:
    """It corrects its lot, is compared with that lot alone, and the line stays open."""
    story = Story().tell(policy(autonomy="observe", lot_tracking="lots"))
    story.tell(scan("receive", 8, seq=1, lot="A"), scan("receive", 5, seq=2, lot="B"))
    story.tell(asked("open"), scan("count", 7, seq=3, lot="A"))
    assert story.level().on_hand_units == 12
    assert line(story).state == "open"
    assert (record(story).counted, record(story).difference_units) == (1, -1)
    story.tell(asked("enter", 12))
    assert (told(story)[-1].state, told(story)[-1].difference_units) == ("counted", 0)


def test_a_count_scan_without_a_session_counts_into_the_accuracy() -> None:
    """It corrects the book at once, as ever."""
    story = Story().tell(policy(autonomy="observe", count_tolerance_units=2), opening(20))
    story.tell(scan("count", 19, seq=1), scan("count", 30, seq=2))
    assert story.level().on_hand_units == 30
    assert (record(story).counted, record(story).within_tolerance) == (2, 1)
    assert record(story).error_units == 12


@pytest.mark.parametrize(
    ("sensed", "seen", "blind", "state"),
    [
        ("count", 20, False, "open"),
        ("prefill", 20, False, "prefilled"),
        ("prefill", 20, True, "open"),
        ("prefill", 11, False, "open"),
        ("skip", 19, False, "skipped"),
        ("skip", 19, True, "skipped"),
        ("skip", 18, False, "open"),
    ],
)
def test_a_shelf_whose_sensors_agree_is_spared(
    sensed: str, seen: int, blind: bool, state: str
) -> None:
    """Skipped or prefilled within the tolerance; a blind count shows no number."""
    story = Story().tell(
        policy(autonomy="observe", count_sensed=sensed, count_tolerance_units=1), opening(20)
    )
    story.tell(reading(seen, at_ms=T0), asked("open", blind=blind))
    answer = told(story)[-1]
    assert answer.state == state
    if blind and state == "open":
        assert (answer.expected_units, answer.sensed_units) == (0, -1)
    assert (key(COUNT_LINE, SKU, SHOP) in story.state) == (state != "skipped")


def test_a_shelf_that_nobody_sees_is_counted() -> None:
    """Unknown is not agreement."""
    story = Story().tell(policy(count_sensed="skip"), opening(20), asked("open"))
    assert told(story)[-1].state == "open"


def test_only_so_many_movements_are_kept_for_a_line() -> None:
    """A count of before those is refused; one after them is compared."""
    story = counted(200)
    for number in range(MOVES_KEPT_MAX + 1):
        story.tell(scan("sale", 1, seq=number, observed_at_ms=T0 + 10 * number), after_ms=10)
    assert len(line(story).moves) == MOVES_KEPT_MAX
    story.tell(asked("enter", 200, at_ms=T0 - 1))
    assert told(story)[-1].state == "recount"
    story.tell(asked("enter", 199, at_ms=T0 + 5))
    assert told(story)[-1].expected_units == 199


def test_a_voided_count_is_no_anchor_any_more() -> None:
    """Its reversal is not booked out again as a late fact."""
    story = counted().tell(asked("enter", 12))
    movement = story.movements()[-1]
    voided = voided_movement(movement)
    story.tell(command("void_movement", movement.movement_id, movements=(voided,)))
    assert story.level().on_hand_units == 20
    story.tell(scan("sale", 2, seq=1, observed_at_ms=T0))
    assert story.level().on_hand_units == 18
