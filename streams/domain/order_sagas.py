"""Customer orders of several lines: reserve each line, then confirm or give everything back.

An order spans SKUs, so it lives in the planning fold, in the partition of its id. It asks the stock
fold for each line, and that answers with what became of it. A `whole` order is confirmed when every
line is reserved in full; if one is refused, or its time is over first, all others are released. A
`partial` one is confirmed with what there is. Nothing is held by an order that has ended.
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from ingest.contracts.durations import DAY_MS
from ingest.contracts.order_lines import OrderAction, OrderLineInput
from ingest.contracts.topics import ALERT_INPUTS, EVENTS, INPUTS
from ingest.frames import INPUT_FRAMES
from ingest.partitions import partition_of
from streams.command_answers import CommandAnswers
from streams.contracts.alerts import ALERT_INPUT_FRAMES, AlertEnded, AlertItem, AlertRaised
from streams.contracts.events import EVENT_FRAMES, StreamEvent
from streams.contracts.orders import (
    ORDER,
    CustomerOrder,
    OrderAsked,
    OrderChanged,
    OrderLineChanged,
    OrderState,
    SagaLine,
)
from streams.contracts.plans import PlanItem
from streams.contracts.state import key
from streams.engine.timed import TimedFold

ORDER_KEPT_MS: Final = 36 * DAY_MS
"""An ended order is kept longer than its lines, so that its id is not taken again too soon."""
_TIMER: Final = f"{ORDER}/"
_COLLECTING: Final = frozenset({"reserving", "held", "scheduled", "back_ordered"})
_OPEN: Final = _COLLECTING | {"confirmed", "fulfilling"}
_DONE_LINES: Final = frozenset({"refused", "released", "fulfilled"})


class OrderSagas:
    """The orders in one partition of the planning fold."""

    def __init__(
        self, fold: TimedFold[PlanItem], answers: CommandAnswers, partition_count: int
    ) -> None:
        """Take the fold whose table, timers and outbox they share, and what it has answered."""
        self._fold = fold
        self._answers = answers
        self._partition_count = partition_count
        self._verbs: dict[str, Callable[[CustomerOrder, OrderAsked], str]] = {
            "fulfil": self._fulfil,
            "cancel": self._cancel,
            "accept": self._accept,
        }

    def ask(self, asked: OrderAsked) -> None:
        """Carry a command out or refuse it, once, and say so."""
        if not self._answers.begin(asked):
            return
        order = self._order(asked.order_id)
        if asked.verb == "place":
            refusal = f"order {asked.order_id} has been placed already" if order else ""
        elif order is None:
            refusal = f"there is no order {asked.order_id}"
        else:
            refusal = self._verbs[asked.verb](order, asked)
        if asked.verb == "place" and not refusal:
            order = self._place(asked)
        self._answers.say(
            asked,
            asked.order_id,
            asked.order_id,
            refusal=refusal,
            state=order.state if order is not None else "",
            version=order.version if order is not None else 0,
        )

    def note(self, changed: OrderLineChanged) -> None:
        """Take note of what became of a line."""
        order = self._order(changed.order_id)
        if order is None or order.state not in _OPEN or changed.line > len(order.lines):
            return  # it has ended, and this crossed its release
        line = order.lines[changed.line - 1]
        if line.state in _DONE_LINES or (line.sku, line.site) != (changed.sku, changed.site):
            return
        line.state = changed.state
        line.reserved_units = changed.reserved_units
        line.decided_from = changed.decided_from
        line.reason = changed.reason
        line.outlier_id = changed.outlier_id
        self._settle(order)

    def wake(self, name: str) -> bool:
        """Do what a timer was set for; tell whether it was one of theirs."""
        if not name.startswith(_TIMER):
            return False
        order = self._order(name.removeprefix(_TIMER))
        if order is None or order.state in {"confirmed", "fulfilling"}:
            return True
        if order.state not in _OPEN:
            self._fold.table.delete(key(ORDER, order.order_id))
        elif order.fulfilment == "whole":
            self._end(order, "expired", "", "its time was over before all of it was there")
        else:
            order.expires_at_ms = 0
            for number, line in enumerate(order.lines, 1):
                if line.state not in _DONE_LINES | {"reserved"}:
                    line.state = "asked"
                    self._ask_line(order, number, "settle")
            self._become(order, "reserving", "")
        return True

    def rebuild(self) -> None:
        """Set a timer for each order that has one."""
        for _, order in self._fold.table.of_kind(ORDER):
            self._set_timer(order)

    def _order(self, order_id: str) -> CustomerOrder | None:
        order: CustomerOrder | None = self._fold.table.get(key(ORDER, order_id))
        return order

    def _place(self, asked: OrderAsked) -> CustomerOrder:
        now_ms = self._fold.now_ms
        order = CustomerOrder(
            order_id=asked.order_id,
            state="reserving",
            fulfilment=asked.fulfilment,
            back_order=asked.back_order,
            priority=asked.priority,
            need_by_ms=asked.need_by_ms,
            placed_by=asked.actor,
            placed_at_ms=now_ms,
            expires_at_ms=max(now_ms, asked.need_by_ms) + asked.ttl_ms,
            lines=[
                SagaLine(sku=line.sku, site=line.site, quantity_units=line.quantity_units)
                for line in asked.lines
            ],
            reason=asked.reason,
        )
        self._become(order, "reserving", asked.actor)
        for number in range(1, len(order.lines) + 1):
            self._ask_line(order, number, "reserve")
        return order

    def _settle(self, order: CustomerOrder) -> None:
        states = {line.state for line in order.lines}
        if "asked" in states:
            self._put(order)
        elif order.state == "fulfilling":
            done = not states & {"reserved", "waiting", "scheduled"}
            self._become(order, "fulfilled" if done else "confirmed", "")
        elif order.fulfilment == "whole" and states & _DONE_LINES:
            short = next(line for line in order.lines if line.state in _DONE_LINES)
            self._end(order, "refused", "", f"{short.sku} at {short.site}: {short.reason}")
        elif states <= _DONE_LINES:
            self._end(order, "refused", "", "no line of it could be reserved")
        elif "held" in states:
            self._become(order, "held", "")
        elif "waiting" in states:
            self._become(order, "back_ordered", "")
        else:
            self._become(order, "scheduled" if "scheduled" in states else "confirmed", "")

    def _fulfil(self, order: CustomerOrder, asked: OrderAsked) -> str:
        if order.state != "confirmed":
            return f"an order that is {order.state} can't be handed over"
        for number, line in enumerate(order.lines, 1):
            if line.state == "reserved":
                line.state = "asked"
                self._ask_line(order, number, "fulfil")
        self._become(order, "fulfilling", asked.actor)
        return ""

    def _cancel(self, order: CustomerOrder, asked: OrderAsked) -> str:
        if order.state not in _COLLECTING | {"confirmed"}:
            return f"an order that is {order.state} can't be cancelled"
        self._end(order, "cancelled", asked.actor, asked.reason)
        return ""

    def _accept(self, order: CustomerOrder, asked: OrderAsked) -> str:
        """Take its unusual lines as right; those that were held now ask for stock."""
        unusual = [one for one in enumerate(order.lines, 1) if one[1].outlier_id]
        if order.state not in _OPEN or not unusual:
            return f"no line of it waits to be accepted; it is {order.state}"
        held = any(line.state == "held" for _, line in unusual)
        for number, line in unusual:
            line.state = "asked" if line.state == "held" else line.state
            self._ask_line(order, number, "accept")
        self._become(order, "reserving" if held else order.state, asked.actor)
        return ""

    def _end(self, order: CustomerOrder, state: OrderState, actor: str, reason: str) -> None:
        """Give back whatever it holds or waits for; an unanswered line is caught up on its way."""
        order.reason = reason
        for number, line in enumerate(order.lines, 1):
            line.outlier_id = ""
            if line.state not in _DONE_LINES:
                line.state = "released"
                self._ask_line(order, number, "release")
        self._become(order, state, actor)

    def _become(self, order: CustomerOrder, state: OrderState, actor: str) -> None:
        was, order.state = order.state, state
        if state not in _OPEN:
            order.closed_at_ms = self._fold.now_ms
        self._put(order)
        if was == state and order.version > 1:
            return
        as_is = replace(order, lines=[replace(line) for line in order.lines])
        told = OrderChanged(at_ms=self._fold.now_ms, actor=actor, order=as_is)
        self._say(order.order_id, told)
        if state == "back_ordered":
            short = next(line for line in order.lines if line.state == "waiting")
            self._alert(order, short)
        elif was == "back_ordered":
            site = order.lines[0].site
            alert_key = _alert_key(order)
            self._raise(AlertEnded(alert_key=alert_key, site=site, at_ms=self._fold.now_ms), site)

    def _alert(self, order: CustomerOrder, short: SagaLine) -> None:
        site = order.lines[0].site
        raised = AlertRaised(
            alert_key=_alert_key(order),
            kind="back_order",
            site=site,
            sku=short.sku,
            severity="warning",
            at_ms=self._fold.now_ms,
            facts={
                "quantity_units": short.quantity_units,
                "reserved_units": short.reserved_units,
            },
            text=f"order {order.order_id} waits for {short.sku} at {short.site}",
        )
        self._raise(raised, site)

    def _ask_line(self, order: CustomerOrder, number: int, action: OrderAction) -> None:
        line = order.lines[number - 1]
        units = line.reserved_units if action == "fulfil" else line.quantity_units
        asked = OrderLineInput(
            order_id=order.order_id,
            line=number,
            sku=line.sku,
            site=line.site,
            action=action,
            quantity_units=units,
            actor=order.placed_by,
            priority=order.priority,
            need_by_ms=order.need_by_ms,
            when_short="wait" if order.back_order else "refuse",
            partial=order.fulfilment == "partial",
            answer=True,
        )
        partition = partition_of(line.sku, self._partition_count)
        fold = self._fold
        fold.outbox.add(INPUTS.name, partition, INPUT_FRAMES, asked, fold.now_ms)

    def _put(self, order: CustomerOrder) -> None:
        order.version += 1
        self._fold.table.put(key(ORDER, order.order_id), order)
        self._set_timer(order)

    def _set_timer(self, order: CustomerOrder) -> None:
        name = _TIMER + order.order_id
        if order.state not in _OPEN:
            self._fold.timers.set(name, order.closed_at_ms + ORDER_KEPT_MS)
        elif order.state in _COLLECTING and order.expires_at_ms:
            self._fold.timers.set(name, order.expires_at_ms)
        else:
            self._fold.timers.cancel(name)

    def _say(self, order_id: str, event: StreamEvent) -> None:
        partition = partition_of(order_id, self._partition_count)
        self._fold.outbox.add(EVENTS.name, partition, EVENT_FRAMES, event, self._fold.now_ms)

    def _raise(self, item: AlertItem, site: str) -> None:
        partition = partition_of(site, self._partition_count)
        fold = self._fold
        fold.outbox.add(ALERT_INPUTS.name, partition, ALERT_INPUT_FRAMES, item, fold.now_ms)


def _alert_key(order: CustomerOrder) -> str:
    return f"order-{order.order_id}"
