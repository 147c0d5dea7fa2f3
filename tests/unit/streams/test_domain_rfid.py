"""RFID: missed rounds are no sales; beams say something is there, not how much."""

from ingest.frames import TAG_DIGEST_BYTES, ReadingInput
from streams.domain.rfid import rounds_until_gone
from streams.domain.sensing import UNCOUNTED, shelf_units
from tests.unit.streams.builders import SHOP, T0, Story, reading


def _round(number: int, *tags: int) -> ReadingInput:
    digests = b"".join(tag.to_bytes(TAG_DIGEST_BYTES, "big") for tag in sorted(tags))
    return reading(len(tags), at_ms=T0 + number, seq=number, kind="tags", tag_digests=digests)


def test_a_tag_missed_once_is_still_there() -> None:
    """Different tags are missed in each round; the count stays."""
    story = Story().tell(_round(1, 1, 2, 3))
    for number, tags in enumerate([(1, 2), (2, 3), (1, 3), (1, 2, 3)], 2):
        assert shelf_units(story.tell(_round(number, *tags)).level()) == 3


def test_a_tag_missed_again_and_again_is_gone() -> None:
    """As soon as being missed so often is improbable."""
    story = Story().tell(_round(1, 1, 2, 3), _round(2, 1, 2))
    assert shelf_units(story.level()) == 3
    assert shelf_units(story.tell(_round(3, 1, 2)).level()) == 2


def test_a_place_that_misses_much_is_given_more_rounds() -> None:
    """12 % missed: two rounds; 51 %: six."""
    assert (rounds_until_gone(120), rounds_until_gone(510)) == (2, 6)
    story = Story().tell(_round(0, 1, 2))
    for number in range(1, 40):
        story.tell(_round(number, 1 + number % 2))
    learned = story.level().sensed[0].tags
    assert learned is not None
    assert learned.missed_permille > 300


def test_an_empty_round_is_a_round() -> None:
    """No tag at all: gone after the same number of rounds, not at once."""
    story = Story().tell(_round(1, 1), _round(2))
    assert shelf_units(story.level()) == 1
    assert shelf_units(story.tell(_round(3)).level()) == 0


def test_a_beam_says_empty_or_something() -> None:
    """Empty is zero; something is no number, and a count beside it leads."""
    story = Story().tell(reading(1, at_ms=T0, seq=1, kind="beam"))
    assert story.level().sensed[0].units == UNCOUNTED
    assert shelf_units(story.level()) is None
    story.tell(reading(0, at_ms=T0, seq=2, kind="beam"))
    assert shelf_units(story.level()) == 0
    story.tell(reading(1, at_ms=T0, seq=3, kind="beam"), reading(4, at_ms=T0, channel="9"))
    assert shelf_units(story.level(SHOP)) == 4


def test_a_beam_that_contradicts_an_empty_count_makes_it_unknown() -> None:
    """Unknown is not zero."""
    story = Story().tell(reading(1, at_ms=T0, kind="beam"), reading(0, at_ms=T0, channel="9"))
    assert shelf_units(story.level()) is None
