"""Which tasks an event means for the floor: changed transfers, held lots. Pure."""

from typing import Final

from alerting.contracts import FloorTask, FloorTaskKind
from streams.contracts.events import BreachCleared, BreachOpened, StreamEvent, TransferChanged
from streams.contracts.lots import LotHeld
from streams.contracts.state import Transfer

_CALLED_OFF: Final = frozenset({"held", "rejected", "cancelled", "expired"})
_ON_ITS_WAY: Final = frozenset({"dispatched", "in_transit"})


def tasks_of(event: StreamEvent) -> list[FloorTask]:
    """Return the tasks of an event; most mean none."""
    if isinstance(event, TransferChanged):
        return _of_transfer(event)
    if isinstance(event, BreachOpened | BreachCleared):
        return [_of_gap(event)] if event.kind == "shelf_gap" else []
    return [_of_hold(event)] if isinstance(event, LotHeld) else []


def _of_gap(event: BreachOpened | BreachCleared) -> FloorTask:
    """Return what the floor does about a bare shelf: refill it, or no longer.

    It is over when the shelf rose, nothing is left in the backroom, or the policy says so.
    """
    opened = isinstance(event, BreachOpened)
    return FloorTask(
        task_id=f"{event.breach_id}/refill/1" if opened else f"{event.breach_id}/cancelled/2",
        task="refill" if opened else "cancelled",
        transfer_id="",
        version=1 if opened else 2,
        sku=event.sku,
        site=event.site,
        from_site=event.site,
        to_site=event.site,
        quantity_units=event.decided_from["refill_units"] if isinstance(event, BreachOpened) else 0,
        state="shelf_gap" if opened else "over",
        at_ms=event.at_ms,
    )


def _of_hold(event: LotHeld) -> FloorTask:
    """Units to be put aside, or back; none of a recalled lot: look among those of no known lot."""
    task: FloorTaskKind = "release" if event.cause in {"release", "lift"} else "quarantine"
    return FloorTask(
        task_id=f"{event.hold_id}/{task}/1",
        task=task,
        transfer_id="",
        version=1,
        sku=event.sku,
        site=event.site,
        from_site=event.site,
        to_site=event.site,
        quantity_units=abs(event.quantity_units),
        state=event.cause,
        at_ms=event.at_ms,
        lot=event.lot,
        reason=event.reason,
    )


def _of_transfer(event: TransferChanged) -> list[FloorTask]:
    """Return the tasks, donor first.

    Approved: the donor dispatches. On its way: the recipient expects it. Called off, also when
    held: the donor drops the task, and so does the recipient where units had left already.
    """
    transfer = event.transfer
    if transfer.state == "approved":
        return [_task(event, "dispatch", transfer.from_site, transfer.quantity_units)]
    if transfer.state in _ON_ITS_WAY:
        return [_task(event, "expect_arrival", transfer.to_site, _under_way_units(transfer))]
    if transfer.state in _CALLED_OFF:
        sites = [transfer.from_site] + [transfer.to_site] * (transfer.dispatched_units > 0)
        return [_task(event, "cancelled", site, transfer.quantity_units) for site in sites]
    return []


def _under_way_units(transfer: Transfer) -> int:
    return (transfer.dispatched_units or transfer.quantity_units) - transfer.received_units


def _task(event: TransferChanged, task: FloorTaskKind, site: str, quantity_units: int) -> FloorTask:
    transfer = event.transfer
    return FloorTask(
        task_id=f"{transfer.transfer_id}/{task}/{transfer.version}",
        task=task,
        transfer_id=transfer.transfer_id,
        version=transfer.version,
        sku=transfer.sku,
        site=site,
        from_site=transfer.from_site,
        to_site=transfer.to_site,
        quantity_units=max(0, quantity_units),
        shipment_id=transfer.shipment_id,
        state=transfer.state,
        at_ms=event.at_ms,
    )
