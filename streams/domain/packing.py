"""Which logistic units a transfer is packed in, as its scans say."""

from typing import Final

from streams.contracts.state import Transfer
from streams.contracts.units import UnitPacked
from streams.domain.store import Store

SSCCS_KEPT_MAX: Final = 16
"""Units that a transfer remembers; planning knows the older ones, too."""
UNKNOWN_UNIT: Final = "unknown_unit"
"""Flag of an arrival beside whose article stands the SSCC of no unit its transfers left in."""


def pack(store: Store, transfer: Transfer, sscc: str, quantity_units: int) -> None:
    """Note that units of a transfer leave in a logistic unit; the caller settles the transfer."""
    if sscc not in transfer.ssccs:
        transfer.ssccs = [*transfer.ssccs, sscc][-SSCCS_KEPT_MAX:]
    _tell(store, transfer, sscc, quantity_units)


def unpack(store: Store, shares: list[tuple[Transfer, int]], sscc: str) -> bool:
    """Note that units were taken out by their own scan; False where none left in that unit."""
    packed = [(transfer, units) for transfer, units in shares if sscc in transfer.ssccs]
    for transfer, units in packed:
        _tell(store, transfer, sscc, -units)
    return bool(packed)


def may_hold(transfer: Transfer, sscc: str) -> bool:
    """Tell whether a unit may hold some of a transfer: it left in it, as far as is remembered."""
    return sscc in transfer.ssccs or len(transfer.ssccs) == SSCCS_KEPT_MAX


def _tell(store: Store, transfer: Transfer, sscc: str, quantity_units: int) -> None:
    told = UnitPacked(
        sscc=sscc,
        transfer_id=transfer.transfer_id,
        to_site=transfer.to_site,
        quantity_units=quantity_units,
    )
    store.outbox.plan(sscc, told)
