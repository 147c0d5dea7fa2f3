"""A channel that is moved to another shelf, and a device that is gone."""

from ingest.contracts.planogram import NEVER_ENDS_MS, PlanogramRecord
from ingest.frames import INPUT_FRAMES, InputItem, ReferenceInput
from streams.contracts.alerts import AlertEnded, AlertRaised
from streams.contracts.blindness import BlindIntervalChanged
from streams.contracts.events import BreachCleared, BreachOpened
from streams.contracts.planogram import PLANOGRAM
from streams.contracts.state import key_parts
from streams.domain.areas import seen_units
from streams.domain.planogram import GONE_KEPT_MS
from tests.unit.streams.builders import SHOP, SKU, T0, Story, opening, policy, reading, status

MOVES_MS = T0 + 1_000
BACK_MS = T0 + 2_000
OTHER = "tea"


def _told(*spans: tuple[int, int], sku: str = SKU, version: int = 2) -> ReferenceInput:
    record = PlanogramRecord(f"sensor-{SHOP}", "0", sku, SHOP, spans)
    return ReferenceInput(version, record, not spans)


def _channels(story: Story, sku: str = SKU) -> list[tuple[str, int]]:
    return [(channel.channel, channel.units) for channel in story.level(sku=sku).sensed]


def _planograms(story: Story) -> list[str]:
    return [raw.decode() for raw in story.state if key_parts(raw)[0] == PLANOGRAM]


def test_a_moved_channel_leaves_no_count_behind() -> None:
    """At the time of the change, by time alone, and what it sees next is of the other shelf."""
    story = Story().tell(reading(7, at_ms=T0)).tell(_told((0, MOVES_MS)))
    story.wait(999)
    assert _channels(story) == [(f"sensor-{SHOP}/0", 7)]
    story.wait(1)
    assert _channels(story) == []
    story.tell(reading(3, at_ms=MOVES_MS + 1, sku=OTHER), after_ms=1)
    assert _channels(story, OTHER) == [(f"sensor-{SHOP}/0", 3)]
    story.tell(reading(8, at_ms=MOVES_MS - 1))  # of the old shelf, and late
    assert _channels(story) == []


def test_a_change_that_holds_at_once_is_followed_at_once() -> None:
    """Also a change that is told after it has begun."""
    story = Story().tell(reading(7, at_ms=T0)).wait(5)
    assert _channels(story.tell(_told((0, T0 + 5)))) == []


def test_a_change_that_is_taken_back_before_its_time_changes_nothing() -> None:
    """The span is open again, and nothing of it is remembered."""
    story = Story().tell(reading(7, at_ms=T0), _told((0, MOVES_MS)))
    story.tell(_told((0, NEVER_ENDS_MS), version=3)).wait(5_000)
    assert _channels(story) == [(f"sensor-{SHOP}/0", 7)]
    assert _planograms(story) == []


def test_a_channel_that_comes_back_begins_anew() -> None:
    """What it saw in its first time there is not what it sees in its second."""
    spans = (0, MOVES_MS), (BACK_MS, NEVER_ENDS_MS)
    story = Story().tell(reading(7, at_ms=T0), _told(*spans)).wait(3_000)
    assert _channels(story.tell(reading(6, at_ms=MOVES_MS - 1))) == []
    story.tell(reading(9, at_ms=BACK_MS + 1))
    assert _channels(story) == [(f"sensor-{SHOP}/0", 9)]
    assert _channels(story.tell(reading(6, at_ms=MOVES_MS - 1)).wait(9_000)) == [
        (f"sensor-{SHOP}/0", 9)
    ]


def test_a_restored_fold_still_waits_for_the_change() -> None:
    """The time of it stands in the state."""
    story = Story().tell(reading(7, at_ms=T0), _told((0, MOVES_MS)))
    story.restore()
    assert _channels(story.wait(1_000)) == []


def test_a_channel_that_left_the_catalogue_is_not_begun_by_what_was_on_its_way() -> None:
    """A reading resolved by the load before; one by a later load is of a channel that is back."""
    story = Story().tell(reading(7, at_ms=T0)).tell(_told())
    assert _channels(story) == []
    late: list[InputItem] = [reading(5, at_ms=T0 + 1)]
    story.fold.fold(INPUT_FRAMES.encode(late, received_at_ms=T0 + 1, reference_version=1))
    story.drain()
    assert _channels(story) == []
    story.fold.fold(INPUT_FRAMES.encode(late, received_at_ms=T0 + 1, reference_version=2))
    story.drain()
    assert _channels(story) == [(f"sensor-{SHOP}/0", 5)]
    assert len(_planograms(story)) == 1
    story.wait(GONE_KEPT_MS)
    assert _planograms(story) == []
    assert len(_channels(story)) == 1


def test_the_book_leads_again_where_the_only_channel_has_left() -> None:
    """The shelf's shortage ends with it, and the blind interval too: nothing is left to be seen."""
    story = Story().tell(policy(lead_witness="shelf", autonomy="observe"), opening(20))
    story.tell(reading(2, at_ms=T0), _told((0, MOVES_MS)))
    assert [opened.kind for opened in story.events(BreachOpened)] == ["low_stock"]
    story.tell(status(online=False, sku=SKU)).wait(1_000)
    assert [cleared.kind for cleared in story.events(BreachCleared)] == ["low_stock"]
    assert [told.state for told in story.events(BlindIntervalChanged)] == ["open", "closed"]
    assert seen_units(story.level()) is None


def test_the_other_channels_of_the_shelf_stay() -> None:
    """A shelf of two channels is what the other sees."""
    story = Story().tell(reading(7, at_ms=T0), reading(4, at_ms=T0, channel="1"))
    story.tell(_told((0, MOVES_MS))).wait(1_000)
    assert _channels(story) == [(f"sensor-{SHOP}/1", 4)]


def test_a_device_that_left_the_catalogue_ends_its_alerts() -> None:
    """Nobody can mend the silence of what is no longer there."""
    story = Story().tell(status(online=False, device="sensor-9"))
    assert [raised.kind for raised in story.alerts(AlertRaised)] == ["device_silent"]
    story.tell(ReferenceInput(2, PlanogramRecord("sensor-9", "", "", SHOP), removed=True))
    assert len(story.alerts(AlertEnded)) == 1
    story.wait(GONE_KEPT_MS * 2)
    assert len(story.alerts(AlertRaised)) == 1
