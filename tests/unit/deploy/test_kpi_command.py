"""`shelfstream kpi`: what it prints of committed records."""

import json
from collections.abc import AsyncIterator

import pytest
import typer
from typer.testing import CliRunner

from deploy.commands import kpi
from ingest.contracts.durations import HOUR_MS
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import EVENTS, STOCK
from streams.engine.adapters.reader import TopicRecord
from tests.unit.streams.builders import SHOP, SKU, Story, opening, policy, scan

APP = typer.Typer()
APP.command()(kpi.kpi)
RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def story(monkeypatch: pytest.MonkeyPatch) -> Story:
    """Return a day at a shop, whose topics the command reads."""
    story = Story().tell(policy(autonomy="observe")).tell(opening(10))
    story.tell(scan("sale", 5, seq=1), after_ms=24 * HOUR_MS)
    table = [TopicRecord(0, n, raw, value, 0) for n, (raw, value) in enumerate(story.state.items())]
    events = [
        TopicRecord(0, n, None, output.value, 0)
        for n, output in enumerate(story.outputs)
        if output.topic == EVENTS.name
    ]

    async def read(_: KafkaSettings, topic: str, *, until_end: bool) -> AsyncIterator[object]:
        assert until_end
        yield {STOCK.name: table, EVENTS.name: events}[topic]

    monkeypatch.setattr(kpi, "read_topic", read)
    return story


def test_rows_are_network_sites_and_levels() -> None:
    """Network and site always, the level where it is asked for; JSON has every figure."""
    result = RUNNER.invoke(APP, ["--json", "--levels"])
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.output.splitlines()]
    assert [(row["site"], row["sku"]) for row in rows] == [("", ""), (SHOP, ""), (SHOP, SKU)]
    assert {row["days_on_hand"] for row in rows} == {2.0}
    assert rows[0]["fill_rate"] is None
    assert len(RUNNER.invoke(APP, ["--json"]).output.splitlines()) == 2


def test_table_is_for_people() -> None:
    """Figures are lines, places are columns; what nobody knows is a dash."""
    output = RUNNER.invoke(APP, ["--sku", SKU], env={"COLUMNS": "200"}).output
    assert "days_on_hand" in output
    assert f"{SHOP} {SKU}" in output


def test_an_unknown_name_is_told() -> None:
    """Nothing to show is exit code 1, with a sentence."""
    unknown = RUNNER.invoke(APP, ["--sku", "nothing"])
    assert (unknown.exit_code, unknown.stderr) == (
        1,
        "no stock of that name was kept in these days\n",
    )


def test_before_any_stock_nobody_named_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new installation has none, of whatever name."""

    async def nothing(*_: object) -> dict[str, object]:
        return {}

    monkeypatch.setattr(kpi, "_totals", nothing)
    assert RUNNER.invoke(APP).stderr == "no stock was kept in these days\n"
