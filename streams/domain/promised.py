"""What a site has promised to send and can no longer spare: withdrawn, or flagged once approved.

A proposal was made from a surplus. Once the site has sold into what it keeps, the newest
proposals are taken back until the rest can be spared; what has been approved is flagged.
"""

from typing import Final

from streams.contracts.state import TRANSFER_OPEN, Level, Transfer
from streams.domain import transfers
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
