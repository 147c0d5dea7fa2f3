"""`shelfstream supplier`: the feed and the orders of committed records, and what words send."""

import json
from collections.abc import AsyncIterator

import pytest
from typer.testing import CliRunner

from deploy.commands import supplier
from deploy.commands.supplier import ORDER_WORDS
from deploy.explanations import explained
from deploy.terminal import REFUSED_CODE
from ingest.contracts.durations import DAY_MS
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.supply import SupplierRecord
from ingest.contracts.topics import PLAN_STATE, STOCK
from streams.contracts.events import CommandAccepted, PurchaseChanged
from streams.contracts.purchases import PurchaseCommand
from streams.engine.adapters.reader import TopicRecord
from tests.unit.streams.builders import SHOP, SKU, opening
from tests.unit.streams.supply_story import MILL, SupplyStory, supplied_story

RUNNER = CliRunner()
FIRST = f"purchase-{MILL}-1"


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> SupplyStory:
    """Return a story in which an order of 26 collects, read as from Kafka."""
    told = supplied_story(SupplierRecord(MILL, order_wait_ms=DAY_MS)).tell(opening(4))

    async def read(
        _: KafkaSettings, topic: str, *, until_end: bool
    ) -> AsyncIterator[list[TopicRecord]]:
        assert until_end
        states = {STOCK.name: told.stock.state, PLAN_STATE.name: told.planning.state}
        yield [
            TopicRecord(0, n, raw, value, 0) for n, (raw, value) in enumerate(states[topic].items())
        ]

    monkeypatch.setattr(supplier, "read_topic", read)
    return told


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[PurchaseCommand]:
    """Return the commands that were sent; each is accepted."""
    commands: list[PurchaseCommand] = []

    async def send(_: KafkaSettings, asked: PurchaseCommand, *, now_ms: int) -> CommandAccepted:
        commands.append(asked)
        return CommandAccepted(
            command_id=asked.command_id,
            actor=asked.actor,
            entity_id=asked.order_id,
            at_ms=now_ms,
            version=3,
        )

    monkeypatch.setattr(supplier, "send_plan_command", send)
    return commands


@pytest.mark.usefixtures("story")
def test_a_supplier_is_shown_stock_and_what_is_wanted() -> None:
    """A row a site of its own articles, as JSON or CSV; another supplier sees nothing of them."""
    result = RUNNER.invoke(supplier.app, ["feed", MILL, "--format", "json"])
    row = json.loads(result.output)
    assert (row["sku"], row["site"], row["on_hand_units"], row["position_units"]) == (
        SKU,
        SHOP,
        4,
        30,
    )
    assert (row["min_units"], row["max_units"], row["not_sent_units"]) == (10, 30, 26)
    assert (row["wanted_units"], row["suggested_units"]) == (0, 0)
    csv_lines = RUNNER.invoke(supplier.app, ["feed", MILL]).output.splitlines()
    assert csv_lines[0].startswith("supplier,sku,name,site,on_hand_units")
    nothing = RUNNER.invoke(supplier.app, ["feed", "dairy"])
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert nothing.stderr == "no site keeps an article of supplier dairy\n"


def test_orders_are_shown_a_row_a_line(story: SupplyStory) -> None:
    """Open ones; with `--all` ended ones too."""
    shown = RUNNER.invoke(supplier.app, ["orders", "--format", "json"])
    row = json.loads(shown.output)
    assert (row["order_id"], row["state"], row["quantity_units"]) == (FIRST, "collecting", 26)
    story.ask("cancel_purchase", FIRST)
    assert RUNNER.invoke(supplier.app, ["orders", "--format", "json"]).output == ""
    ended = RUNNER.invoke(supplier.app, ["orders", MILL, "--all", "--format", "json"])
    assert json.loads(ended.output)["state"] == "cancelled"
    assert "cance" in RUNNER.invoke(supplier.app, ["orders", "--all"]).output


@pytest.mark.parametrize(("word", "verb"), [(w, v) for w, (v, _) in ORDER_WORDS.items()])
def test_a_word_about_an_order_sends_its_verb(
    word: str, verb: str, sent: list[PurchaseCommand]
) -> None:
    """Id, actor, reason and expected version travel with it."""
    options = ["--actor", "ann", "--reason", "too late", "--expected-version", "2"]
    result = RUNNER.invoke(supplier.app, [word, FIRST, *options])
    assert (result.exit_code, result.output) == (0, f"accepted: {FIRST}, version 3\n")
    [asked] = sent
    assert (asked.verb, asked.order_id, asked.actor) == (verb, FIRST, "ann")
    assert (asked.reason, asked.expected_version) == ("too late", 2)


@pytest.mark.parametrize("word", ["edit", "receive"])
def test_a_line_is_edited_or_received(word: str, sent: list[PurchaseCommand]) -> None:
    """By its request, with units."""
    result = RUNNER.invoke(supplier.app, [word, FIRST, "need-milk-3", "9", "--actor", "ann"])
    assert result.exit_code == 0
    [asked] = sent
    assert (asked.verb, asked.need_id, asked.quantity_units) == (
        f"{word}_purchase",
        "need-milk-3",
        9,
    )


def test_what_is_no_order_is_refused_here(sent: list[PurchaseCommand]) -> None:
    """Nothing is sent."""
    result = RUNNER.invoke(supplier.app, ["approve", "transfer-milk-1", "--actor", "ann"])
    assert (result.exit_code, sent) == (REFUSED_CODE, [])


def test_an_order_is_explained_by_its_own_numbers() -> None:
    """State by state, with the minimums and limits it met."""
    story = supplied_story().tell(opening(4))
    text = "\n".join(explained(story.events(PurchaseChanged)))
    assert f"{FIRST}: of {MILL}, 1 line\n" in text
    assert "ordered, by" in text
    assert "value_minor 2600" in text
