"""Blind intervals: told once at their begin and once at their end, with a cause, and summed."""

from deploy.explanations import entity_of, explained
from streams.contracts.blindness import BlindIntervalChanged
from streams.contracts.kpis import KPI, Kpi
from streams.contracts.state import decode, key
from streams.domain.kpis import summed
from tests.unit.streams.builders import SHOP, SKU, T0, Story, opening, policy, reading, status

SILENT_MS = 1_000
OFF_MS = 700


def _told(story: Story) -> list[tuple[str, str, int]]:
    return [
        (told.state, told.cause, told.at_ms - told.since_ms)
        for told in story.events(BlindIntervalChanged)
    ]


def _kpi(story: Story) -> Kpi:
    raw = key(KPI, SKU, SHOP)
    found = decode(raw, story.state[raw])
    assert isinstance(found, Kpi)
    return found


def _seen() -> Story:
    return Story().tell(policy(blind_after_ms=SILENT_MS), opening(9), reading(6, at_ms=T0))


def test_a_silence_is_an_interval_with_begin_end_and_cause() -> None:
    """It begins when the owed report is too late, and ends with the next reading."""
    story = _seen().wait(SILENT_MS)
    assert _told(story) == [("open", "silent", 0)]
    kpi = _kpi(story)
    assert (kpi.blind_id, kpi.blind_cause) == (
        story.events(BlindIntervalChanged)[0].blind_id,
        "silent",
    )
    story.wait(OFF_MS).wait(OFF_MS)
    story.tell(reading(6, at_ms=T0 + 9))
    assert _told(story) == [("open", "silent", 0), ("closed", "silent", 2 * OFF_MS)]
    kpi = _kpi(story)
    assert (kpi.blind_id, kpi.blind_since_ms, kpi.sums.blind_ms) == ("", 0, 2 * OFF_MS)


def test_a_last_will_is_offline_and_a_repeat_of_it_tells_nothing() -> None:
    """What a device says of itself begins and ends it."""
    story = _seen().tell(status(online=False, sku=SKU)).tell(status(online=False, sku=SKU))
    story.wait(OFF_MS).tell(status(online=True, sku=SKU))
    assert _told(story) == [("open", "offline", 0), ("closed", "offline", OFF_MS)]


def test_a_channel_known_from_history_alone_is_blind_from_the_start() -> None:
    """A buffered reading shows nobody the shelf as it is."""
    story = Story().tell(policy(), reading(6, at_ms=T0, historical=True))
    assert _told(story) == [("open", "historical", 0)]


def test_an_interval_goes_on_over_a_restore() -> None:
    """Its begin is part of the state."""
    story = _seen().wait(SILENT_MS)
    story.restore()
    story.wait(OFF_MS)
    sums = summed(story.level(), _kpi(story), _kpi(story).since_ms + OFF_MS)
    assert sums.blind_ms == OFF_MS
    story.tell(reading(6, at_ms=T0 + 9))
    assert _told(story)[-1] == ("closed", "silent", OFF_MS)


def test_an_interval_can_be_explained() -> None:
    """Begin and end, the channel, and why."""
    story = _seen().wait(SILENT_MS).tell(reading(6, at_ms=T0 + 9))
    events = story.events(BlindIntervalChanged)
    assert {entity_of(event) for event in events} == {events[0].blind_id}
    begun, ended = explained(events)
    assert "unseen (" in begun
    assert "silent" in begun
    assert "seen again: unseen since" in ended
