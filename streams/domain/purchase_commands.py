"""What people do to purchase orders: approve, edit, cancel, close, receive.

A command that can't be carried out is refused with the reason and the state it found.
"""

from collections.abc import Callable
from typing import Final

from ingest.frames import ScanInput
from streams.command_answers import CommandAnswers
from streams.contracts.purchases import (
    PURCHASE_PLACED,
    PURCHASE_UNPLACED,
    PurchaseCommand,
    PurchaseOrder,
    PurchaseState,
)
from streams.domain.purchase_orders import ACTOR, PurchaseOrders, placed_units


def apply_purchase_command(
    orders: PurchaseOrders, answers: CommandAnswers, command: PurchaseCommand
) -> None:
    """Carry a command out or refuse it, once, and say so."""
    if not answers.begin(command):
        return
    order = orders.order(command.order_id)
    if order is None:
        refusal = f"there is no order {command.order_id}"
    elif command.expected_version not in {-1, order.version}:
        refusal = f"version {command.expected_version} was expected, but it is {order.version}"
    else:
        refusal = _VERBS[command.verb](orders, order, command)
    answers.say(
        command,
        command.order_id,
        supplier_of(command.order_id),
        refusal=refusal,
        state=order.state if order is not None else "",
        version=order.version if order is not None else 0,
    )


def supplier_of(order_id: str) -> str:
    """Return the supplier inside `purchase-{supplier}-{number}`; empty in any other text."""
    return order_id.partition("-")[2].rpartition("-")[0]


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
    if line is None or need is None or need.closed_at_ms:
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
