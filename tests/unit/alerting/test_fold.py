"""Stories of the alert fold: told once, repeated, answered, over, forgotten."""

import pytest

from alerting.fold import SILENCE_MS_MAX
from alerting.life import ACKNOWLEDGED_KEPT_MS, CLEARED_KEPT_MS
from ingest.contracts.errors import FrameError
from ingest.frames import TickInput
from streams.command_answers import ANSWERS_KEPT_MS
from streams.contracts.alerts import ALERT_DELIVERIES_KEPT_MAX, ALERT_NOTES_KEPT_MAX
from streams.contracts.events import CommandAccepted, CommandRefused
from tests.unit.alerting.story import KEY, AlertStory, answer, channel, ended, raised, result, rule

MINUTE = 60_000
HOUR = 60 * MINUTE


def test_an_alert_is_told_once_and_its_end_once() -> None:
    """A breach that opens and clears makes two messages, whatever is repeated."""
    story = AlertStory(channel(), rule())
    story.at(1_000, raised(1_000))
    story.at(1_500, raised(1_000))
    story.at(9_000, ended(9_000))
    story.at(9_500, ended(9_000), raised(1_000))
    assert story.told == [(1_000, "shop", "Warning"), (9_000, "shop", "Over")]
    assert story.deliveries[0].delivery_id == f"delivery-{KEY}-1-shop"
    assert story.deliveries[0].body == "available 3, threshold 5"
    assert story.alert().state == "cleared"


def test_without_rules_alerts_are_kept_and_nobody_is_told() -> None:
    """No rule is no message, but the alert stands in the table."""
    story = AlertStory()
    story.at(1_000, raised())
    assert story.told == []
    assert story.alert().state == "open"


def test_rules_choose_by_kind_site_and_severity() -> None:
    """Only the channels of matching rules hear, each once though two rules name it."""
    story = AlertStory(
        channel("a"),
        channel("b"),
        channel("c"),
        rule("kinds", kinds=["stockout"], channels=["a"]),
        rule("sites", sites=["berlin"], channels=["b"]),
        rule("severe", severity_min="critical", channels=["c"]),
        rule("again", channels=["b"]),
    )
    story.at(1_000, raised())
    assert [delivery.channel for delivery in story.deliveries] == ["b"]


def test_a_graver_severity_is_told_and_a_milder_one_only_kept() -> None:
    """A warning that turns critical is told again, its way back down is not."""
    story = AlertStory(channel(), rule())
    story.at(1_000, raised())
    story.at(2_000, raised(2_000, severity="critical"))
    story.at(3_000, raised(3_000, severity="info"))
    story.at(4_000, raised(4_000, severity="critical"))
    assert [word for _, _, word in story.told] == ["Warning", "Critical"]
    assert story.alert().severity == "critical"


def test_a_warning_can_be_downgraded() -> None:
    """The record and the next repeat say the milder word."""
    story = AlertStory(channel(), rule(repeat_ms=MINUTE))
    story.at(1_000, raised(severity="critical"), raised(2_000, severity="info"))
    assert story.alert().severity == "info"
    story.at(61_000, TickInput(61_000))
    assert [word for _, _, word in story.told] == ["Critical", "Info"]


def test_an_open_alert_is_repeated_until_it_is_acknowledged() -> None:
    """Repeats come at whole intervals after the beginning, and end with the answer."""
    story = AlertStory(channel(), rule(repeat_ms=MINUTE))
    story.at(1_000, raised())
    story.at(61_000, TickInput(61_000))
    story.at(300_000, TickInput(300_000))
    story.at(300_500, answer("acknowledge"))
    story.at(10 * MINUTE, raised(10 * MINUTE, severity="critical"), TickInput(20 * MINUTE))
    assert [at_ms for at_ms, _, _ in story.told] == [1_000, 61_000, 300_000]
    assert story.alert().acknowledged_by == "anna"
    assert isinstance(story.events[-1], CommandAccepted)


def test_rules_of_different_intervals_repeat_on_their_own_channels() -> None:
    """The slow rule is not hurried by the fast one."""
    story = AlertStory(
        channel("fast"),
        channel("slow"),
        rule("f", channels=["fast"], repeat_ms=MINUTE),
        rule("s", channels=["slow"], repeat_ms=3 * MINUTE),
    )
    story.at(0, raised(0))
    for minute in range(1, 5):
        story.at(minute * MINUTE, TickInput(minute * MINUTE))
    names = [name for at_ms, name, _ in story.told if at_ms]
    assert names == ["fast", "fast", "fast", "slow", "fast"]


def test_a_new_repeat_rule_reaches_alerts_that_are_open_already() -> None:
    """Rules are data: a change holds from the next interval on, with no restart."""
    story = AlertStory(channel(), rule())
    story.at(1_000, raised())
    story.at(2_000, rule(version=2, repeat_ms=MINUTE))
    story.at(62_000, TickInput(62_000))
    assert len(story.told) == 2
    story.at(63_000, rule(version=1, repeat_ms=0), rule(version=3, removed=True))
    story.at(600_000, TickInput(600_000))
    assert len(story.told) == 2


def test_silence_holds_repeats_back_and_one_comes_after_it() -> None:
    """What was missed in the silence becomes one message at its end."""
    story = AlertStory(channel(), rule(repeat_ms=MINUTE))
    story.at(1_000, raised())
    story.at(2_000, answer("silence", until_ms=200_000))
    story.at(190_000, TickInput(190_000))
    assert len(story.told) == 1
    story.at(200_000, TickInput(200_000))
    assert [at_ms for at_ms, _, _ in story.told] == [1_000, 200_000]
    assert story.alert().next_repeat_at_ms == 241_000


def test_news_in_a_silence_are_told_when_it_ends() -> None:
    """A graver severity waits for the end of the silence, or for the one who lifts it."""
    story = AlertStory(channel(), rule())
    story.at(1_000, raised(), answer("silence", "c1", until_ms=90_000))
    story.at(2_000, raised(2_000, severity="critical"))
    assert len(story.told) == 1
    story.at(3_000, answer("unsilence", "c2"))
    assert story.told[1:] == [(3_000, "shop", "Critical")]
    story.at(4_000, answer("silence", "c3", until_ms=90_000), ended(5_000))
    assert len(story.told) == 2


def test_the_end_is_told_after_an_acknowledge_to_those_who_were_told() -> None:
    """Who heard of it hears that it is over, unless the rule wants no such notice."""
    story = AlertStory(
        channel("a"),
        channel("b"),
        rule("a", channels=["a"]),
        rule("b", channels=["b"], clear_notice=False),
    )
    story.at(1_000, raised(), answer("acknowledge"))
    story.at(2_000, ended(2_000))
    assert [(name, word) for _, name, word in story.told] == [
        ("a", "Warning"),
        ("b", "Warning"),
        ("a", "Over"),
    ]


def test_an_alert_that_comes_back_is_told_with_new_numbers() -> None:
    """A key raised again after its end opens again; no delivery id is used twice."""
    story = AlertStory(channel(), rule())
    story.at(1_000, raised(), answer("acknowledge"), ended(2_000))
    story.at(3_000, raised(3_000))
    assert [word for _, _, word in story.told] == ["Warning", "Over", "Warning"]
    assert len({delivery.delivery_id for delivery in story.deliveries}) == 3
    assert story.alert().acknowledged_by == ""
    story.at(4_000, ended(2_500))
    assert story.alert().state == "open"


def test_results_are_kept_and_a_failure_is_visible() -> None:
    """The alert says what became of each message; delivered stays delivered."""
    story = AlertStory(channel("a"), channel("b"), rule(channels=["a", "b"]))
    story.at(1_000, raised())
    first, second = story.deliveries
    story.at(2_000, result(first, at_ms=2_000), result(second, at_ms=2_000, error="refused"))
    story.at(3_000, result(first, at_ms=3_000, error="late"))
    assert list(story.alert().deliveries.values()) == ["delivered", "failed"]
    assert story.alert().history[-1].detail == "b: refused"


def test_a_rule_that_names_no_channel_we_have_fails_visibly() -> None:
    """A missing channel is a failure in the alert; a disabled one is a wish."""
    story = AlertStory(channel("off", enabled=False), rule(channels=["gone", "off"]))
    story.at(1_000, raised())
    assert story.deliveries == []
    assert story.alert().deliveries == {f"delivery-{KEY}-1-gone": "failed"}
    assert story.alert().history[-1].detail == "gone: no such channel"


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (answer("acknowledge", alert_key="breach-x-1"), "there is no such alert"),
        (answer("silence", until_ms=500), "the silence would be over already"),
        (answer("silence", until_ms=SILENCE_MS_MAX + 2_000), "a silence lasts 30 days at most"),
        (answer("snooze"), "the snooze would be over already"),
        (answer("snooze", for_ms=SILENCE_MS_MAX + 1), "a snooze lasts 30 days at most"),
    ],
)
def test_answers_that_make_no_sense_are_refused(asked: object, reason: str) -> None:
    """The refusal says why; nothing changes."""
    story = AlertStory()
    story.at(1_000, raised(), asked)
    refused = story.events[-1]
    assert isinstance(refused, CommandRefused)
    assert refused.reason == reason
    assert story.alert().silenced_until_ms == 0


def test_a_snoozed_alert_comes_back_once_though_no_rule_repeats() -> None:
    """It was told already, is put off, and is told again when the snooze is over."""
    story = AlertStory(channel(), rule())
    story.at(1_000, raised(), answer("snooze", for_ms=10 * MINUTE))
    story.at(9 * MINUTE, TickInput(9 * MINUTE))
    assert len(story.told) == 1
    story.at(11 * MINUTE, TickInput(11 * MINUTE))
    story.at(60 * MINUTE, TickInput(60 * MINUTE))
    assert [at_ms for at_ms, _, _ in story.told] == [1_000, 11 * MINUTE]
    assert story.alert().snoozed_until_ms == 0


def test_a_snooze_holds_repeats_back_and_they_go_on_after_it() -> None:
    """Nothing comes before its end; from then on the rule's own beat."""
    story = AlertStory(channel(), rule(repeat_ms=MINUTE))
    story.at(0, raised(0))
    story.at(1_000, answer("snooze", until_ms=210_000))
    for at_ms in range(MINUTE, 301_000, MINUTE // 2):
        story.at(at_ms, TickInput(at_ms))
    assert [at_ms for at_ms, _, _ in story.told] == [0, 210_000, 240_000, 300_000]


def test_graver_news_ends_a_snooze_and_a_silence_outlasts_it() -> None:
    """What was put off was milder; what is silenced comes back with the silence's end."""
    story = AlertStory(channel(), rule())
    story.at(1_000, raised(), answer("snooze", for_ms=HOUR))
    story.at(2_000, raised(2_000, severity="critical"))
    assert [word for _, _, word in story.told] == ["Warning", "Critical"]
    story.at(3_000, answer("snooze", "c2", until_ms=MINUTE))
    story.at(4_000, answer("silence", "c3", until_ms=HOUR))
    story.at(2 * MINUTE, TickInput(2 * MINUTE))
    assert len(story.told) == 2
    story.at(HOUR, TickInput(HOUR))
    assert len(story.told) == 3


def test_what_is_acknowledged_can_not_be_snoozed() -> None:
    """Nothing more would come: the answer says so."""
    story = AlertStory(channel(), rule())
    story.at(1_000, raised(), answer("acknowledge"), answer("snooze", "c2", for_ms=MINUTE))
    assert story.events[-1].reason.startswith("it is acknowledged")
    assert story.alert().snoozed_until_ms == 0


def test_an_answer_counts_once_and_its_id_is_forgotten_in_time() -> None:
    """The same command id does nothing the second time, and does not stay for ever."""
    story = AlertStory()
    story.at(1_000, raised(), answer("acknowledge"), answer("acknowledge"))
    assert len(story.events) == 1
    before = len(story.state)
    story.at(1_000 + ANSWERS_KEPT_MS, TickInput(0))
    assert len(story.state) == before - 1
    story.at(ANSWERS_KEPT_MS + 2_000, ended(ANSWERS_KEPT_MS), answer("acknowledge", "c9"))
    assert story.events[-1].reason == "the alert is over"


def test_alerts_leave_the_state_some_time_after_they_ended() -> None:
    """Cleared ones after a week; acknowledged ones whose end never came after 35 days."""
    story = AlertStory()
    story.at(1_000, raised(), raised(alert_key="lost"), answer("acknowledge", alert_key="lost"))
    story.at(2_000, ended(2_000))
    story.at(2_000 + CLEARED_KEPT_MS - 1, TickInput(0))
    assert story.knows()
    story.at(2_000 + CLEARED_KEPT_MS, TickInput(0))
    assert not story.knows()
    story.at(1_000 + ACKNOWLEDGED_KEPT_MS, TickInput(0))
    assert not story.knows("lost")


def test_history_and_deliveries_of_an_alert_are_bounded() -> None:
    """However often it repeats, the record keeps the newest of both."""
    story = AlertStory(channel(), rule(repeat_ms=MINUTE))
    story.at(0, raised(0))
    for minute in range(1, 60):
        story.at(minute * MINUTE, TickInput(minute * MINUTE))
    alert = story.alert()
    assert len(story.deliveries) == 60
    assert len(alert.deliveries) == ALERT_DELIVERIES_KEPT_MAX
    assert len(alert.history) == ALERT_NOTES_KEPT_MAX
    assert f"delivery-{KEY}-60-shop" in alert.deliveries


def test_bytes_that_are_no_frame_change_nothing() -> None:
    """The engine writes the dead letter; the fold stays as it was."""
    story = AlertStory(channel(), rule())
    before = dict(story.state)
    with pytest.raises(FrameError):
        story._fold.fold(b"\x01garbage")
    story.drain()
    assert story.state == before
