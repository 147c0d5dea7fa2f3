"""The shelf: readings, blind intervals and which witness leads."""

import msgspec

from ingest.contracts.durations import HOUR_MS
from streams.contracts.alerts import AlertEnded, AlertRaised
from streams.contracts.events import BreachCleared, BreachOpened, DeviceStatusChanged
from streams.domain.areas import seen_units
from streams.domain.devices import BATTERY_LOW_PCT, SILENCE_LONG_MS
from streams.domain.sensing import units_of
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    SKU,
    T0,
    Story,
    opening,
    policy,
    reading,
    scan,
    status,
)


def test_weight_becomes_units_by_integers() -> None:
    """2,510 g gross, 500 g tare, 1 kg a unit: two units; a hand's lift is not below none."""
    heavy = reading(2_510, at_ms=T0, kind="weight_g", unit_weight_mg=1_000_000, tare_g=500)
    light = reading(100, at_ms=T0, kind="weight_g", unit_weight_mg=1_000_000, tare_g=500)
    assert (units_of(heavy), units_of(light)) == (2, 0)


def test_distance_and_tags_become_units() -> None:
    """The nearer the last pack, the more of them; tags count as they are."""
    near = reading(100, at_ms=T0, kind="distance_mm", span_mm=400, unit_depth_mm=60)
    assert units_of(near) == 5
    assert units_of(reading(7, at_ms=T0, kind="tags")) == 7


def test_a_reading_that_says_the_same_again_is_kept_as_the_newest() -> None:
    """Fresher readings of one count move its times and number on; an older one says nothing."""
    story = Story()
    for number in range(4):
        again = reading(6, at_ms=T0 + 10 * number, seq=number, report_interval_ms=number)
        story.tell(again, after_ms=5)
    story.tell(reading(2, at_ms=T0 + 25, seq=9), after_ms=5)
    (channel,) = story.level().sensed
    assert (channel.units, channel.observed_at_ms, channel.seq) == (6, T0 + 30, 3)
    assert (channel.received_at_ms, channel.report_interval_ms) == (T0 + 20, 3)


def test_a_fresher_reading_of_the_same_count_puts_blindness_off() -> None:
    """What counts for silence is when a channel last said anything, and it ends a blind one."""
    story = Story().tell(policy(blind_after_ms=100), opening(9))
    for number in range(3):
        story.tell(reading(6, at_ms=T0 + number), after_ms=90)
    story.wait(90)
    assert not story.level().sensed[0].blind
    story.wait(20)
    assert story.level().sensed[0].blind
    story.tell(reading(6, at_ms=T0 + 9), after_ms=1)
    assert not story.level().sensed[0].blind


def test_a_later_count_opens_a_breach_only_where_the_shelf_leads() -> None:
    """A shelf that was fine and falls short is noticed; beside a leading book it calls for nothing.

    So it is after a book that led is led by its shelf, by a policy that came later.
    """
    low = reading(2, at_ms=T0 + 2, seq=2)
    for witness, breaches in (("shelf", 1), ("book", 0)):
        story = Story().tell(policy(min_units=5, lead_witness=witness), opening(20))
        story.tell(reading(9, at_ms=T0), reading(8, at_ms=T0 + 1)).tell(low)
        assert len(story.events(BreachOpened)) == breaches
        story.tell(policy(min_units=5, lead_witness="shelf"), reading(3, at_ms=T0 + 3))
        assert len(story.events(BreachOpened)) == 1
        story.tell(reading(9, at_ms=T0 + 4), reading(4, at_ms=T0 + 5))
        assert len(story.events(BreachOpened)) == 2


def test_a_book_is_watched_where_a_shelf_is_seen_too() -> None:
    """A sale that takes a leading book below its minimum opens a breach, whatever sensors see."""
    story = Story().tell(policy(min_units=5), opening(7), reading(9, at_ms=T0))
    story.tell(scan("sale", 1, seq=1), reading(8, at_ms=T0 + 1))
    assert story.events(BreachOpened) == []
    story.tell(scan("sale", 2, seq=2))
    assert len(story.events(BreachOpened)) == 1


def test_a_reading_without_its_parameters_says_nothing() -> None:
    """A weight with no unit weight is no count."""
    story = Story().tell(opening(1), reading(900, at_ms=T0, kind="weight_g"))
    assert story.level().sensed == ()


def test_the_newest_observed_reading_counts() -> None:
    """A late or buffered one never overwrites it."""
    story = Story().tell(reading(8, at_ms=T0 + 5), reading(9, at_ms=T0 + 1, historical=True))
    assert seen_units(story.level()) == 8
    story.tell(reading(7, at_ms=T0 + 6))
    assert seen_units(story.level()) == 7


def test_a_shelf_is_the_sum_of_its_channels() -> None:
    """Channels stand in order of their names."""
    story = Story().tell(reading(3, at_ms=T0, channel="b"), reading(4, at_ms=T0, channel="a"))
    assert seen_units(story.level()) == 7
    assert [seen.channel[-1] for seen in story.level().sensed] == ["a", "b"]


def test_a_leading_shelf_opens_a_breach_that_the_book_does_not_see() -> None:
    """Phantom stock: 40 in the book, 4 on the shelf."""
    story = Story().tell(policy(lead_witness="shelf", max_units=None), opening(40))
    story.tell(reading(4, at_ms=T0 + 3))
    [opened] = story.events(BreachOpened)
    assert (opened.kind, opened.available_units, opened.observed_at_ms) == ("low_stock", 4, T0 + 3)


def test_a_blind_shelf_neither_opens_nor_clears() -> None:
    """Unknown is not zero, and not enough either."""
    story = Story().tell(policy(lead_witness="shelf", max_units=None, blind_after_ms=1_000))
    story.tell(reading(4, at_ms=T0))
    story.wait(1_000)
    assert story.level().sensed[0].blind
    story.tell(scan("receive", 90, seq=1))
    assert story.events(BreachCleared) == []
    story.tell(reading(20, at_ms=T0 + 2_000), after_ms=1_000)
    assert len(story.events(BreachCleared)) == 1
    assert not story.level().sensed[0].blind


def test_one_silent_channel_makes_a_shelf_unknown_though_the_other_reports() -> None:
    """A sum of what is seen and what is not is no count."""
    story = Story().tell(policy(lead_witness="shelf", max_units=None, blind_after_ms=60_000))
    story.tell(reading(12, at_ms=T0, channel="a"), reading(9, at_ms=T0, channel="b"))
    story.tell(reading(9, at_ms=T0 + 50_000, channel="b", seq=2), after_ms=50_000)
    story.wait(10_000)
    assert [seen.blind for seen in story.level().sensed] == [True, False]
    assert seen_units(story.level()) is None
    assert story.events(BreachOpened) == []


def test_a_device_s_last_will_blinds_its_channel() -> None:
    """Until it is back; the will of an older session says nothing."""
    story = Story().tell(reading(4, at_ms=T0, boot="b2"))
    story.tell(status(online=False, boot="b1", sku=SKU))
    assert seen_units(story.level()) == 4
    story.tell(status(online=False, boot="b2", sku=SKU))
    assert seen_units(story.level()) is None
    story.tell(status(online=True, boot="b3", sku=SKU))
    assert seen_units(story.level()) == 4


def test_a_silent_device_alerts_once_and_ends() -> None:
    """Told on changes only."""
    story = Story().tell(status(online=True), status(online=False), status(online=False))
    story.tell(status(online=True, boot="b2"))
    assert [event.online for event in story.events(DeviceStatusChanged)] == [True, False, True]
    [raised] = story.alerts(AlertRaised)
    [ended] = story.alerts(AlertEnded)
    assert (raised.kind, raised.severity) == ("device_silent", "warning")
    assert raised.alert_key == ended.alert_key


def test_a_silence_that_lasts_becomes_critical_once_and_a_new_one_begins_mild() -> None:
    """By the same alert, at its hour; what came back meanwhile is not told."""
    story = Story().tell(status(online=True), status(online=False))
    story.wait(SILENCE_LONG_MS - 1)
    assert [one.severity for one in story.alerts(AlertRaised)] == ["warning"]
    story.wait(1)
    story.wait(10 * SILENCE_LONG_MS)
    first, graver = story.alerts(AlertRaised)
    assert (graver.severity, graver.alert_key) == ("critical", first.alert_key)
    story.tell(status(online=True, boot="b2"), status(online=False, boot="b2"))
    story.wait(SILENCE_LONG_MS - 1)
    story.tell(status(online=True, boot="b3"))
    story.wait(SILENCE_LONG_MS)
    assert [one.severity for one in story.alerts(AlertRaised)] == ["warning", "critical", "warning"]


def test_a_device_that_moves_ends_what_its_old_site_was_told() -> None:
    """Alerts are kept by site: the old one hears of the end, the new one of what is still so."""
    story = Story().tell(status(online=True))
    offline = msgspec.structs.replace(status(online=False), battery_pct=BATTERY_LOW_PCT)
    story.tell(offline, msgspec.structs.replace(offline, site=DONOR))
    told = [(one.kind, one.site) for one in story.alerts(AlertRaised)]
    kinds = ("device_silent", "battery_low")
    assert sorted(told) == sorted((kind, site) for kind in kinds for site in (SHOP, DONOR))
    assert [one.site for one in story.alerts(AlertEnded)] == [SHOP, SHOP]
    story.tell(msgspec.structs.replace(status(online=True), site=DONOR, battery_pct=90))
    ended = {one.alert_key: one.site for one in story.alerts(AlertEnded)}
    assert ended == {one.alert_key: one.site for one in story.alerts(AlertRaised)}


def test_a_restored_fold_still_waits_for_a_long_silence() -> None:
    """The timer comes from the state alone."""
    story = Story().tell(status(online=True), status(online=False))
    story.restore()
    story.wait(SILENCE_LONG_MS)
    assert [one.severity for one in story.alerts(AlertRaised)] == ["warning", "critical"]


def test_a_low_battery_alerts_once_and_ends_when_it_is_fine() -> None:
    """Told once below the limit; it ends only well above it."""
    story = Story()
    for boot, battery_pct in enumerate((80, BATTERY_LOW_PCT, 3, BATTERY_LOW_PCT + 1, 90)):
        online = status(online=True, boot=f"b{boot}")
        story.tell(msgspec.structs.replace(online, battery_pct=battery_pct))
        ended = len(story.alerts(AlertEnded))
        assert ended == (battery_pct == 90)
    [raised] = story.alerts(AlertRaised)
    assert (raised.kind, raised.facts) == ("battery_low", {"battery_pct": BATTERY_LOW_PCT})


def test_a_device_that_reports_seldom_is_not_silent_after_a_minute() -> None:
    """Silence is counted from the report that it owes next."""
    story = Story().tell(policy(lead_witness="shelf", blind_after_ms=60_000))
    story.tell(reading(20, at_ms=T0, report_interval_ms=3 * HOUR_MS))
    story.wait(3 * HOUR_MS + 59_999)
    assert seen_units(story.level()) == 20
    story.wait(1)
    assert seen_units(story.level()) is None


def test_a_buffered_reading_alone_does_not_show_the_shelf() -> None:
    """What stood there then is no sight of now; the first live reading is, in either order."""
    story = Story().tell(reading(8, at_ms=T0, historical=True))
    assert seen_units(story.level()) is None
    story.tell(reading(6, at_ms=T0 + 1, seq=2))
    assert seen_units(story.level()) == 6
    other = Story().tell(reading(6, at_ms=T0 + 1, seq=2), reading(8, at_ms=T0, historical=True))
    assert other.level() == story.level()
