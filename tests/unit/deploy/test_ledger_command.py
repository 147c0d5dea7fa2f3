"""`shelfstream ledger`: what it prints of committed records, and its exit codes."""

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.commands import ledger
from deploy.commands.ledger import BROKEN_CODE, FOR_EVER_MS, period_of
from deploy.ledger_rows import print_table
from deploy.utc import moment_ms
from ingest.contracts.durations import HOUR_MS
from ingest.contracts.errors import SettingsError
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import MOVEMENTS, STOCK
from streams.engine.adapters.reader import TopicRecord
from tests.unit.streams.builders import DONOR, SHOP, SKU, T0, Story, ordered_story, scan

RUNNER = CliRunner()
SOLD_AT = datetime.fromtimestamp((T0 + HOUR_MS) / 1_000, UTC).isoformat()


class _Topics:
    """The committed records of a story, read as from Kafka."""

    def __init__(self) -> None:
        self.records: dict[str, list[TopicRecord]] = {}

    def keep(self, story: Story, *, lost: int = 0) -> None:
        """Take a story's table, and its ledger without the first frames."""
        movements = [one for one in story.outputs if one.topic == MOVEMENTS.name][lost:]
        self.records = {
            STOCK.name: [
                TopicRecord(0, number, raw, value, 0)
                for number, (raw, value) in enumerate(story.state.items())
            ],
            MOVEMENTS.name: [
                TopicRecord(0, number, None, output.value, 0)
                for number, output in enumerate(movements)
            ],
        }

    async def read(
        self, _: KafkaSettings, topic: str, *, until_end: bool
    ) -> AsyncIterator[list[TopicRecord]]:
        """Yield a topic's records in one batch."""
        assert until_end
        yield self.records[topic]


@pytest.fixture
def story() -> Story:
    """Return a story of two sites: 4 of 10 units on their way, 3 sold an hour later."""
    story, transfer_id = ordered_story(10)
    story.tell(scan("dispatch", 4, seq=1, site=DONOR, transfer_id=transfer_id))
    return story.tell(scan("sale", 3, seq=2), after_ms=HOUR_MS)


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch, story: Story) -> _Topics:
    """Return the story's topics, which the command reads."""
    found = _Topics()
    found.keep(story)
    monkeypatch.setattr(ledger, "read_topic", found.read)
    return found


def _csv(*words: str) -> list[dict[str, str]]:
    result = RUNNER.invoke(ledger.app, [*words, "--format", "csv"])
    assert result.exit_code == 0, result.output
    return list(csv.DictReader(io.StringIO(result.output)))


@pytest.mark.usefixtures("topics")
def test_a_whole_ledger_reconciles() -> None:
    """Each key has its line, the sites and the network theirs, and the exit code is 0."""
    rows = {(row["site"], row["sku"], row["place"]): row for row in _csv("reconcile")}
    shop, network = rows[SHOP, SKU, "on_hand"], rows["", "", "on_hand"]
    assert (shop["in_units"], shop["out_units"], shop["closing_units"]) == ("20", "3", "17")
    assert (network["closing_units"], network["closing_minor"]) == ("63", "6300")
    assert rows[SHOP, SKU, "in_transit"]["closing_minor"] == "400"
    assert {row["holds"] for row in rows.values()} == {"1"}


@pytest.mark.usefixtures("topics")
def test_a_period_begins_with_what_was_there() -> None:
    """Earlier movements are its opening, later ones no part of it."""
    later = {(row["site"], row["place"]): row for row in _csv("reconcile", "--from", SOLD_AT)}
    shop = later[SHOP, "on_hand"]
    assert (shop["opening_units"], shop["in_units"], shop["out_units"]) == ("20", "0", "3")
    earlier = {(row["site"], row["place"]): row for row in _csv("reconcile", "--to", SOLD_AT)}
    assert earlier[SHOP, "on_hand"]["closing_units"] == "20"


def test_a_ledger_that_lacks_a_movement_does_not_reconcile(topics: _Topics, story: Story) -> None:
    """The line that does not hold is shown, and the exit code is 1."""
    topics.keep(story, lost=1)
    result = RUNNER.invoke(ledger.app, ["reconcile"], env={"COLUMNS": "300"})
    assert result.exit_code == BROKEN_CODE
    assert "not all hold" in result.output
    assert SKU in result.output


@pytest.mark.usefixtures("topics")
def test_a_valuation_says_what_stock_is_worth() -> None:
    """On hand and on its way, each key and the sums, at moving-average cost."""
    rows = {(row["site"], row["sku"], row["place"]): row for row in _csv("valuation")}
    assert rows[DONOR, SKU, "on_hand"] == {
        "site": DONOR,
        "sku": SKU,
        "place": "on_hand",
        "units": "46",
        "value_minor": "4600",
        "unit_cost_minor": "100",
    }
    assert rows["", "", "in_transit"]["value_minor"] == "400"


@pytest.mark.usefixtures("topics")
def test_a_valuation_of_an_earlier_time_leaves_out_what_came_later() -> None:
    """Before the sale three units more were there."""
    rows = {(row["site"], row["place"]): row for row in _csv("valuation", "--at", SOLD_AT)}
    assert rows[SHOP, "on_hand"]["units"] == "20"


@pytest.mark.usefixtures("topics")
def test_both_formats_export_the_same_entries(tmp_path: Path) -> None:
    """CSV and JSON lines tell the same; the company's accounts are used."""
    accounts = tmp_path / "accounts.toml"
    accounts.write_text('on_hand = "1400"\n')
    named = ["export", "--accounts", str(accounts)]
    result = RUNNER.invoke(ledger.app, [*named, "--format", "json"])
    told = [json.loads(line) for line in result.output.splitlines()]
    assert [{name: str(value) for name, value in row.items()} for row in told] == _csv(*named)
    assert told[-1]["credit_account"] == "1400"
    assert sum(row["amount_minor"] for row in told if row["kind"] == "sale") == 300


@pytest.mark.usefixtures("topics")
def test_people_read_tables() -> None:
    """Without a format both views are tables with the network's sums."""
    for words in (["reconcile"], ["valuation"]):
        result = RUNNER.invoke(ledger.app, words, env={"COLUMNS": "300"})
        assert result.exit_code == 0
        assert "network" in result.output


@pytest.mark.usefixtures("topics")
def test_an_accounts_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """It is one sentence of the settings' error, before anything is read."""
    gone = tmp_path / "gone.toml"
    result = RUNNER.invoke(ledger.app, ["export", "--accounts", str(gone)])
    assert isinstance(result.exception, SettingsError)
    assert str(result.exception) == f"{gone} can't be read: No such file or directory"


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("1970-01-02", 86_400_000),
        ("1970-01-01T00:00:01.5", 1_500),
        ("1970-01-01T01:00:00+01:00", 0),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(text: str, at_ms: int) -> None:
    """A date is its midnight."""
    assert moment_ms(text) == at_ms


def test_wrong_periods_are_refused() -> None:
    """A period needs times, and an end after its begin; without any it is everything."""
    assert period_of("", "") == (0, FOR_EVER_MS)
    with pytest.raises(SettingsError, match="no date or time"):
        moment_ms("yesterday")
    with pytest.raises(SettingsError, match="begins only at"):
        period_of("2026-02-01", "2026-01-01")


def test_a_table_is_never_cut_to_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names and numbers stand in full, also where a terminal of 40 columns has to wrap them."""
    monkeypatch.setenv("COLUMNS", "40")
    row = {f"a_rather_long_name_{number}": 1_234_567 for number in range(6)}
    print_table("Rows", [row])
    told = capsys.readouterr().out
    assert all(name in told for name in row)
    assert told.count("1234567") == 6
    assert "…" not in told
    print_table("Rows", [])
    assert capsys.readouterr().out == "Rows: nothing\n"
