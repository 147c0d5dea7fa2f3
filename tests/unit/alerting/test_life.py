"""The life of one alert, step by step, at its limits."""

import pytest

from alerting import life
from streams.contracts.alerts import (
    ALERT_DELIVERIES_KEPT_MAX,
    ALERT_NOTES_KEPT_MAX,
    Alert,
    DeliveryResult,
)
from tests.unit.alerting.story import KEY, SITE, raised


def happenings(alert: Alert) -> list[str]:
    """Return what the history says happened, oldest first."""
    return [note.happening for note in alert.history]


def result_of(delivery_id: str, error: str = "") -> DeliveryResult:
    """Return what the sender says of a delivery."""
    return DeliveryResult(
        delivery_id=delivery_id,
        alert_key=KEY,
        site=SITE,
        channel="shop",
        delivered=not error,
        attempts=1,
        at_ms=9,
        error=error,
    )


def test_a_new_alert_is_open_and_nobody_was_told() -> None:
    """Its first happening is its beginning, at the time of the fact."""
    alert = life.new_alert(raised(1_000))
    assert (alert.state, alert.raised_at_ms, alert.severity_told) == ("open", 1_000, -1)
    assert happenings(alert) == ["raised"]
    assert life.has_news(alert)


def test_the_same_words_again_change_nothing() -> None:
    """Another severity, text or fact does."""
    alert = life.new_alert(raised(1_000))
    assert not life.raise_again(alert, raised(2_000))
    assert life.raise_again(alert, raised(2_000, text="lower still"))
    assert life.raise_again(alert, raised(2_000, text="lower still", severity="critical"))
    assert (alert.raised_at_ms, alert.text, alert.severity) == (1_000, "lower still", "critical")
    assert happenings(alert) == ["raised", "raised_again", "raised_again"]


@pytest.mark.parametrize(("at_ms", "opens"), [(4_999, False), (5_000, False), (5_001, True)])
def test_only_a_word_after_the_end_opens_an_alert_again(at_ms: int, opens: bool) -> None:
    """A late word about what is over is not news."""
    alert = life.new_alert(raised(1_000))
    life.clear(alert, 5_000)
    assert life.raise_again(alert, raised(at_ms)) is opens
    assert alert.state == ("open" if opens else "cleared")


def test_an_alert_that_opens_again_knows_nothing_of_the_last_answer() -> None:
    """Everybody is told anew; the running number goes on."""
    alert = life.new_alert(raised(1_000))
    alert.severity_told, alert.channels_told, alert.next_number = 1, ["shop"], 7
    life.acknowledge(alert, "anna", 2_000)
    life.clear(alert, 5_000)
    life.raise_again(alert, raised(6_000))
    assert (alert.acknowledged_by, alert.acknowledged_at_ms, alert.cleared_at_ms) == ("", 0, 0)
    assert (alert.severity_told, alert.channels_told, alert.next_number) == (-1, [], 7)
    assert (alert.raised_at_ms, alert.looked_at_ms) == (6_000, 6_000)


def test_the_first_answer_counts() -> None:
    """A second person changes nothing, nor does an answer to what is over."""
    alert = life.new_alert(raised(1_000))
    life.acknowledge(alert, "anna", 2_000)
    life.acknowledge(alert, "ben", 3_000)
    assert (alert.acknowledged_by, alert.acknowledged_at_ms) == ("anna", 2_000)
    over = life.new_alert(raised(1_000))
    life.clear(over, 2_000)
    life.acknowledge(over, "ben", 3_000)
    assert (over.state, over.acknowledged_by) == ("cleared", "")


@pytest.mark.parametrize(("at_ms", "ends"), [(999, False), (1_000, True)])
def test_an_end_before_the_beginning_is_of_another_time(at_ms: int, ends: bool) -> None:
    """The same millisecond is an end."""
    alert = life.new_alert(raised(1_000))
    assert life.clear(alert, at_ms) is ends
    assert not (ends and life.clear(alert, at_ms + 1))


def test_the_newest_deliveries_and_notes_are_kept() -> None:
    """Exactly so many; what was dropped takes no result any more."""
    alert = life.new_alert(raised())
    for number in range(ALERT_DELIVERIES_KEPT_MAX + 1):
        life.put_delivery(alert, f"d{number}", "sent")
    assert len(alert.deliveries) == ALERT_DELIVERIES_KEPT_MAX
    assert "d0" not in alert.deliveries
    assert not life.put_result(alert, result_of("d0"))
    assert life.put_result(alert, result_of("d1"))
    for number in range(ALERT_NOTES_KEPT_MAX + 5):
        life.add_note(alert, number, "repeated")
    assert [note.at_ms for note in alert.history] == list(range(5, ALERT_NOTES_KEPT_MAX + 5))


def test_a_failure_names_channel_and_reason_and_may_be_mended() -> None:
    """Failed may become delivered; delivered never becomes failed."""
    alert = life.new_alert(raised())
    life.put_delivery(alert, "d", "sent")
    assert life.put_result(alert, result_of("d", "refused"))
    assert not life.put_result(alert, result_of("d", "refused"))
    assert life.put_result(alert, result_of("d"))
    assert not life.put_result(alert, result_of("d", "refused"))
    assert [(n.happening, n.detail) for n in alert.history[1:]] == [
        ("failed", "shop: refused"),
        ("delivered", "shop"),
    ]


def test_when_an_alert_must_be_looked_at() -> None:
    """An open one at its repeat, if there is one; the others when they may be forgotten."""
    alert = life.new_alert(raised(1_000))
    assert life.due_ms(alert) is None
    alert.next_repeat_at_ms = 7_000
    assert life.due_ms(alert) == 7_000
    life.acknowledge(alert, "anna", 2_000)
    assert life.due_ms(alert) == 2_000 + life.ACKNOWLEDGED_KEPT_MS
    life.clear(alert, 3_000)
    assert life.due_ms(alert) == 3_000 + life.CLEARED_KEPT_MS
