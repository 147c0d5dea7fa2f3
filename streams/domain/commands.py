"""Commands of people, the ERP and the planning fold; each is answered once.

A command that can't be carried out is refused with the reason and the state it found. Ids are
remembered for 24 h: a repeat changes nothing and gets no second answer.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from ingest.frames import CommandInput
from streams.command_answers import ANSWERS_KEPT_MS, command_answer
from streams.contracts.orders import BufferReleased
from streams.contracts.state import TRANSFER_OPEN, AnsweredCommand, Level, Transfer, TransferState
from streams.domain import backorders, holds, needs, sensing, transfers, voids
from streams.domain.promised import BELOW_HOLD_BACK
from streams.domain.store import Store


class Refusal(NamedTuple):
    """Why a command is not carried out, in words for the one who gave it."""

    reason: str


class Done(NamedTuple):
    """What a command was carried out on."""

    entity_id: str
    version: int = 0


Answer = Done | Refusal


def apply_command(store: Store, command: CommandInput) -> None:
    """Carry a command out or refuse it, and say so."""
    if store.commands.get(command.command_id) is not None:
        return
    answered = AnsweredCommand(command_id=command.command_id, at_ms=store.now_ms)
    store.commands.put(command.command_id, answered)
    store.timers.arm(("command", command.command_id), store.now_ms + ANSWERS_KEPT_MS)
    state, version = _found(store, command)
    if command.expected_version not in {-1, version}:
        expected = command.expected_version
        answer: Answer = Refusal(f"version {expected} was expected, but it is {version}")
    else:
        answer = _carry_out(store, command)
    if isinstance(answer, Done):
        entity_id, refusal, version = answer.entity_id, "", answer.version
    else:
        entity_id, refusal = command.entity_id, answer.reason
    said = command_answer(
        command, entity_id, store.now_ms, refusal=refusal, state=state, version=version
    )
    store.outbox.events.append(said)


def forget_answered(store: Store, command_id: str) -> int:
    """Forget an id whose time is over; return when it is due otherwise, 0 for never."""
    answered = store.commands.get(command_id)
    if answered is None:
        return 0
    due_ms = answered.at_ms + ANSWERS_KEPT_MS
    if due_ms > store.now_ms:
        return due_ms
    store.commands.remove(command_id)
    return 0


def _found(store: Store, command: CommandInput) -> tuple[str, int]:
    transfer = store.transfers.get(command.entity_id)
    if transfer is not None:
        return transfer.state, transfer.version
    need = store.needs.get(command.entity_id)
    return (need.state, need.version) if need is not None else ("", 0)


def _carry_out(store: Store, command: CommandInput) -> Answer:
    other = _OTHER_VERBS.get(command.verb)
    if other is not None:
        return other(store, command)
    transfer = store.transfers.get(command.entity_id)
    if transfer is None:
        return Refusal(f"there is no transfer {command.entity_id}")
    was = transfers.before(transfer)
    refusal = _TRANSFER_VERBS[command.verb](store, transfer, command)
    if refusal is not None:
        return refusal
    if command.verb != "lose_transfer":  # that one has settled it already
        transfers.settle(store, transfer, was, command.command_id)
    return Done(transfer.transfer_id, transfer.version)


def _order(store: Store, command: CommandInput) -> Answer:
    sku, from_site, to_site = command.sku, command.site, command.to_site
    quantity_units = command.quantity_units
    if not from_site or not to_site or from_site == to_site:
        return Refusal("a transfer needs two different sites")
    if quantity_units <= 0:
        return Refusal("the quantity must be positive")
    donor = store.levels.get((sku, from_site))
    if donor is None:
        return Refusal(f"nothing is known of {sku} at {from_site}")
    if store.catalogue.lacks_site(to_site) and store.levels.get((sku, to_site)) is None:
        return Refusal(f"there is no site {to_site}")
    rules = store.rules(sku, from_site)
    free_units = _free_units(store, donor)
    if quantity_units > free_units:
        return Refusal(f"only {max(0, free_units)} units are available at {from_site}")
    transfer = transfers.make(
        store, sku, from_site, to_site, quantity_units=quantity_units, state="approved"
    )
    transfer.deadline_ms = transfers.proposal_deadline_ms(store, transfer)
    transfer.decided_from = {
        "donor_free_units": free_units,
        "donor_kept_units": rules.kept_units,
    }
    transfers.flag(transfer, "ordered")
    if free_units - quantity_units < rules.kept_units:
        transfers.flag(transfer, BELOW_HOLD_BACK)
    if store.catalogue.lane(from_site, to_site) is None:
        transfers.flag(transfer, "no_lane")
    needs.allot(store, transfer, quantity_units)
    transfers.settle(store, transfer, transfers.NOTHING, command.command_id)
    return Done(transfer.transfer_id, transfer.version)


def _free_units(store: Store, donor: Level) -> int:
    rules = store.rules(donor.sku, donor.site)
    return sensing.available_units(donor, rules) - donor.in_transit_out_units


def _close_need(store: Store, command: CommandInput) -> Answer:
    need = store.needs.get(command.entity_id)
    if need is None:
        return Refusal(f"there is no request {command.entity_id}")
    if need.state == "closed":
        return Refusal("the request is already closed")
    level = store.level(need.sku, need.site)
    needs.refuse(store, level, need.quantity_units - need.received_units)
    needs.close(store, need)
    return Done(need.need_id, need.version)


def _order_need(store: Store, command: CommandInput) -> Answer:
    need = store.needs.get(command.entity_id)
    if need is None or need.state == "closed":
        if need is not None:  # it may be opened again, and purchasing counts what it has asked
            need.revision += 1
            store.needs.touch(need.need_id)
        return Refusal("there is no such open request")
    if command.verb == "resize_need":
        needs.resize(store, need, command.quantity_units)
    else:
        needs.order(store, need, command.quantity_units)
    return Done(need.need_id, need.version)


def _release_buffer(store: Store, command: CommandInput) -> Answer:
    level = store.levels.get((command.sku, command.site))
    if level is None or level.buffer_units <= 0:
        return Refusal("there is no buffer to release")
    if command.quantity_units > level.buffer_units:
        return Refusal(f"the buffer holds only {level.buffer_units} units")
    released_units = command.quantity_units or level.buffer_units
    level.buffer_units -= released_units
    store.touch_level(level)
    backorders.gain(store, level, released_units)
    store.outbox.events.append(
        BufferReleased(
            command_id=command.command_id,
            sku=level.sku,
            site=level.site,
            at_ms=store.now_ms,
            released_units=released_units,
            left_units=level.buffer_units,
            actor=command.actor,
            reason=command.reason,
        )
    )
    return Done(command.entity_id or f"{command.sku}@{command.site}")


def _void(store: Store, command: CommandInput) -> Answer:
    refused = voids.void(store, command)
    return Refusal(refused) if refused else Done(command.entity_id)


def _hold_stock(store: Store, command: CommandInput) -> Answer:
    reason = holds.VERBS[command.verb](store, command)
    at_site = f"@{command.site}" if command.site else ""
    return Refusal(reason) if reason else Done(f"{command.sku}{at_site}")


_OTHER_VERBS: Final[dict[str, Callable[[Store, CommandInput], Answer]]] = {
    "order_transfer": _order,
    "close_need": _close_need,
    "order_need": _order_need,
    "resize_need": _order_need,
    "release_buffer": _release_buffer,
    "void_movement": _void,
    **dict.fromkeys(holds.VERBS, _hold_stock),
}
"""What is not about a transfer that exists."""


def _not_in(transfer: Transfer, states: frozenset[str], doing: str) -> Refusal | None:
    if transfer.state in states:
        return None
    return Refusal(f"a transfer that is {transfer.state} can't be {doing}")


_UNSENT: Final = frozenset({"proposed", "approved", "held", "reopened"})


def _approve(store: Store, transfer: Transfer, _command: CommandInput) -> Refusal | None:
    refusal = _not_in(transfer, frozenset({"proposed", "held", "reopened"}), "approved")
    if refusal is None and transfer.dispatched_units:
        refusal = Refusal("units have already left")
    if refusal is None:
        transfer.state = "approved"
        transfer.deadline_ms = transfers.proposal_deadline_ms(store, transfer)
    return refusal


def _reject(_store: Store, transfer: Transfer, _command: CommandInput) -> Refusal | None:
    return _become(transfer, "rejected", frozenset({"proposed"}))


def _hold(_store: Store, transfer: Transfer, _command: CommandInput) -> Refusal | None:
    refusal = _become(transfer, "held", frozenset({"proposed", "approved"}))
    if refusal is None:
        transfer.deadline_ms = 0
    return refusal


def _become(transfer: Transfer, state: TransferState, states: frozenset[str]) -> Refusal | None:
    refusal = _not_in(transfer, states, state)
    if refusal is None:
        transfer.state = state
    return refusal


def _edit(store: Store, transfer: Transfer, command: CommandInput) -> Refusal | None:
    refusal = _not_in(transfer, _UNSENT, "edited")
    if refusal is None and transfer.dispatched_units:
        refusal = Refusal("units have already left")
    if refusal is None and command.quantity_units <= 0:
        refusal = Refusal("the quantity must be positive")
    more_units = command.quantity_units - transfer.quantity_units
    if refusal is None and more_units > 0:  # less is always possible, whatever the donor has
        free_units = max(0, _free_units(store, store.level(transfer.sku, transfer.from_site)))
        if more_units > free_units:
            refusal = Refusal(f"only {free_units} more are available at {transfer.from_site}")
    if refusal is None:
        transfer.quantity_units = command.quantity_units
        transfers.flag(transfer, "edited")  # its donor is assessed, and says if that is too much
        if transfer.served and more_units > 0:
            needs.allot(store, transfer, more_units)
        if transfer.state == "approved":
            line = transfers.shipment_line_withdrawn(store, transfer)
            store.outbox.plan(transfer.from_site, line)
            store.outbox.plan(transfer.from_site, transfers.shipment_line(store, transfer))
    return refusal


def _cancel(_store: Store, transfer: Transfer, _command: CommandInput) -> Refusal | None:
    if transfer.dispatched_units == 0:
        return _become(transfer, "cancelled", _UNSENT)
    if transfer.state not in TRANSFER_OPEN or transfers.planned_units(transfer) == 0:
        return Refusal("nothing of it is still to leave")
    transfer.quantity_units = transfer.dispatched_units
    transfers.flag(transfer, "rest_cancelled")
    transfer.state = transfers.progress(transfer)
    return None


def _lose(store: Store, transfer: Transfer, command: CommandInput) -> Refusal | None:
    if transfers.on_the_way_units(transfer) <= 0:
        return Refusal("nothing of it is on its way")
    transfers.lose(store, transfer, command.command_id)
    return None


def _reopen(store: Store, transfer: Transfer, command: CommandInput) -> Refusal | None:
    refusal = _not_in(transfer, transfers.REFUSED | {"lost"}, "reopened")
    if refusal is None:
        if transfer.lost_units:
            transfers.find(store, transfer, transfer.lost_units, command.command_id)
            transfer.deadline_ms = transfers.transit_deadline_ms(store, transfer)
        else:
            transfer.deadline_ms = transfers.proposal_deadline_ms(store, transfer)
            if transfer.served:  # it was made for a request, which has missed it since it ended
                needs.allot(store, transfer, transfer.quantity_units)
        transfer.state = "reopened"
        transfers.flag(transfer, "reopened")
    return refusal


def _assign(_store: Store, transfer: Transfer, command: CommandInput) -> Refusal | None:
    refusal = _not_in(transfer, TRANSFER_OPEN, "put into a shipment")
    if refusal is None:
        transfer.shipment_id = command.shipment_id
    return refusal


_Verb = Callable[[Store, Transfer, CommandInput], Refusal | None]

_TRANSFER_VERBS: Final[dict[str, _Verb]] = {
    "approve_transfer": _approve,
    "reject_transfer": _reject,
    "hold_transfer": _hold,
    "edit_transfer": _edit,
    "cancel_transfer": _cancel,
    "lose_transfer": _lose,
    "reopen_transfer": _reopen,
    "assign_shipment": _assign,
}
