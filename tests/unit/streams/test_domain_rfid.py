"""RFID: missed rounds are no sales; beams say something is there, not how much."""

from ingest.frames import TAG_DIGEST_BYTES, ReadingInput
from streams.contracts.state import UNCOUNTED
from streams.domain.areas import seen_units
from streams.domain.rfid import ROUNDS_MIN, rounds_until_gone
from tests.unit.streams.builders import T0, Story, reading


def _round(number: int, *tags: int) -> ReadingInput:
    digests = b"".join(tag.to_bytes(TAG_DIGEST_BYTES, "big") for tag in sorted(tags))
    return reading(len(tags), at_ms=T0 + number, seq=number, kind="tags", tag_digests=digests)


def _story(*tags: int) -> Story:
    """Return a channel that has told its first rounds, numbered up to 0."""
    return Story().tell(
        *(_round(number - ROUNDS_MIN, *tags) for number in range(1, ROUNDS_MIN + 1))
    )


def test_the_first_rounds_are_no_count() -> None:
    """A single one may have missed half of the tags."""
    story = Story()
    for number in range(ROUNDS_MIN - 1):
        assert seen_units(story.tell(_round(number, 1, 2)).level()) is None
    assert seen_units(story.tell(_round(ROUNDS_MIN, 3)).level()) == 3


def test_a_tag_missed_once_is_still_there() -> None:
    """Different tags are missed in each round; the count stays."""
    story = _story(1, 2, 3)
    for number, tags in enumerate([(1, 2), (2, 3), (1, 3), (1, 2, 3)], 1):
        assert seen_units(story.tell(_round(number, *tags)).level()) == 3


def test_a_tag_missed_again_and_again_is_gone() -> None:
    """As soon as being missed so often has become improbable, and not before; none left is zero."""
    story = _story(1, 2)
    learned = story.level().sensed[0].tags
    assert learned is not None
    rounds = rounds_until_gone(learned.missed_permille)
    for number in range(1, rounds):
        assert seen_units(story.tell(_round(number)).level()) == 2
    assert seen_units(story.tell(_round(rounds)).level()) == 0


def test_a_channel_learns_how_much_its_place_misses() -> None:
    """12 % missed: four rounds; 51 %: eleven."""
    assert (rounds_until_gone(120), rounds_until_gone(510)) == (4, 11)
    good, bad = _story(1, 2), _story(1, 2)
    for number in range(1, 120):
        good.tell(_round(number, 1, 2))
        bad.tell(_round(number, 1 + number % 2))
    learned_good, learned_bad = good.level().sensed[0].tags, bad.level().sensed[0].tags
    assert learned_good is not None
    assert learned_bad is not None
    assert learned_good.missed_permille < 150
    assert 450 < learned_bad.missed_permille < 550


def test_a_beam_says_empty_or_something() -> None:
    """Empty is zero; something is no number, and a count beside it leads."""
    story = Story().tell(reading(1, at_ms=T0, seq=1, kind="beam"))
    assert story.level().sensed[0].units == UNCOUNTED
    assert seen_units(story.level()) is None
    story.tell(reading(0, at_ms=T0, seq=2, kind="beam"))
    assert seen_units(story.level()) == 0
    story.tell(reading(1, at_ms=T0, seq=3, kind="beam"), reading(4, at_ms=T0, channel="9"))
    assert seen_units(story.level()) == 4


def test_a_beam_that_contradicts_an_empty_count_makes_it_unknown() -> None:
    """Unknown is not zero."""
    story = Story().tell(reading(1, at_ms=T0, kind="beam"), reading(0, at_ms=T0, channel="9"))
    assert seen_units(story.level()) is None
