"""Both folds with the log between them, as the engine would carry it, for stories of orders."""

from typing import Any

import msgspec

from ingest.contracts.durations import HOUR_MS
from ingest.contracts.order_lines import OrderLineInput
from ingest.contracts.topics import ALERT_INPUTS, EVENTS, INPUTS
from ingest.frames import INPUT_FRAMES, InputItem
from streams.contracts.alerts import ALERT_INPUT_FRAMES
from streams.contracts.events import EVENT_FRAMES, CommandRefused
from streams.contracts.orders import (
    ORDER,
    CustomerOrder,
    LineAsked,
    OrderAsked,
    OrderLineAnswered,
)
from streams.contracts.plans import PLAN_FRAMES
from streams.contracts.state import key
from streams.planning import planning_spec
from tests.folds import FoldRun
from tests.unit.streams.builders import SHOP, Story


class Orders:
    """A shop that takes orders."""

    def __init__(self, *first: InputItem) -> None:
        """Begin with these inputs."""
        self.stock = Story().tell(*first)
        self.plans = FoldRun(planning_spec(), PLAN_FRAMES)
        self._commands = 0
        self._inputs = self._answers = 0

    def place(self, order_id: str, lines: dict[str, int], **fields: Any) -> "Orders":
        """Place an order of units by SKU at the shop, and let both folds come to rest."""
        given = {"ttl_ms": HOUR_MS, **fields}
        return self.ask("place", order_id, lines=self.lines(lines), **given)

    def lines(self, units_of: dict[str, int]) -> list[LineAsked]:
        """Return lines of units by SKU at the shop."""
        return [LineAsked(sku, SHOP, units) for sku, units in units_of.items()]

    def ask(self, verb: Any, order_id: str, **fields: Any) -> "Orders":
        """Send a command, and let both folds come to rest."""
        self.send(verb, order_id, **fields)
        return self.settle()

    def send(self, verb: Any, order_id: str, **fields: Any) -> None:
        """Send a command to the planning fold alone."""
        self._commands += 1
        name = f"c{self._commands}"
        asked = OrderAsked(command_id=name, verb=verb, order_id=order_id, actor="ann", **fields)
        self.plans.at(self.stock.now_ms, asked)

    def wait(self, after_ms: int) -> "Orders":
        """Let time pass in both folds."""
        self.stock.wait(after_ms)
        self.plans.at(self.stock.now_ms)
        return self.settle()

    def tell(self, *items: InputItem, after_ms: int = 10) -> "Orders":
        """Let something else happen to stock."""
        self.stock.tell(*items, after_ms=after_ms)
        return self.settle()

    def settle(self) -> "Orders":
        """Carry what the folds tell each other until nothing is left."""
        while self.carry_inputs() or self.carry_answers():
            pass
        return self

    def carry_inputs(self) -> bool:
        """Give the stock fold what the planning fold has asked; tell whether there was any."""
        said = self.plans.said(INPUTS.name, INPUT_FRAMES)
        fresh = [item for item in said[self._inputs :] if isinstance(item, OrderLineInput)]
        self._inputs = len(said)
        if fresh:
            self.stock.tell(*fresh)
        return bool(fresh)

    def carry_answers(self) -> bool:
        """Give the planning fold what the stock fold has answered; tell whether there was any."""
        said = self.stock.plans(OrderLineAnswered)
        fresh = said[self._answers :]
        self._answers = len(said)
        if fresh:
            self.plans.at(self.stock.now_ms, *fresh)
        return bool(fresh)

    def order(self, order_id: str) -> CustomerOrder:
        """Return an order as written."""
        raw = self.plans.state[key(ORDER, order_id)]
        return msgspec.msgpack.decode(raw, type=CustomerOrder)

    def refusals(self) -> list[str]:
        """Return why commands were refused."""
        said = self.plans.said(EVENTS.name, EVENT_FRAMES)
        return [event.reason for event in said if isinstance(event, CommandRefused)]

    def alerts(self) -> list[Any]:
        """Return what the planning fold told the alert fold."""
        return self.plans.said(ALERT_INPUTS.name, ALERT_INPUT_FRAMES)
