"""`shelfstream alert`: what each word shows and sends."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from typer.testing import CliRunner

from deploy import newest
from deploy.commands import alert
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import ALERTS
from streams.contracts.alerts import AlertAnswer
from streams.contracts.events import CommandAccepted, CommandRefused
from streams.contracts.state import CLOCK, key
from streams.engine.adapters.reader import TopicRecord
from tests.unit.alerting.story import KEY, SITE, AlertStory, answer, channel, ended, raised, rule

RUNNER = CliRunner()
GRAVE = "breach-rice-2"
OVER = "breach-salt-3"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[AlertAnswer]:
    """Return the answers that were sent; those about the grave alert are refused."""
    answers: list[AlertAnswer] = []

    async def send(
        _: KafkaSettings, asked: AlertAnswer, *, now_ms: int
    ) -> CommandAccepted | CommandRefused | None:
        answers.append(asked)
        if asked.alert_key == GRAVE:
            return CommandRefused(
                command_id=asked.command_id,
                actor=asked.actor,
                entity_id=GRAVE,
                at_ms=now_ms,
                reason="the alert is over",
                current_state="cleared",
            )
        if asked.verb == "unsilence":
            return None
        return CommandAccepted(
            command_id=asked.command_id, actor=asked.actor, entity_id=KEY, at_ms=now_ms
        )

    monkeypatch.setattr(alert, "send_alert_answer", send)
    return answers


@pytest.fixture(autouse=True)
def topic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `alerts` hold what a story of three alerts left there."""
    story = AlertStory(channel(), rule())
    story.at(1_000, raised(), answer("snooze", for_ms=60_000, reason="on my way"))
    story.at(2_000, raised(2_000, alert_key=GRAVE, severity="critical", site="bonn"))
    story.at(3_000, raised(3_000, alert_key=OVER))
    story.at(4_000, ended(4_000, OVER))
    assert key(CLOCK) in story.state  # other records are passed over

    async def read(
        _: KafkaSettings, name: str, *, until_end: bool
    ) -> AsyncIterator[list[TopicRecord]]:
        assert (name, until_end) == (ALERTS.name, True)
        yield [TopicRecord(0, 0, raw, value, 0) for raw, value in story.state.items()]

    monkeypatch.setattr(newest, "read_topic", read)
    monkeypatch.setenv("COLUMNS", "200")


def lines_of(*words: str) -> list[str]:
    """Return what a command prints, line by line."""
    result = RUNNER.invoke(alert.app, list(words))
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_the_list_has_the_gravest_first_and_what_is_over_on_request() -> None:
    """Open ones by severity; a site alone; all with `--all`."""
    shown = [line for line in lines_of("list") if "breach-" in line]
    assert [GRAVE in shown[0], KEY in shown[1], len(shown)] == [True, True, 2]
    assert "snoozed until 1970-01-01T00:01:01.000Z" in shown[1]
    assert [GRAVE in line for line in lines_of("list", "--site", "bonn")].count(True) == 1
    assert not any(KEY in line for line in lines_of("list", "--site", "bonn"))
    assert any(OVER in line for line in lines_of("list", "--all"))


def test_one_alert_is_shown_with_its_message_history_and_deliveries() -> None:
    """Who answered, why, and what became of the messages."""
    told = "\n".join(lines_of("show", KEY))
    assert "Warning: Low stock: milk at berlin" in told
    assert "available 3, threshold 5" in told
    assert "snoozed  anna: on my way" in told
    assert f"delivery-{KEY}-1-shop: sent" in told


@pytest.mark.parametrize(
    ("words", "verb", "for_ms"),
    [
        (["acknowledge", KEY], "acknowledge", 0),
        (["silence", KEY, "--minutes", "2"], "silence", 120_000),
        (["snooze", KEY, "--minutes", "30"], "snooze", 1_800_000),
    ],
)
def test_each_word_is_one_answer(
    sent: list[AlertAnswer], words: list[str], verb: str, for_ms: int
) -> None:
    """It names who, why, and the site whose partition has the alert."""
    result = RUNNER.invoke(alert.app, [*words, "--actor", "ann", "--reason", "seen"])
    assert (result.exit_code, result.stdout[:9]) == (0, "accepted:")
    (one,) = sent
    found = (one.verb, one.alert_key, one.site, one.actor, one.reason, one.for_ms)
    assert found == (verb, KEY, SITE, "ann", "seen", for_ms)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=AlertAnswer) == one


def test_a_refusal_no_answer_and_an_unknown_alert_have_codes_of_their_own(
    sent: list[AlertAnswer],
) -> None:
    """1 with the reason, 3 for pending, and nothing is sent about what nobody knows."""
    refused = RUNNER.invoke(alert.app, ["acknowledge", GRAVE])
    assert (refused.exit_code, "the alert is over" in refused.stderr) == (1, True)
    assert RUNNER.invoke(alert.app, ["unsilence", KEY]).exit_code == 3
    unknown = RUNNER.invoke(alert.app, ["acknowledge", "breach-x-1"])
    assert (unknown.exit_code, "there is no alert breach-x-1" in unknown.stderr) == (1, True)
    long = RUNNER.invoke(alert.app, ["acknowledge", KEY, "--reason", "x" * 1_001])
    assert (long.exit_code, "1000 characters" in long.stderr) == (1, True)
    assert [one.verb for one in sent] == ["acknowledge", "unsilence"]
