"""Voids: a mistaken scan is taken back, in units and in money, once.

The fold keeps no ledger to look into: the command brings what the scan left there, and the fold
remembers which movements were voided for as long as one may be (`VOIDABLE_MS`), so a second void is
refused. What was booked stays booked: the reversal is a movement of the current period. A transfer
that the scan moved is taken back with it.
"""

from collections import Counter
from typing import Final, NamedTuple

from ingest.contracts.durations import DAY_MS
from ingest.contracts.voids import VoidedMovement
from ingest.frames import CommandInput
from streams.contracts.lots import CarriedLot
from streams.contracts.state import TRANSFER_OPEN, Level, Transfer
from streams.contracts.voids import WAS, Voided
from streams.domain import book, counts, issues, lots, needs, transfers
from streams.domain.store import Store

VOIDABLE_MS: Final = 35 * DAY_MS
"""As long as inputs and ended transfers are kept; what is older is corrected by an adjustment."""

_TO_CUSTOMERS: Final = frozenset({"sale", "pick"})
_PLAIN: Final = frozenset(
    {"receive", "return", "waste", "adjust", "count", "opening", "sale", "pick"}
)
_CARRIED: Final = frozenset({"dispatch", "arrive"})
_WHY_NOT: Final = {
    "void": "a void is not voided: book what is right",
    "fulfil": "a handed over order is taken back by a return",
    "dispatch_inferred": "it was inferred: void the arrival that implied it",
    "loss": "lost units come back when their transfer is reopened",
    "transit_in": "void the dispatch or the arrival that moved it",
}


class Part(NamedTuple):
    """What the scan did to one transfer: units and value that left or arrived by it."""

    transfer: Transfer
    units: int
    value_minor: int
    movement: VoidedMovement


def void(store: Store, command: CommandInput) -> str:
    """Take a scan back; return why it can't be, empty where it was done."""
    lead = next((one for one in command.movements if one.movement_id == command.entity_id), None)
    refusal = _unknown(store, command, lead)
    if refusal or lead is None:
        return refusal
    if lead.kind == "dispatch":
        refusal = _void_dispatch(store, lead)
    elif lead.kind == "arrive":
        refusal = _void_arrival(store, lead, command.movements)
    else:
        refusal = _void_plain(store, lead)
    if not refusal:
        voided = Voided(
            movement_id=lead.movement_id,
            recorded_at_ms=lead.recorded_at_ms,
            command_id=command.command_id,
        )
        store.voided.put(lead.movement_id, voided)
        store.timers.arm(("voided", lead.movement_id), voided_due_ms(store, lead.movement_id))
    return refusal


def voided_due_ms(store: Store, movement_id: str) -> int:
    """Return when a voided movement is forgotten, for it is too old by then; 0 for never."""
    voided = store.voided.get(movement_id)
    return voided.recorded_at_ms + VOIDABLE_MS if voided is not None else 0


def forget_voided(store: Store, movement_id: str) -> int:
    """Forget a voided movement whose time is over; return when it is due otherwise."""
    due_ms = voided_due_ms(store, movement_id)
    if due_ms > store.now_ms:
        return due_ms
    store.voided.remove(movement_id)
    return 0


def _unknown(store: Store, command: CommandInput, lead: VoidedMovement | None) -> str:
    if lead is None:
        return f"the command does not bring {command.entity_id} as the ledger has it"
    counter = store.numbers.get(command.sku)
    next_number = counter.next_number if counter is not None else 1
    known = all(
        one.movement_id.startswith(f"movement-{command.sku}-")
        and transfers.number_of(one.movement_id) < next_number
        and one.recorded_at_ms <= store.now_ms
        for one in command.movements
    )
    if not known or store.levels.get((command.sku, lead.site)) is None:
        return f"there is no movement {command.entity_id}"
    if store.now_ms - lead.recorded_at_ms >= VOIDABLE_MS:
        return f"it is older than {VOIDABLE_MS // DAY_MS} days: book an adjustment"
    before = store.voided.get(lead.movement_id)
    if before is not None:
        return f"it is already voided, by command {before.command_id}"
    if lead.bucket != "on_hand" or lead.kind not in _PLAIN | _CARRIED:
        return _WHY_NOT.get(lead.kind, f"a movement of kind {lead.kind} can't be voided")
    return "" if lead.quantity_units else "it moved nothing"


def _void_plain(store: Store, lead: VoidedMovement) -> str:
    level = store.level(_sku(lead), lead.site)
    refusal = _too_few(store, level, lead.quantity_units)
    if not refusal:
        if lead.kind in _TO_CUSTOMERS:
            issues.count(level, lead.quantity_units, lead.effective_at_ms)
        elif lead.kind == "receive":
            needs.take_back(store, level, lead)
        if lead.kind == "count":  # or it would book its own reversal out again
            counts.forget_anchor(store, level.sku, level.site)
        _reverse(store, level, lead, -lead.value_minor)
    return refusal


def _void_dispatch(store: Store, lead: VoidedMovement) -> str:
    level = store.level(_sku(lead), lead.site)
    units = -lead.quantity_units
    if "inferred_before" in lead.flags:
        return "it confirmed what an arrival had implied: void the arrival"
    if not lead.transfer_id:
        issues.count_dispatch(store, level, -units, lead.effective_at_ms)
        _reverse(store, level, lead, -lead.value_minor)
        return ""
    transfer = store.transfers.get(lead.transfer_id)
    if transfer is None:
        return f"{lead.transfer_id} is no longer known: book an adjustment"
    if transfers.on_the_way_units(transfer) < units:
        return "not all of it is still on its way: void the arrival, or reopen what was lost, first"
    was = transfers.before(transfer)
    _call_back(store, Part(transfer, units, -lead.value_minor, lead))
    transfers.settle(store, transfer, was, _cause(lead))
    return ""


def _void_arrival(store: Store, lead: VoidedMovement, movements: tuple[VoidedMovement, ...]) -> str:
    level = store.level(_sku(lead), lead.site)
    parts = _parts_of_arrival(store, movements)
    refusal = _too_few(store, level, lead.quantity_units) or _no_arrival(lead, parts)
    if refusal:
        return refusal
    arrived = [part for part in parts if part.movement.kind == "transit_in"]
    were = {part.transfer.transfer_id: transfers.before(part.transfer) for part in arrived}
    _reverse(store, level, lead, -lead.value_minor)
    if lead.served:
        needs.take_back(store, level, lead)
    for part in arrived:
        _put_back_on_the_way(store, part, lead)
        if part.transfer.transfer_id != lead.transfer_id:  # its lots stand on the first as yet
            lots.hand_over(store, lead.transfer_id, part.transfer.transfer_id, part.units)
    for part in parts:
        seen_after_all = part.transfer.inferred_units < part.units
        if part.movement.kind == "dispatch_inferred" and not seen_after_all:
            part.transfer.inferred_units -= part.units
            _call_back(store, part)
    for part in arrived:
        name = part.transfer.transfer_id
        transfers.settle(store, part.transfer, were[name], _cause(lead))
    return ""


def _parts_of_arrival(store: Store, movements: tuple[VoidedMovement, ...]) -> list[Part]:
    parts = []
    for one in movements:
        transfer = store.transfers.get(one.transfer_id)
        left = one.kind in {"transit_in", "dispatch_inferred"} and one.quantity_units < 0
        if transfer is not None and left:
            parts.append(Part(transfer, -one.quantity_units, -one.value_minor, one))
    return parts


def _no_arrival(lead: VoidedMovement, parts: list[Part]) -> str:
    units: Counter[str] = Counter()
    for part in parts:
        sign = 1 if part.movement.kind == "transit_in" else 0
        units[part.transfer.transfer_id] += sign * part.units
    if sum(units.values()) != (lead.quantity_units if lead.transfer_id else 0):
        return "the transfers it served are no longer known, or the command does not bring them"
    if not all(0 < units[one.transfer.transfer_id] <= one.transfer.received_units for one in parts):
        return "its transfers have not received so much"
    return ""


def _put_back_on_the_way(store: Store, part: Part, lead: VoidedMovement) -> None:
    transfer, units, value_minor, _ = part
    transfers.move_on_the_way(store, transfer, "void", units, _cause(lead), value_minor=value_minor)
    transfer.received_units -= units
    transfer.value_minor += value_minor
    transfer.deadline_ms = transfers.transit_deadline_ms(store, transfer)
    _find_state(store, transfer)


def _call_back(store: Store, part: Part) -> None:
    """Let units on their way be at the donor again, for what they left with at the most."""
    transfer, units, value_minor, movement = part
    if units == transfers.on_the_way_units(transfer):
        value_minor = transfer.value_minor
    else:
        value_minor = min(value_minor, transfer.value_minor)
    transfers.move_on_the_way(
        store, transfer, "void", -units, _cause(movement), value_minor=-value_minor
    )
    transfer.dispatched_units -= units
    transfer.value_minor -= value_minor
    _find_state(store, transfer)
    donor = store.level(transfer.sku, transfer.from_site)
    issues.count_dispatch(store, donor, -units, movement.effective_at_ms)
    _reverse(store, donor, movement, value_minor)
    # Only now: the voided lots have left it, what is trimmed are guesses.
    lots.trim(store, transfer.transfer_id, transfers.on_the_way_units(transfer))


def _find_state(store: Store, transfer: Transfer) -> None:
    transfers.flag(transfer, "voided")
    if transfer.dispatched_units == 0:
        transfer.dispatched_at_ms, transfer.shipment_id, transfer.ssccs = 0, "", []
        # Its line may stand from when it was approved, or have travelled with a shipment.
        line = transfers.shipment_line_withdrawn(store, transfer)
        store.outbox.plan(transfer.from_site, line)
        if {"ad_hoc", "reopened"} & set(transfer.flags):  # nothing but the scan asked for it
            transfer.state = "cancelled"
        elif "unapproved" in transfer.flags:
            transfer.state, transfer.deadline_ms = "held", 0
        else:
            transfer.state = "approved"
            transfer.deadline_ms = transfers.proposal_deadline_ms(store, transfer)
        return
    if "ad_hoc" in transfer.flags:  # nobody meant more than what was scanned
        transfer.quantity_units = transfer.dispatched_units
    if transfer.state not in TRANSFER_OPEN:
        transfer.state = "reopened"
    transfer.state = transfers.progress(transfer)


def _reverse(store: Store, level: Level, movement: VoidedMovement, value_minor: int) -> None:
    units = -movement.quantity_units
    flags = [WAS + movement.kind, *book.negative_flags(store, level, -units)]
    book.post(
        store,
        level,
        "void",
        units,
        borne_minor(level, units, value_minor),
        cause=_cause(movement),
        effective_at_ms=movement.effective_at_ms,
        transfer_id=movement.transfer_id,
        lot=movement.lot,
        named_lots=[
            CarriedLot(lot, 0, abs(lot_units))
            for lot, lot_units in (movement.lot_units or {}).items()
            if lot
        ],
        flags=flags,
    )


def borne_minor(level: Level, units: int, value_minor: int) -> int:
    """Return as much of a reversal's value as the book bears.

    An empty book is worth nothing, one above zero not less than nothing, one below not more.
    """
    after_units = level.on_hand_units + units
    after_minor = level.value_minor + value_minor
    if after_units > 0:
        after_minor = max(0, after_minor)
    elif after_units < 0:
        after_minor = min(0, after_minor)
    else:
        after_minor = 0
    return after_minor - level.value_minor


def _too_few(store: Store, level: Level, quantity_units: int) -> str:
    if quantity_units > 0 and book.refuses(store, level, quantity_units):
        return (
            f"only {max(0, level.on_hand_units)} units are on hand, and the book may not go below 0"
        )
    return ""


def _sku(movement: VoidedMovement) -> str:
    return movement.movement_id.partition("-")[2].rpartition("-")[0]


def _cause(movement: VoidedMovement) -> str:
    return f"void/{movement.movement_id}"
