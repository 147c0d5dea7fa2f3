"""The alert fold: borders, drains and restores don't matter; nobody is told too much."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from alerting.rules import REPEAT_MS_MIN, rank
from ingest.contracts.topics import DELIVERIES, EVENTS
from ingest.frames import TickInput
from streams.contracts.alerts import (
    ALERT_DELIVERIES_KEPT_MAX,
    DELIVERY_FRAMES,
    DeliveryResult,
)
from streams.contracts.events import EVENT_FRAMES
from tests.folds import run_cut, run_whole
from tests.unit.alerting.story import AlertStory, answer, channel, ended, raised, result, rule

KEYS = ("breach-milk-1", "breach-rice-2")
TIMES = st.integers(0, 400_000)
SEVERITY = st.sampled_from(["info", "warning", "critical"])

RULES = st.builds(
    lambda name, to, repeat_ms, least, clear, version: rule(
        name,
        channels=to,
        repeat_ms=repeat_ms,
        severity_min=least,
        clear_notice=clear,
        version=version,
    ),
    st.sampled_from(["r1", "r2"]),
    st.lists(st.sampled_from(["shop", "boss", "gone"]), min_size=1, max_size=2),
    st.sampled_from([0, 1, 20_000, 30_000]),
    SEVERITY,
    st.booleans(),
    st.integers(1, 3),
)
ITEMS = st.one_of(
    st.builds(
        lambda key, at_ms, severity: raised(at_ms, alert_key=key, severity=severity),
        st.sampled_from(KEYS),
        TIMES,
        SEVERITY,
    ),
    st.builds(ended, TIMES, st.sampled_from(KEYS)),
    st.builds(
        lambda verb, command_id, key, until_ms: answer(
            verb, command_id, alert_key=key, until_ms=until_ms
        ),
        st.sampled_from(["acknowledge", "silence", "unsilence", "snooze"]),
        st.sampled_from(["c1", "c2", "c3", "c4", "c5"]),
        st.sampled_from(KEYS),
        TIMES,
    ),
    st.builds(TickInput, TIMES),
    st.builds(
        lambda key, number, error: DeliveryResult(
            delivery_id=f"delivery-{key}-{number}-shop",
            alert_key=key,
            site="berlin",
            channel="shop",
            delivered=not error,
            attempts=1,
            at_ms=5,
            error=error,
        ),
        st.sampled_from(KEYS),
        st.integers(1, 4),
        st.sampled_from(["", "refused"]),
    ),
    RULES,
    st.builds(
        lambda name, enabled, version: channel(name, enabled=enabled, version=version),
        st.sampled_from(["shop", "boss"]),
        st.booleans(),
        st.integers(1, 3),
    ),
)
FRAMES = st.lists(st.tuples(TIMES, st.lists(ITEMS, min_size=1, max_size=5)), max_size=12)
CUTS = st.lists(st.sampled_from(["nothing", "drain", "restore"]), max_size=60)


def _started() -> AlertStory:
    return AlertStory(channel("shop"), channel("boss"), rule("r1", repeat_ms=20_000))


@given(FRAMES, CUTS)
def test_state_and_outputs_depend_on_the_items_alone(frames: Any, cuts: list[str]) -> None:
    """Wherever frames end, drains fall and the fold is restored: the same state, words and ids."""
    whole, cut = _started(), _started()
    run_whole(whole, frames)
    run_cut(cut, frames, cuts)
    assert cut.state == whole.state
    for topic, codec in ((DELIVERIES.name, DELIVERY_FRAMES), (EVENTS.name, EVENT_FRAMES)):
        assert cut.said_when(topic, codec) == whole.said_when(topic, codec)


@given(FRAMES)
def test_no_delivery_id_is_used_twice_and_records_are_bounded(frames: Any) -> None:
    """One record an alert, ids unique for its whole life, deliveries within their limit."""
    story = _started()
    run_whole(story, frames)
    ids = Counter(delivery.delivery_id for delivery in story.deliveries)
    assert all(count == 1 for count in ids.values())
    for key in KEYS:
        if story.knows(key):
            assert len(story.alert(key).deliveries) <= ALERT_DELIVERIES_KEPT_MAX


@given(FRAMES)
def test_after_an_acknowledge_only_the_end_is_told(frames: Any) -> None:
    """No alarm is sent while the alert is acknowledged, whatever comes in."""
    story = _started()
    for received_at_ms, items in frames:
        for item in items:
            acknowledged = {k for k in KEYS if story.knows(k) and _acknowledged(story, k)}
            before = len(story.deliveries)
            story.at(received_at_ms, item)
            for delivery in story.deliveries[before:]:
                assert delivery.alert_key not in acknowledged or delivery.title.startswith("Over")


@given(FRAMES, st.integers(20_001, 400_000))
def test_in_a_snooze_only_graver_news_and_the_end_are_told(frames: Any, until_ms: int) -> None:
    """No repeat comes before its end, wherever silences and answers fall."""
    story = _started()
    story.at(0, raised(0), answer("snooze", "c0", until_ms=until_ms))
    for received_at_ms, items in frames:
        for item in items:
            known = {k: story.alert(k) for k in KEYS if story.knows(k)}
            before = len(story.deliveries)
            story.at(received_at_ms, item)
            for told in story.deliveries[before:]:
                alert = known.get(told.alert_key)
                if alert is None or alert.state != "open":
                    continue  # what begins anew was not put off
                if told.at_ms < alert.snoozed_until_ms:
                    news = rank(told.severity) > alert.severity_told
                    assert news or told.title.startswith("Over")


def _acknowledged(story: AlertStory, key: str) -> bool:
    return story.alert(key).state == "acknowledged"


@given(st.lists(st.integers(1, 100_000), max_size=40), st.sampled_from([1, 20_000, 30_000]))
def test_repeats_are_bounded_by_the_interval(steps_ms: list[int], repeat_ms: int) -> None:
    """In a time t an alert is told at most 1 + t / interval times, however ticks fall."""
    story = AlertStory(channel(), rule(repeat_ms=repeat_ms))
    story.at(0, raised(0))
    now_ms = 0
    for step_ms in steps_ms:
        now_ms += step_ms
        story.at(now_ms, TickInput(now_ms))
    assert len(story.deliveries) <= 1 + now_ms // max(repeat_ms, REPEAT_MS_MIN)


@given(st.permutations([raised(1_000), ended(2_000), raised(1_000), ended(2_000)]))
def test_repeated_words_in_any_order_make_at_most_one_alarm(items: list[Any]) -> None:
    """Words that come twice, in any order, tell the beginning and the end at most once each."""
    story = AlertStory(channel(), rule())
    story.at(3_000, *items)
    words = Counter(word for _, _, word in story.told)
    assert words["Warning"] == 1
    assert words["Over"] <= 1


@given(st.lists(st.booleans(), max_size=10))
def test_delivered_stays_delivered(outcomes: list[bool]) -> None:
    """A message sent twice may fail the second time; the alert still says delivered."""
    story = AlertStory(channel(), rule())
    story.at(1_000, raised())
    sent = story.deliveries[0]
    for outcome in outcomes:
        story.at(2_000, result(sent, at_ms=2_000, error="" if outcome else "refused"))
    expected = "delivered" if any(outcomes) else "failed" if outcomes else "sent"
    assert story.alert().deliveries[sent.delivery_id] == expected
