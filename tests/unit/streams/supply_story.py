"""The stock and the planning fold together: what one writes for the other is folded by it."""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from ingest.contracts.durations import DAY_MS
from ingest.contracts.supply import SupplierRecord
from ingest.contracts.topics import ALERT_INPUTS, EVENTS, INPUTS, PLANS
from ingest.frames import INPUT_FRAMES, InputItem, ReferenceInput, SkuRecord
from streams.contracts.alerts import ALERT_INPUT_FRAMES
from streams.contracts.events import EVENT_FRAMES
from streams.contracts.plans import PLAN_FRAMES, PlanItem
from streams.contracts.purchases import (
    PURCHASE,
    PURCHASE_NEED,
    PurchaseCommand,
    PurchaseNeed,
    PurchaseOrder,
    PurchaseVerb,
)
from streams.contracts.state import key_parts
from streams.planning import planning_spec
from tests.folds import FoldRun
from tests.unit.streams.builders import SKU, Story, policy, reference

MILL = "mill"
StructT = TypeVar("StructT", bound=msgspec.Struct)


class SupplyStory:
    """Both folds in one partition, each hearing of the other at once or when `exchange` is called.

    With `held` nothing passes between them until `exchange`: so a story can act in between.
    """

    def __init__(self) -> None:
        """Begin with nothing known."""
        self.stock = Story()
        self.planning = FoldRun(planning_spec(), PLAN_FRAMES)
        self.held = False
        self._stock_read = 0
        self._planning_read = 0

    @property
    def now_ms(self) -> int:
        """The story's now, in UTC milliseconds."""
        return self.stock.now_ms

    def tell(self, *items: InputItem, after_ms: int = 0) -> "SupplyStory":
        """Fold inputs so much later, in both folds' time."""
        self.stock.tell(*items, after_ms=after_ms)
        for item in items:
            if isinstance(item, ReferenceInput) and isinstance(item.entity, SupplierRecord):
                self.plan(item)
        return self._passed()

    def plan(self, *items: PlanItem) -> "SupplyStory":
        """Fold items of the planning fold now."""
        self.planning.at(self.now_ms, *items)
        return self._passed()

    def wait(self, after_ms: int) -> "SupplyStory":
        """Let time pass in both folds."""
        self.stock.wait(after_ms)
        self.planning.at(self.now_ms)
        return self._passed()

    def ask(
        self, verb: PurchaseVerb, order_id: str, *, name: str = "", **more: Any
    ) -> "SupplyStory":
        """Give a command about an order, Ann's."""
        name = name or f"p{len(self.planning.outputs)}"
        return self.plan(
            PurchaseCommand(command_id=name, verb=verb, order_id=order_id, actor="ann", **more)
        )

    def exchange(self) -> "SupplyStory":
        """Let each fold hear what the other has written, until both are silent."""
        while self._hear_plans() or self._hear_inputs():
            pass
        return self

    def orders(self) -> list[PurchaseOrder]:
        """Return all orders as written, in running order."""
        found = self._records(PURCHASE, PurchaseOrder)
        return sorted(found, key=lambda order: int(order.order_id.rpartition("-")[2]))

    def order(self, number: int = -1) -> PurchaseOrder:
        """Return an order by its place in running order."""
        return self.orders()[number]

    def needs(self) -> list[PurchaseNeed]:
        """Return the requests that the planning fold knows."""
        return self._records(PURCHASE_NEED, PurchaseNeed)

    def events(self, kind: type[StructT]) -> list[StructT]:
        """Return the planning fold's events of one kind."""
        return [e for e in self.planning.said(EVENTS.name, EVENT_FRAMES) if isinstance(e, kind)]

    def alerts(self) -> list[Any]:
        """Return what the planning fold told the alert fold."""
        return self.planning.said(ALERT_INPUTS.name, ALERT_INPUT_FRAMES)

    def _records(self, kind: str, struct: type[StructT]) -> list[StructT]:
        raws = sorted(raw for raw in self.planning.state if key_parts(raw)[0] == kind)
        return [msgspec.msgpack.decode(self.planning.state[raw], type=struct) for raw in raws]

    def _passed(self) -> "SupplyStory":
        return self if self.held else self.exchange()

    def _hear_plans(self) -> bool:
        written = self.stock.outputs[self._stock_read :]
        self._stock_read = len(self.stock.outputs)
        values = [output.value for output in written if output.topic == PLANS.name]
        for value in values:
            frame = PLAN_FRAMES.decode(value or b"")
            self.planning.at(frame.received_at_ms, *frame.items)
        return bool(values)

    def _hear_inputs(self) -> bool:
        written: Sequence[tuple[str, int, bytes]] = self.planning.outputs[self._planning_read :]
        self._planning_read = len(self.planning.outputs)
        values = [value for topic, _, value in written if topic == INPUTS.name]
        for value in values:
            self.stock.tell(*INPUT_FRAMES.decode(value).items)
        return bool(values)


def supplied_story(
    terms: SupplierRecord | None = None, sku: SkuRecord | None = None, **rules: Any
) -> SupplyStory:
    """Return a story in which the mill delivers milk: at least 10, at most 30, ordered at once."""
    record = sku or SkuRecord(SKU, unit_cost_minor=100, supplier=MILL)
    story = SupplyStory().tell(reference(record), policy(**rules))
    return story.tell(reference(terms or SupplierRecord(MILL, lead_time_ms=DAY_MS)))
