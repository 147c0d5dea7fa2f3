"""What arrived in a logistic unit, as the stock fold reads it; an item of the input log."""

from typing import Final

import msgspec

SSCC_LENGTH: Final = 18
"""Digits of a serial shipping container code (GS1), its check digit the last."""


class UnitArrivedInput(msgspec.Struct, frozen=True, array_like=True, tag=11, gc=False):
    """Units of one transfer came in a logistic unit whose SSCC was scanned by itself.

    The planning fold writes it: it knows what each unit holds, whatever its SKUs.
    """

    sscc: str
    sku: str
    site: str
    transfer_id: str
    quantity_units: int
    """Base units of the transfer that were packed into it."""
    source: str
    """This and the next two: the scan of the SSCC."""
    boot: str
    seq: int
    observed_at_ms: int
    historical: bool = False
