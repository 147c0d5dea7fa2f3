"""`shelfstream lots`: what it shows of the committed table."""

import json
from collections.abc import AsyncIterator

import pytest
from typer.testing import CliRunner

from deploy.cli import make_app
from deploy.commands import lots
from deploy.explanations import explained, named_events
from ingest.contracts.durations import DAY_MS
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import STOCK
from streams.contracts.events import BreachOpened
from streams.contracts.lots import LotHeld
from streams.engine.adapters.reader import TopicRecord
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    SKU,
    T0,
    Story,
    command,
    opening,
    policy,
    scan,
)

RUNNER = CliRunner()


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> Story:
    """Return a story whose table the command reads, with older records before the newest."""
    story = Story().tell(policy(lot_tracking="lots"), opening(5))
    story.tell(scan("receive", 6, seq=1, lot="A", expires_at_ms=3 * DAY_MS))
    older = dict(story.state)
    story.tell(scan("dispatch", 2, seq=2, counterpart_site=DONOR, lot="A"))
    story.tell(command("recall_lot", lot="A", reason="glass"))

    async def read(_: KafkaSettings, topic: str, *, until_end: bool) -> AsyncIterator[object]:
        assert (topic, until_end) == (STOCK.name, True)
        for state in (older, story.state):
            yield [TopicRecord(0, n, raw, value, 0) for n, (raw, value) in enumerate(state.items())]

    monkeypatch.setattr(lots, "read_topic", read)
    return story


def _rows(*words: str) -> list[dict[str, object]]:
    result = RUNNER.invoke(make_app(["lots"]), ["lots", *words, "--format", "json"])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.output.splitlines()]


@pytest.mark.usefixtures("story")
def test_lots_are_shown_with_the_rest_and_what_is_carried() -> None:
    """Each lot with its last day and its state, the unknown rest, and what is on its way."""
    known, rest, carried = _rows(SKU)
    assert known == {
        "place": SHOP,
        "lot": "A",
        "expires": "1970-01-03",
        "units": 4,
        "quarantined_units": 4,
        "state": "recalled",
    }
    assert (rest["lot"], rest["units"]) == ("(unknown)", 5)
    assert (carried["place"], carried["units"]) == (f"transfer-{SKU}-5", 2)
    assert [row["lot"] for row in _rows(SKU, SHOP)] == ["A", "(unknown)"]


@pytest.mark.usefixtures("story")
def test_an_unknown_article_is_said_so() -> None:
    """Exit code 1 and a sentence."""
    result = RUNNER.invoke(make_app(["lots"]), ["lots", "tea", SHOP])
    assert (result.exit_code, result.output) == (1, f"there is no stock of tea at {SHOP}\n")


@pytest.mark.usefixtures("story")
def test_people_get_a_table() -> None:
    """With a title and the same rows."""
    result = RUNNER.invoke(make_app(["lots"]), ["lots", SKU])
    assert result.exit_code == 0
    assert f"Lots of {SKU}" in result.output
    assert result.output.count("(unknown)") == 1


def test_a_hold_is_explained(story: Story) -> None:
    """Who held what back, by which command, and what may belong to it unseen."""
    events = story.events(LotHeld)
    lines = explained(named_events(events, events[0].hold_id))
    assert lines[0] == f"{events[0].hold_id}: 4 of {SKU} at {SHOP} held back (lot A)"
    assert lines[1].endswith("recall, command c1, by ann, catalogue load 1: glass")
    assert lines[2].startswith("4 of it are quarantined now; 5 on hand")


def test_near_expiry_is_explained(story: Story) -> None:
    """With the numbers it was opened from."""
    story.tell(scan("receive", 3, seq=3, lot="C", expires_at_ms=T0))
    opened = [event for event in story.events(BreachOpened) if event.kind == "near_expiry"]
    lines = explained(opened)
    assert lines[0].endswith(f"near_expiry of {SKU} at {SHOP}")
    assert "0 units within 0 ms of their expiry, 3 past it" in lines[1]
