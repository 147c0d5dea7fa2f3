"""`shelfstream order` and `shelfstream atp`: what they send and tell."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from deploy import newest, refolds
from deploy.commands import atp, explain, order
from deploy.order_rows import explained_order, promise_lines
from deploy.policy_origins import PolicyHistory
from ingest.contracts.order_commands import OrderCommand, OrderCommandLine
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import EVENTS, PLAN_STATE
from streams.availability import promised
from streams.contracts.events import EVENT_FRAMES, CommandAccepted
from streams.contracts.orders import OrderChanged, OrderLineChanged
from streams.engine.adapters.reader import TopicRecord
from tests.unit.deploy.policy_loads import policy_history
from tests.unit.streams.builders import SHOP, opening, policy
from tests.unit.streams.order_story import Orders

RUNNER = CliRunner()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[OrderCommand]:
    """Return the commands that were sent; each is accepted."""
    commands: list[OrderCommand] = []

    async def send(_: KafkaSettings, asked: OrderCommand, *, now_ms: int) -> CommandAccepted:
        commands.append(asked)
        return CommandAccepted(
            command_id=asked.command_id, actor=asked.actor, entity_id=asked.order_id, at_ms=now_ms
        )

    async def outcome(_: KafkaSettings, __: str) -> None:
        return None

    monkeypatch.setattr(order, "send_plan_command", send)
    monkeypatch.setattr(order, "outcome", outcome)
    return commands


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Orders:
    """Return a shop with one refused and one confirmed order, whose topics the command reads."""
    orders = Orders(policy(autonomy="observe"), opening(10))
    orders.place("o1", {"milk": 4}).place("o2", {"milk": 9})
    events = [value for topic, _, value in orders.plans.outputs if topic == EVENTS.name]
    events += [out.value for out in orders.stock.outputs if out.topic == EVENTS.name]
    kept: dict[str, list[tuple[bytes | None, bytes]]] = {
        PLAN_STATE.name: list(orders.plans.state.items()),
        EVENTS.name: [(None, value) for value in events],
    }

    async def read(
        _: KafkaSettings, topic: str, *, until_end: bool, from_offsets: object = None
    ) -> AsyncIterator[list[TopicRecord]]:
        assert until_end
        assert not from_offsets
        yield [TopicRecord(0, 0, raw, value, 0) for raw, value in kept[topic]]

    async def history(_: KafkaSettings) -> PolicyHistory:
        return policy_history()

    async def ends(_: KafkaSettings, __: str) -> dict[int, int]:
        return {}

    for module in (refolds, newest):
        monkeypatch.setattr(module, "read_topic", read)
    monkeypatch.setattr(refolds, "end_offsets", ends)
    monkeypatch.setattr(explain, "read_history", history)
    monkeypatch.setenv("COLUMNS", "200")
    return orders


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        (
            ["place", "o1", "milk@s-1=4", "a@b@s-2=1", "--wait", "--partial", "--hours", "2"],
            {
                "lines": (
                    OrderCommandLine(sku="milk", site="s-1", quantity_units=4),
                    OrderCommandLine(sku="a@b", site="s-2", quantity_units=1),
                ),
                "back_order": True,
                "fulfilment": "partial",
                "ttl_ms": 7_200_000,
            },
        ),
        (
            ["place", "o1", "milk@s-1=4", "--need-by", "1970-01-01T00:00:01", "--priority", "3"],
            {"need_by_ms": 1_000, "priority": 3, "fulfilment": "whole", "back_order": False},
        ),
        (["fulfil", "o1"], {"verb": "fulfil", "order_id": "o1"}),
        (["accept", "o1"], {"verb": "accept", "order_id": "o1"}),
        (["cancel", "o1", "--reason", "changed her mind"], {"reason": "changed her mind"}),
    ],
)
def test_a_word_is_a_command(
    sent: list[OrderCommand], words: list[str], fields: dict[str, Any]
) -> None:
    """Each word sends one command with its options, signed by the actor."""
    result = RUNNER.invoke(order.app, [*words, "--actor", "ann"])
    assert result.exit_code == 0, result.output
    [asked] = sent
    assert asked.actor == "ann"
    assert {name: getattr(asked, name) for name in fields} == fields


@pytest.mark.parametrize("line", ["milk", "milk@s-1", "milk=4", "milk@s-1=-4", "milk@s-1=0"])
def test_a_line_that_is_none_is_refused(sent: list[OrderCommand], line: str) -> None:
    """With one sentence, and nothing is sent."""
    result = RUNNER.invoke(order.app, ["place", "o1", line, "--actor", "ann"])
    assert (result.exit_code, sent) == (1, [])
    assert result.output


@pytest.mark.usefixtures("shop")
def test_an_order_that_is_placed_is_told_how_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accepted says only that the command was: a refused order ends with 1 and says why."""

    async def send(_: KafkaSettings, asked: OrderCommand, *, now_ms: int) -> CommandAccepted:
        return CommandAccepted(
            command_id=asked.command_id, actor=asked.actor, entity_id=asked.order_id, at_ms=now_ms
        )

    monkeypatch.setattr(order, "send_plan_command", send)
    held = RUNNER.invoke(order.app, ["place", "o1", "milk@shop-1=4", "--actor", "ann"])
    assert (held.exit_code, held.output.splitlines()[-1]) == (
        0,
        "o1 is confirmed, 4 of 4 units held",
    )
    short = RUNNER.invoke(order.app, ["place", "o2", "milk@shop-1=9", "--actor", "ann"])
    assert (short.exit_code, short.output.splitlines()[-1]) == (
        1,
        "o2 is refused, 0 of 9 units held: milk at shop-1: only 6 units are available",
    )
    monkeypatch.setattr(order, "OUTCOME_PAUSE_S", 0)
    late = RUNNER.invoke(order.app, ["place", "o9", "milk@shop-1=9", "--actor", "ann"])
    assert (late.exit_code, len(late.output.splitlines())) == (0, 1)


def test_what_is_refused_is_told_after_its_lines() -> None:
    """All of it happens within a millisecond, in two logs."""
    orders = Orders(policy(autonomy="observe"), opening(10)).place("o2", {"milk": 19})
    said = [
        one for one in orders.plans.said(EVENTS.name, EVENT_FRAMES) if isinstance(one, OrderChanged)
    ]
    told = explained_order([*said, *orders.stock.events(OrderLineChanged)])
    assert [line.split(" ")[1].rstrip(",") for line in told if line.startswith("1970")] == [
        "reserving",
        "line",
        "refused",
    ]


@pytest.mark.usefixtures("shop")
def test_orders_are_shown_and_explained() -> None:
    """By their state and lines, and by the numbers their fate was decided from."""
    assert "refused" in RUNNER.invoke(order.app, ["show"]).output
    assert "only 6 units are available" in RUNNER.invoke(order.app, ["show", "o2"]).output
    told = RUNNER.invoke(order.app, ["explain", "o2"]).output
    assert "line 1, milk at shop-1 refused, 0 of 9 units held: only 6 units" in told
    assert "free_units 6" in told
    unknown = RUNNER.invoke(order.app, ["explain", "o3"])
    assert unknown.exit_code == 1


def test_an_explanation_is_in_the_order_of_time(shop: Orders) -> None:
    """Events come from two folds, whose logs are read one after the other."""
    said = shop.plans.said(EVENTS.name, EVENT_FRAMES)
    events = [one for one in said if isinstance(one, OrderChanged)]
    lines = shop.stock.events(OrderLineChanged)
    told = explained_order([*lines, *events])
    times = [line.split(" ")[0] for line in told if not line.startswith(" ")]
    assert times == sorted(times)


def test_a_promise_is_told_with_its_numbers(shop: Orders, monkeypatch: pytest.MonkeyPatch) -> None:
    """For people in sentences, for machines as JSON; an unknown article is refused."""
    found = promised(shop.stock.state, "milk", SHOP)
    assert found is not None
    first = promise_lines(found, "milk", SHOP, "")[0]
    assert first == "milk at shop-1: 6 units can be promised now"

    async def look(_: KafkaSettings, sku: str, site: str, *, by_ms: int) -> Any:
        return promised(shop.stock.state, sku, site, by_ms=by_ms)

    monkeypatch.setattr(atp, "_promised", look)
    app = typer.Typer()
    app.command()(atp.atp)
    assert '"promise_units":6' in RUNNER.invoke(app, ["milk", SHOP, "--json"]).output
    assert RUNNER.invoke(app, ["nothing", SHOP]).exit_code == 1
