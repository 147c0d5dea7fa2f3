"""`shelfstream count`: what each word sends and shows."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from typer.testing import CliRunner

from deploy import newest
from deploy.commands import count
from deploy.count_rows import worth_rows
from deploy.explanations import explained, named_events
from ingest.contracts.count_commands import CountCommand
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import PLAN_STATE, STOCK
from streams.contracts.counts import (
    COUNT_SESSION,
    CountLineChanged,
    CountSession,
    CountSessionChanged,
    SessionLine,
)
from streams.contracts.events import CommandAccepted
from streams.contracts.state import key
from streams.count_list import CountList
from streams.engine.adapters.reader import TopicRecord
from tests.unit.streams.builders import SHOP, Story, opening, reading

RUNNER = CliRunner()
SESSION = f"count-{SHOP}-3"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[CountCommand]:
    """Return the commands that were sent; each is accepted."""
    commands: list[CountCommand] = []

    async def send(_: KafkaSettings, asked: CountCommand, *, now_ms: int) -> CommandAccepted:
        commands.append(asked)
        entity_id = asked.session_id or SESSION
        return CommandAccepted(
            command_id=asked.command_id, actor=asked.actor, entity_id=entity_id, at_ms=now_ms
        )

    monkeypatch.setattr(count, "send_plan_command", send)
    return commands


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the live table hold two levels, and the plans one blind session."""
    story = Story().tell(opening(9, sku="gap"), opening(9, sku="same"))
    story.tell(reading(1, at_ms=1, sku="gap"), reading(9, at_ms=1, sku="same", source="s2"))
    lines = {
        "milk": SessionLine(state="waiting", expected_units=77, counted_units=70, counted_by="ann"),
        "tea": SessionLine(state="open"),
        "salt": SessionLine(state="prefilled", sensed_units=6),
    }
    session = CountSession(
        session_id=SESSION,
        site=SHOP,
        state="open",
        opened_by="ann",
        opened_at_ms=1,
        expires_at_ms=2,
        blind=True,
        lines=lines,
    )
    plans = {key(COUNT_SESSION, SESSION): msgspec.msgpack.encode(session)}
    kept = {STOCK.name: story.state, PLAN_STATE.name: plans}

    async def read(
        _: KafkaSettings, topic: str, *, until_end: bool
    ) -> AsyncIterator[list[TopicRecord]]:
        assert until_end
        yield [TopicRecord(0, 0, raw, value, 0) for raw, value in kept[topic].items()]

    for module in (count, newest):
        monkeypatch.setattr(module, "read_topic", read)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        (
            ["open", "--site", SHOP, "milk", "tea", "--blind", "--hours", "2"],
            {"verb": "open", "skus": ("milk", "tea"), "blind": True, "ttl_ms": 7_200_000},
        ),
        (["enter", SESSION, "milk", "7"], {"verb": "enter", "quantity_units": 7}),
        (
            ["enter", SESSION, "milk", "7", "--at", "1970-01-01T00:00:01"],
            {"counted_at_ms": 1_000, "session_id": SESSION, "site": SHOP},
        ),
        (["zero", SESSION, "milk"], {"verb": "enter", "quantity_units": 0, "skus": ("milk",)}),
        (["approve", SESSION, "milk", "--reason", "seen"], {"verb": "approve", "reason": "seen"}),
        (["recount", SESSION, "milk"], {"verb": "recount"}),
        (["close", SESSION], {"verb": "close", "skus": ()}),
        (["cancel", SESSION], {"verb": "cancel"}),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_each_word_sends_its_command(
    words: list[str], fields: dict[str, object], sent: list[CountCommand]
) -> None:
    """The site is read out of the session's id."""
    result = RUNNER.invoke(count.app, [*words, "--actor", "ann"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"accepted: {SESSION}")
    [asked] = sent
    assert {name: getattr(asked, name) for name in fields} == fields


@pytest.mark.usefixtures("topics")
def test_the_list_shows_the_gap_first() -> None:
    """What pays most is on top."""
    result = RUNNER.invoke(count.app, ["list", "--site", SHOP])
    assert result.output.index("gap") < result.output.index("same")
    assert "worth_minor" in result.output


def test_what_no_sensor_sees_is_unknown() -> None:
    """It is no number of units, and an empty shelf is one."""
    table = CountList()
    story = Story().tell(opening(9, sku="unseen"), opening(9, sku="empty"))
    story.tell(reading(0, at_ms=1, sku="empty"))
    for raw, value in story.state.items():
        table.take(raw, value)
    shown = {row["sku"]: row["shelf_units"] for row in worth_rows(table.ranked(SHOP))}
    assert shown == {"unseen": "unknown", "empty": 0}


@pytest.mark.usefixtures("topics")
def test_a_session_may_be_opened_for_the_top_of_the_list(sent: list[CountCommand]) -> None:
    """What was named comes first and is not named twice."""
    options = ["--site", SHOP, "--top", "1", "--actor", "ann"]
    assert RUNNER.invoke(count.app, ["open", "gap", *options]).exit_code == 0
    assert sent[0].skus == ("gap", "same")


@pytest.mark.usefixtures("topics")
def test_a_prefilled_line_is_confirmed_by_one_word(sent: list[CountCommand]) -> None:
    """What sensors see is entered; a line that nobody prefilled has to be counted."""
    assert RUNNER.invoke(count.app, ["confirm", SESSION, "salt", "--actor", "ann"]).exit_code == 0
    [asked] = sent
    assert (asked.verb, asked.skus, asked.quantity_units) == ("enter", ("salt",), 6)
    result = RUNNER.invoke(count.app, ["confirm", SESSION, "tea"])
    assert (result.exit_code, "is not prefilled" in result.output) == (1, True)


@pytest.mark.usefixtures("topics")
def test_a_blind_count_shows_what_is_expected_only_for_a_review() -> None:
    """The counter sees what was counted, not what it is compared with."""
    assert "77" not in RUNNER.invoke(count.app, ["show", SESSION]).output
    assert "77" in RUNNER.invoke(count.app, ["show", SESSION, "--review"]).output
    assert "1 open, 1 prefilled, 1 waiting" in RUNNER.invoke(count.app, ["show"]).output
    assert "nothing" in RUNNER.invoke(count.app, ["show", "--site", "nowhere"]).output


@pytest.mark.usefixtures("topics")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["show", "count-x-9"], "there is no count count-x-9"),
        (["close", "sessions"], "'sessions' is no count such as count-SITE-3"),
        (["close", "transfer-x-9"], "transfer-x-9 is no session of x"),
        (["open", "--site", SHOP], "a count needs articles"),
        (["open", "--site", SHOP, "milk", "milk"], "an article is named twice"),
    ],
)
def test_what_makes_no_sense_is_not_sent(
    words: list[str], sentence: str, sent: list[CountCommand]
) -> None:
    """One sentence, exit code 1."""
    result = RUNNER.invoke(count.app, words)
    assert (result.exit_code, result.output.strip()) == (1, sentence)
    assert sent == []


def test_a_session_is_explained_by_its_lines() -> None:
    """Each line tells the numbers it was decided from."""
    changed = CountLineChanged(
        session_id=SESSION,
        sku="milk",
        site=SHOP,
        state="waiting",
        at_ms=1_000,
        actor="ann",
        decided_from={"expected_units": 9, "counted_units": 4, "tolerance_units": 2},
    )
    ended = CountSessionChanged(
        session_id=SESSION, site=SHOP, state="expired", at_ms=2_000, actor="", lines={"missed": 1}
    )
    lines = explained(named_events([changed, ended], SESSION))
    assert lines[0].endswith("milk waiting, by ann")
    assert "expected_units 9" in lines[1]
    assert lines[2].endswith("expired, by time: 1 missed")
