"""What people do to purchase orders: approve, edit, cancel, close, receive; answered in `events`.

A command that can't be carried out is refused with the reason and the state it found. Ids are
remembered for 24 h: a repeat changes nothing and gets no second answer.
"""

from collections.abc import Callable
from typing import Final

from ingest.frames import ScanInput
from streams.contracts.events import CommandAccepted, CommandRefused
from streams.contracts.purchases import (
    PURCHASE_PLACED,
    PURCHASE_UNPLACED,
    PurchaseCommand,
    PurchaseOrder,
    PurchaseState,
)
from streams.contracts.state import COMMAND, SEPARATOR, AnsweredCommand, key
from streams.domain.days import DAY_MS
from streams.domain.purchase_orders import ACTOR, PurchaseOrders, placed_units

ANSWERS_KEPT_MS: Final = DAY_MS
TIMER_PREFIX: Final = COMMAND + SEPARATOR


def apply_purchase_command(orders: PurchaseOrders, command: PurchaseCommand) -> None:
    """Carry a command out or refuse it, and say so."""
    fold = orders.fold
    if fold.table.get(key(COMMAND, command.command_id)) is not None:
        return
    answered = AnsweredCommand(command_id=command.command_id, at_ms=fold.now_ms)
    fold.table.put(key(COMMAND, command.command_id), answered)
    set_answer_timer(orders, answered)
    order = orders.order(command.order_id)
    state, version = ("", 0) if order is None else (order.state, order.version)
    if order is None:
        refused = f"there is no order {command.order_id}"
    elif command.expected_version not in {-1, version}:
        refused = f"version {command.expected_version} was expected, but it is {version}"
    else:
        refused = _VERBS[command.verb](orders, order, command)
    event: CommandRefused | CommandAccepted
    if refused or order is None:
        event = CommandRefused(
            command_id=command.command_id,
            actor=command.actor,
            entity_id=command.order_id,
            at_ms=fold.now_ms,
            reason=refused,
            current_state=state,
            current_version=version,
        )
    else:
        event = CommandAccepted(
            command_id=command.command_id,
            actor=command.actor,
            entity_id=command.order_id,
            at_ms=fold.now_ms,
            version=order.version,
        )
    orders.say(supplier_of(command.order_id), event)


def supplier_of(order_id: str) -> str:
    """Return the supplier inside `purchase-{supplier}-{number}`; empty in any other text."""
    return order_id.partition("-")[2].rpartition("-")[0]


def set_answer_timer(orders: PurchaseOrders, answered: AnsweredCommand) -> None:
    """Let an answered command be forgotten in its time."""
    orders.fold.timers.set(TIMER_PREFIX + answered.command_id, answered.at_ms + ANSWERS_KEPT_MS)


def forget_answered(orders: PurchaseOrders, name: str) -> None:
    """Forget the command of a timer."""
    orders.fold.table.delete(name.encode())


def _approve(orders: PurchaseOrders, order: PurchaseOrder, command: PurchaseCommand) -> str:
    if order.state not in PURCHASE_UNPLACED:
        return f"an order that is {order.state} can't be approved"
    orders.place(order, command.command_id)
    return ""


def _edit(orders: PurchaseOrders, order: PurchaseOrder, command: PurchaseCommand) -> str:
    line, need = order.lines.get(command.need_id), orders.need(command.need_id)
    units = command.quantity_units
    if order.state not in PURCHASE_UNPLACED | PURCHASE_PLACED:
        return f"an order that is {order.state} can't be edited"
    if line is None or need is None:
        return f"it has no open line {command.need_id}"
    if units < 1 or units < line.received_units:
        return f"{max(1, line.received_units)} units are the least"
    wanted_units = need.line.quantity_units + units - line.quantity_units
    line.quantity_units = units
    if "edited" not in order.flags:
        order.flags.append("edited")
    if order.order_id in need.placed:
        need.placed[order.order_id] = units
    orders.ask(need, "resize_need", wanted_units, order)
    if order.order_id in need.placed:
        orders.ask(need, "order_need", placed_units(need), order)
        orders.progress(order, command.command_id)
    else:
        orders.changed(order, command.command_id)
    return ""


def _cancel(orders: PurchaseOrders, order: PurchaseOrder, command: PurchaseCommand) -> str:
    if order.state == "partly_received":
        return "something of it has come: close it"
    if order.state not in PURCHASE_UNPLACED | PURCHASE_PLACED:
        return f"an order that is {order.state} can't be cancelled"
    _end(orders, order, "cancelled", command.command_id)
    return ""


def _close(orders: PurchaseOrders, order: PurchaseOrder, command: PurchaseCommand) -> str:
    if order.state not in PURCHASE_PLACED:
        return f"an order that is {order.state} can't be closed"
    _end(orders, order, "closed", command.command_id)
    return ""


def _end(orders: PurchaseOrders, order: PurchaseOrder, state: PurchaseState, cause: str) -> None:
    for need_id, line in sorted(order.lines.items()):
        open_units = line.quantity_units - line.received_units
        need = orders.need(need_id)
        if need is None or not open_units:
            continue
        if order.order_id in need.placed:
            need.placed[order.order_id] = line.received_units
        else:
            need.waiting_id = ""
        orders.ask(need, "resize_need", need.line.quantity_units - open_units, order)
    orders.become(order, state, cause)


def _receive(orders: PurchaseOrders, order: PurchaseOrder, command: PurchaseCommand) -> str:
    line = order.lines.get(command.need_id)
    if order.state not in PURCHASE_PLACED:
        return f"an order that is {order.state} can't be received"
    if line is None:
        return f"it has no line {command.need_id}"
    if command.quantity_units < 1:
        return "the quantity must be positive"
    order.receipts += 1
    scan = ScanInput(
        sku=line.sku,
        site=line.site,
        source=ACTOR,
        boot=order.order_id,
        seq=order.receipts,
        observed_at_ms=orders.fold.now_ms,
        historical=False,
        action="receive",
        quantity_units=command.quantity_units,
        order_id=order.order_id,
        unit_cost_minor=line.unit_cost_minor or -1,
    )
    orders.send(line.sku, scan)
    orders.changed(order, command.command_id)
    return ""


_Verb = Callable[[PurchaseOrders, PurchaseOrder, PurchaseCommand], str]
"""Carries a command out and returns an empty text, or why it does not."""

_VERBS: Final[dict[str, _Verb]] = {
    "approve_purchase": _approve,
    "edit_purchase": _edit,
    "cancel_purchase": _cancel,
    "close_purchase": _close,
    "receive_purchase": _receive,
}
