"""The book: what each kind of scan does to quantity and value."""

import base64
import json

import pytest

from ingest.contracts.events import DeadLetter, Scan
from ingest.contracts.policies import PolicyRecord
from ingest.contracts.topics import DEAD_LETTERS
from ingest.frames import ScanAction, SkuRecord
from streams.domain.windows import BOOTS_PER_SOURCE_MAX
from tests.unit.streams.builders import SHOP, SKU, Story, opening, order_line, reference, scan


def _negative(rule: str) -> Story:
    """Return a shop of 3 whose policy on negative stock is `rule`."""
    story = Story()
    record = PolicyRecord(scope="network", negative_stock=rule)  # type: ignore[arg-type]
    return story.tell(reference(record), opening(3))


def test_opening_stock_counts_once_an_import() -> None:
    """The same import again changes nothing; another one adds."""
    story = Story().tell(opening(5), opening(5), opening(2, import_id="import-2"))
    assert story.level().on_hand_units == 7
    assert [movement.cause for movement in story.movements()] == ["import-1", "import-2"]


@pytest.mark.parametrize(
    ("action", "after_units"),
    [
        ("sale", 6),
        ("pick", 6),
        ("waste", 6),
        ("dispatch", 6),
        ("receive", 14),
        ("return", 14),
        ("arrive", 14),
        ("adjust", 14),
        ("count", 4),
        ("open", 10),
    ],
)
def test_each_action_moves_the_book_its_own_way(action: ScanAction, after_units: int) -> None:
    """Four units of each, from ten on hand, leave one movement each."""
    story = Story().tell(opening(10), scan(action, 4, seq=1))
    assert story.level().on_hand_units == after_units
    last = story.movements()[-1]
    assert (last.kind, last.cause) == (action, f"scanner-{SHOP}/b1/1")
    assert (last.before_units, last.after_units) == (10, after_units)


def test_a_repeated_scan_changes_nothing() -> None:
    """The sequence window knows it."""
    story = Story().tell(opening(10), scan("sale", 4, seq=1), scan("sale", 4, seq=1))
    assert story.level().on_hand_units == 6
    assert len(story.movements()) == 2


def test_a_buffered_scan_has_a_lane_of_its_own() -> None:
    """A historical scan far behind the live ones still counts."""
    story = Story().tell(opening(10), scan("sale", seq=5_000))
    story.tell(scan("sale", seq=1, historical=True), scan("sale", seq=2, historical=True))
    assert story.level().on_hand_units == 7


def test_a_scan_below_the_window_becomes_a_replayable_dead_letter() -> None:
    """The letter holds the scan as the wire has it, under a stable id."""
    story = Story().tell(opening(10), scan("sale", seq=5_000), scan("sale", 2, seq=7))
    assert story.level().on_hand_units == 9
    [output] = [output for output in story.outputs if output.topic == DEAD_LETTERS.name]
    letter = DeadLetter.model_validate_json(output.value)
    assert letter.reason == "too_old"
    assert output.key == letter.letter_id.encode() == f"too_old-0-scanner-{SHOP}/b1/7".encode()
    wire = json.loads(base64.b64decode(letter.payload_base64))
    known = {name: wire[name] for name in wire if name in Scan.model_fields}
    assert Scan.model_validate(known).quantity == 2


def test_refuse_keeps_the_book_from_going_below_zero() -> None:
    """The scan leaves a movement of nothing, so that it does not vanish."""
    story = _negative("refuse").tell(scan("sale", 4, seq=1))
    last = story.movements()[-1]
    assert (last.kind, last.quantity_units, last.flags) == ("refused", 0, ["would_be_negative"])
    assert story.level().on_hand_units == 3


def test_refuse_holds_for_an_adjustment_and_not_for_a_count() -> None:
    """The one claims units that the book has not; the other says what is there."""
    story = _negative("refuse").tell(scan("adjust", -4, seq=1))
    last = story.movements()[-1]
    assert (last.kind, last.quantity_units, last.flags) == ("refused", 0, ["would_be_negative"])
    story.tell(scan("adjust", -1, seq=2))
    assert story.level().on_hand_units == 2
    story.tell(scan("adjust", 5, seq=3), scan("count", 0, seq=4))
    assert (story.level().on_hand_units, story.movements()[-1].kind) == (0, "count")


def test_refuse_lets_a_book_that_is_below_zero_come_back() -> None:
    """It was allowed before: found units and a count of what is there are no refusals."""
    story = _negative("allow").tell(scan("sale", 9, seq=1))
    story.tell(reference(PolicyRecord(scope="network", negative_stock="refuse")))
    story.tell(scan("adjust", 2, seq=2), scan("adjust", -1, seq=3))
    assert story.level().on_hand_units == -4
    story.tell(scan("count", 0, seq=4))
    assert story.level().on_hand_units == 0


def test_flag_says_so_of_an_adjustment_too() -> None:
    """It goes through, as a sale does."""
    story = _negative("flag").tell(scan("adjust", -4, seq=1))
    assert (story.level().on_hand_units, story.movements()[-1].flags) == (-1, ["negative"])


def test_flag_lets_the_book_go_below_zero_and_says_so() -> None:
    """It is the rule where no policy speaks."""
    story = _negative("flag").tell(scan("sale", 4, seq=1))
    assert story.movements()[-1].flags == ["negative"]
    assert story.level().on_hand_units == -1


def test_allow_says_nothing() -> None:
    """Replays of real order logs sell what was never received."""
    story = _negative("allow").tell(scan("sale", 4, seq=1))
    assert story.movements()[-1].flags == []


def test_cost_is_a_moving_average() -> None:
    """Ten at 100 and ten at 200: sold at 150 each."""
    story = Story().tell(opening(10, cost_minor=100))
    story.tell(scan("receive", 10, seq=1, unit_cost_minor=200), scan("sale", 5, seq=2))
    assert story.movements()[-1].unit_cost_minor == 150
    assert story.level().value_minor == 15 * 150


def test_a_receipt_without_a_cost_takes_the_catalogue_s() -> None:
    """The SKU's unit cost stands in."""
    story = Story().tell(reference(SkuRecord(SKU, unit_cost_minor=30)), scan("receive", 2, seq=1))
    assert story.level().value_minor == 60


def test_a_book_of_nothing_is_worth_nothing() -> None:
    """Whatever was sold below zero, and at whatever price it comes in again."""
    story = Story().tell(opening(3, cost_minor=33), scan("sale", 5, seq=1))
    story.tell(scan("receive", 2, seq=2, unit_cost_minor=70))
    assert (story.level().on_hand_units, story.level().value_minor) == (0, 0)


def test_an_order_line_reserves_and_is_handed_over_once() -> None:
    """Reserved units leave available, and the book when the line is fulfilled."""
    story = Story().tell(opening(10), order_line("reserve", 4), order_line("reserve", 4))
    assert (story.level().on_hand_units, story.level().reserved_units) == (10, 4)
    story.tell(order_line("fulfil", 4), order_line("fulfil", 4))
    assert (story.level().on_hand_units, story.level().reserved_units) == (6, 0)


def test_a_released_line_gives_its_units_back() -> None:
    """A release of what was never reserved changes nothing."""
    story = Story().tell(opening(10), order_line("release", 4), order_line("reserve", 4))
    story.tell(order_line("release", 4))
    assert (story.level().on_hand_units, story.level().reserved_units) == (10, 0)


def test_a_resend_of_a_closed_session_is_a_dead_letter() -> None:
    """Nine sessions later its numbers are not known any more; it must not count again."""
    story = Story().tell(opening(20), scan("sale", 1, seq=1, boot="first"))
    for number in range(BOOTS_PER_SOURCE_MAX):
        story.tell(scan("sale", 1, seq=1, boot=f"later-{number}"), after_ms=1)
    story.restore()
    story.tell(scan("sale", 1, seq=1, boot="first"))
    assert story.level().on_hand_units == 20 - 1 - BOOTS_PER_SOURCE_MAX
    [letter] = [output for output in story.outputs if output.topic == DEAD_LETTERS.name]
    assert letter.key == f"too_old-0-scanner-{SHOP}/first/1".encode()
