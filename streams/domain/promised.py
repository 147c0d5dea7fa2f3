"""What a site has promised to send and can no longer spare: withdrawn, or flagged once approved.

A proposal was made from a surplus. Once the site has sold into what it keeps, the newest
proposals are taken back until the rest can be spared; what has been approved is flagged.
"""

from typing import Final

from streams.contracts.state import TRANSFER_OPEN, Level, Transfer
from streams.domain import transfers
from streams.domain.calendars import departure_ms
from streams.domain.catalogue import Rules
from streams.domain.store import Store

BELOW_HOLD_BACK: Final = "below_hold_back"
"""Flag of a transfer that leaves less at its donor than that keeps."""


def kept_units(rules: Rules) -> int:
    """Return what a site does not send: all that comes may go on from where it is cross-docked."""
    return rules.hold_back_units if rules.cross_dock else rules.kept_units


def review(store: Store, level: Level, rules: Rules, available_units: int) -> None:
    """Take back or flag what is planned to leave a level and can't be spared any more."""
    if not level.in_transit_out_units:
        return
    over_units = kept_units(rules) + level.in_transit_out_units - available_units
    if over_units <= 0:
        return
    for transfer in reversed(_leaving(store, level)):
        if over_units <= 0:
            return
        over_units -= transfers.planned_units(transfer)
        cause = f"surplus/{level.sku}/{level.site}"
        transfers.withdraw_or_flag(store, transfer, BELOW_HOLD_BACK, cause)


def time_out(store: Store, transfer_id: str) -> int:
    """Act on a transfer's timer; return when it is due otherwise, 0 for never.

    One that has not left, and whose lane has come to leave later than when it was planned, waits.
    """
    transfer = store.transfers.get(transfer_id)
    if transfer is not None and 0 < transfers.due(transfer) <= store.now_ms:
        deadline_ms = _later_deadline_ms(store, transfer)
        if deadline_ms > store.now_ms:
            was = transfers.before(transfer)
            transfer.deadline_ms = deadline_ms
            transfers.settle(store, transfer, was, f"timer/{transfer_id}")
            return 0
    return transfers.time_out(store, transfer_id)


def _later_deadline_ms(store: Store, transfer: Transfer) -> int:
    """Return when a transfer expires by its lane as that is now; 0 for one that left or ended."""
    lane = store.catalogue.lane(transfer.from_site, transfer.to_site)
    if lane is None or transfer.state not in TRANSFER_OPEN or transfer.dispatched_units:
        return 0
    leaves_ms = transfers.planned_leave_ms(store, transfer)
    return transfer.deadline_ms + departure_ms(lane, leaves_ms) - leaves_ms


def _leaving(store: Store, level: Level) -> list[Transfer]:
    found = (store.transfers.get(name) for name in store.book(level.sku).transfers)
    return [
        one
        for one in found
        if one is not None
        and one.from_site == level.site
        and one.state in TRANSFER_OPEN
        and transfers.planned_units(one) > 0
    ]
