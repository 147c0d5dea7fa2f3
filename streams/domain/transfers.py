"""Transfers: units of one SKU on their way, or meant to be, from one site to another.

A transfer is changed between `before` and `settle`: `settle` brings the levels at both ends, the
open list, timers, plans, alerts and events in line with what changed. Physical units are conserved
whatever the state: `dispatched = received + lost + on the way`.
"""

from bisect import insort
from typing import Final, NamedTuple

from ingest.contracts.durations import DAY_MS
from streams.contracts.alerts import AlertRaised
from streams.contracts.ledger import MovementKind
from streams.contracts.plans import ShipmentLine, ShipmentLineWithdrawn
from streams.contracts.state import TRANSFER_OPEN, SkuBook, Transfer, TransferState
from streams.domain import backorders, book, needs
from streams.domain.calendars import departure_ms
from streams.domain.catalogue import Rules
from streams.domain.store import Store

ENDED_KEPT_MS: Final = 35 * DAY_MS
"""An ended transfer is kept as long as the input that made it."""
UNCONFIRMED_KEPT_MAX: Final = 64
"""Ended transfers of a SKU that may still await the scan of an inferred dispatch."""
REFUSED: Final = frozenset({"rejected", "cancelled", "expired"})


class Before(NamedTuple):
    """What of a transfer counted elsewhere before it changed."""

    state: str
    expected_units: int
    planned_units: int
    lost_units: int


NOTHING: Final = Before("", 0, 0, 0)


def on_the_way_units(transfer: Transfer) -> int:
    """Return the units that have left and neither arrived nor been given up."""
    return transfer.dispatched_units - transfer.received_units - transfer.lost_units


def to_come_units(transfer: Transfer) -> int:
    """Return the units that have left and not arrived, given up or not."""
    return on_the_way_units(transfer) + transfer.lost_units


def planned_units(transfer: Transfer) -> int:
    """Return the units that are still to leave the donor."""
    if transfer.state not in TRANSFER_OPEN:
        return 0
    return max(0, transfer.quantity_units - transfer.dispatched_units)


def expected_units(transfer: Transfer) -> int:
    """Return the units that the recipient still expects."""
    if transfer.state not in TRANSFER_OPEN:
        return 0
    return planned_units(transfer) + on_the_way_units(transfer)


def before(transfer: Transfer) -> Before:
    """Return what `settle` has to know of a transfer that is about to change."""
    expected, planned = expected_units(transfer), planned_units(transfer)
    return Before(transfer.state, expected, planned, transfer.lost_units)


def number_of(entity_id: str) -> int:
    """Return the running number at the end of an id."""
    return int(entity_id.rpartition("-")[2])


def make(
    store: Store,
    sku: str,
    from_site: str,
    to_site: str,
    *,
    quantity_units: int,
    state: TransferState,
) -> Transfer:
    """Return a new transfer that nobody has heard of yet; the caller settles it."""
    return Transfer(
        transfer_id=store.next_id("transfer", sku),
        sku=sku,
        from_site=from_site,
        to_site=to_site,
        state=state,
        quantity_units=quantity_units,
        version=0,
        proposed_at_ms=store.now_ms,
    )


def settle(store: Store, transfer: Transfer, was: Before, cause: str) -> None:
    """Bring everything in line with a changed transfer, and tell of it."""
    transfer.version += 1
    is_open = transfer.state in TRANSFER_OPEN
    if not is_open and (was.state in TRANSFER_OPEN or not was.state):
        transfer.closed_at_ms = store.now_ms
    if is_open:
        transfer.closed_at_ms = 0
    if transfer.served:
        coming_units = on_the_way_units(transfer) + planned_units(transfer)
        needs.give_back(store, transfer, transfer.received_units + coming_units)
    store.transfers.put(transfer.transfer_id, transfer)
    _count(store, transfer, was)
    _list(store.book(transfer.sku), transfer)
    store.books.touch(transfer.sku)
    due_ms = due(transfer)
    if due_ms:
        store.timers.arm(("transfer", transfer.transfer_id), due_ms)
    if was.state != transfer.state:
        _tell_planning(store, transfer, was.state)
        _tell_proposed(store, transfer, was.state)
        if transfer.state in REFUSED:
            _remember_refusal(store, transfer)
    if was.lost_units != transfer.lost_units:
        _tell_lost(store, transfer)
    store.outbox.tell_transfer(transfer, cause, store.clock)


def due(transfer: Transfer) -> int:
    """Return when a transfer times out or, ended, is forgotten; 0 for never."""
    if transfer.state in TRANSFER_OPEN:
        return transfer.deadline_ms
    return transfer.closed_at_ms + ENDED_KEPT_MS


def flag(transfer: Transfer, name: str) -> None:
    """Add a flag once."""
    if name not in transfer.flags:
        transfer.flags.append(name)


def progress(transfer: Transfer) -> TransferState:
    """Return the state that the numbers of a transfer on its way mean."""
    if on_the_way_units(transfer) == 0 and planned_units(transfer) == 0:
        return "received" if transfer.received_units else "lost"
    if transfer.received_units:
        return "partly_received"
    left = transfer.dispatched_units >= transfer.quantity_units
    return "in_transit" if left else "dispatched"


def proposal_deadline_ms(store: Store, transfer: Transfer) -> int:
    """Return when a transfer that has not left expires: so long after it could have left."""
    lane = store.catalogue.lane(transfer.from_site, transfer.to_site)
    leaves_ms = store.now_ms
    if lane is not None:
        leaves_ms = departure_ms(lane, store.now_ms + lane.consolidation_ms)
    return leaves_ms + rules_of(store, transfer).proposal_ttl_ms


def planned_leave_ms(store: Store, transfer: Transfer) -> int:
    """Return when a transfer that has not left was to leave, by its `proposal_deadline_ms`."""
    return transfer.deadline_ms - rules_of(store, transfer).proposal_ttl_ms


def transit_deadline_ms(store: Store, transfer: Transfer) -> int:
    """Return when units that leave now are given up as lost."""
    lane = store.catalogue.lane(transfer.from_site, transfer.to_site)
    lead_time_ms = lane.lead_time_ms if lane is not None else 0
    return store.now_ms + lead_time_ms + rules_of(store, transfer).transit_overdue_ms


def rules_of(store: Store, transfer: Transfer) -> Rules:
    """Return the rules of the recipient's level."""
    return store.rules(transfer.sku, transfer.to_site)


def lose(store: Store, transfer: Transfer, cause: str) -> None:
    """Give up what is on the way; what is still to leave is not expected any more either."""
    was = before(transfer)
    units = on_the_way_units(transfer)
    move_on_the_way(store, transfer, "loss", -units, cause, value_minor=-transfer.value_minor)
    transfer.lost_units += units
    transfer.value_minor = 0
    transfer.state = "lost"
    flag(transfer, "overdue")
    settle(store, transfer, was, cause)


def find(store: Store, transfer: Transfer, units: int, cause: str) -> None:
    """Let lost units be on their way again, at the catalogue's cost; the caller settles it."""
    value_minor = units * book.unit_cost_minor(store, transfer.sku)
    move_on_the_way(store, transfer, "loss", units, cause, value_minor=value_minor)
    transfer.lost_units -= units
    transfer.value_minor += value_minor
    needs.allot(store, transfer, units)  # what was missed again when they were lost
    flag(transfer, "found")


def move_on_the_way(
    store: Store,
    transfer: Transfer,
    kind: MovementKind,
    quantity_units: int,
    cause: str,
    *,
    value_minor: int = 0,
) -> None:
    """Write the movement of units on their way, before the transfer's numbers change."""
    if quantity_units:
        book.post_aside(
            store,
            transfer.sku,
            transfer.to_site,
            kind,
            "in_transit",
            quantity_units=quantity_units,
            before_units=on_the_way_units(transfer),
            cause=cause,
            value_minor=value_minor,
            transfer_id=transfer.transfer_id,
        )


def end(store: Store, transfer: Transfer, state: TransferState, cause: str) -> None:
    """End a transfer of which nothing is on its way."""
    was = before(transfer)
    transfer.state = state
    settle(store, transfer, was, cause)


def time_out(store: Store, transfer_id: str) -> int:
    """Act on a transfer's timer; return when it is due otherwise, 0 for never."""
    transfer = store.transfers.get(transfer_id)
    if transfer is None:
        return 0
    due_ms = due(transfer)
    if due_ms == 0 or due_ms > store.now_ms:
        return due_ms
    cause = f"timer/{transfer_id}"
    if transfer.state not in TRANSFER_OPEN:
        _forget(store, transfer)
    elif on_the_way_units(transfer) > 0:
        lose(store, transfer, cause)
    elif transfer.dispatched_units == 0:
        end(store, transfer, "expired", cause)
    else:
        flag(transfer, "short")
        end(store, transfer, "received", cause)
    return 0


def withdraw(store: Store, sku: str, site: str, cause: str, *, of_breach: str = "") -> None:
    """Take back automatic proposals into a site whose shortage is over; flag approved ones.

    With `of_breach` only those that answered that breach, where another shortage lasts.
    """
    for transfer_id in list(store.book(sku).transfers):
        transfer = store.transfers.get(transfer_id)
        if transfer is None or transfer.to_site != site or not transfer.breach_id:
            continue
        if of_breach not in {"", transfer.breach_id}:
            continue
        if transfer.state in {"proposed", "approved", "held"}:
            withdraw_or_flag(store, transfer, "shortage_over", cause)


def withdraw_or_flag(store: Store, transfer: Transfer, name: str, cause: str) -> None:
    """Take back what is only proposed; flag, once, what has been approved: people decide."""
    if transfer.state == "proposed":
        flag(transfer, "withdrawn")
        end(store, transfer, "expired", cause)
    elif name not in transfer.flags:
        was = before(transfer)
        flag(transfer, name)
        settle(store, transfer, was, cause)


def _forget(store: Store, transfer: Transfer) -> None:
    unconfirmed = store.book(transfer.sku).unconfirmed
    if transfer.transfer_id in unconfirmed:
        unconfirmed.remove(transfer.transfer_id)
        store.books.touch(transfer.sku)
    if transfer.lost_units:
        _tell_over(store, transfer, transfer.transfer_id)
    store.transfers.remove(transfer.transfer_id)
    if store.carried.get(transfer.transfer_id) is not None:
        store.carried.remove(transfer.transfer_id)


def _count(store: Store, transfer: Transfer, was: Before) -> None:
    expected = expected_units(transfer) - was.expected_units
    if expected:
        recipient = store.level(transfer.sku, transfer.to_site)
        recipient.in_transit_in_units += expected
        store.touch_level(recipient)
    planned = planned_units(transfer) - was.planned_units
    if planned:
        donor = store.level(transfer.sku, transfer.from_site)
        donor.in_transit_out_units += planned
        store.touch_level(donor)
        if "withdrawn" not in transfer.flags:  # or it would be proposed again, smaller, at once
            backorders.gain(store, donor, -planned)


def _list(sku_book: SkuBook, transfer: Transfer) -> None:
    is_open = transfer.state in TRANSFER_OPEN
    _keep(sku_book.transfers, transfer.transfer_id, is_open)
    awaited = transfer.inferred_units > 0 or transfer.lost_units > 0
    _keep(sku_book.unconfirmed, transfer.transfer_id, not is_open and awaited)
    del sku_book.unconfirmed[:-UNCONFIRMED_KEPT_MAX]


def _keep(ids: list[str], entity_id: str, wanted: bool) -> None:
    if wanted and entity_id not in ids:
        insort(ids, entity_id, key=number_of)
    elif not wanted and entity_id in ids:
        ids.remove(entity_id)


def shipment_line(store: Store, transfer: Transfer) -> ShipmentLine:
    """Return what the planning fold is asked for."""
    lane = store.catalogue.lane(transfer.from_site, transfer.to_site)
    return ShipmentLine(
        transfer_id=transfer.transfer_id,
        sku=transfer.sku,
        from_site=transfer.from_site,
        to_site=transfer.to_site,
        quantity_units=transfer.quantity_units,
        at_ms=store.now_ms,
        consolidation_ms=lane.consolidation_ms if lane is not None else 0,
    )


def shipment_line_withdrawn(store: Store, transfer: Transfer) -> ShipmentLineWithdrawn:
    """Return what takes a line back."""
    return ShipmentLineWithdrawn(
        transfer_id=transfer.transfer_id,
        from_site=transfer.from_site,
        to_site=transfer.to_site,
        at_ms=store.now_ms,
    )


def _tell_planning(store: Store, transfer: Transfer, state_before: str) -> None:
    if transfer.state == "approved":
        store.outbox.plan(transfer.from_site, shipment_line(store, transfer))
    elif state_before == "approved" and transfer.dispatched_units == 0:
        store.outbox.plan(transfer.from_site, shipment_line_withdrawn(store, transfer))


def _tell_proposed(store: Store, transfer: Transfer, state_before: str) -> None:
    if transfer.state == "proposed":
        _raise(store, transfer, lost=False)
    elif state_before == "proposed":
        _tell_over(store, transfer, f"{transfer.transfer_id}.proposed")


def _tell_lost(store: Store, transfer: Transfer) -> None:
    """Say how many units are lost now: the alert ends with the last of them, not the first."""
    if transfer.lost_units:
        _raise(store, transfer, lost=True)
    else:
        _tell_over(store, transfer, transfer.transfer_id)


def _raise(store: Store, transfer: Transfer, *, lost: bool) -> None:
    site, name = transfer.to_site, transfer.transfer_id
    raised = AlertRaised(
        alert_key=name if lost else f"{name}.proposed",
        kind="transfer_lost" if lost else "transfer_proposed",
        site=site,
        sku=transfer.sku,
        severity="critical" if lost else "info",
        at_ms=store.now_ms,
        facts={"quantity_units": transfer.lost_units if lost else transfer.quantity_units},
        text=f"{transfer.from_site}>{site}",
    )
    store.outbox.alert(site, raised)


def _tell_over(store: Store, transfer: Transfer, alert_key: str) -> None:
    store.outbox.end_alert(alert_key, transfer.to_site, store.now_ms)


def _remember_refusal(store: Store, transfer: Transfer) -> None:
    level = store.level(transfer.sku, transfer.to_site)
    for breach in level.breaches:
        if breach.breach_id and breach.breach_id == transfer.breach_id:
            if transfer.from_site not in breach.refused_sites:
                insort(breach.refused_sites, transfer.from_site)
            store.touch_level(level)
    if not {"withdrawn", "ordered"}.intersection(transfer.flags):
        needs.refuse_transfer(store, level, transfer.from_site)
