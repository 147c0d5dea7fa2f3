"""Logistic units (pallets, boxes with an SSCC): what is in them, told to and kept by planning.

`shelfstream.plan-state` holds `LogisticUnit` records, in the partition of their SSCC.
"""

from typing import Final

import msgspec


class UnitPacked(msgspec.Struct, frozen=True, array_like=True, tag=70, kw_only=True):
    """Units of a transfer left in a logistic unit, or were taken out of it by their own scan."""

    sscc: str
    transfer_id: str
    to_site: str
    quantity_units: int
    """Base units; negative for what was taken out."""


class UnitArrived(msgspec.Struct, frozen=True, array_like=True, tag=71, kw_only=True):
    """An SSCC was scanned by itself, where the unit arrived."""

    sscc: str
    site: str
    source: str
    boot: str
    seq: int
    observed_at_ms: int
    historical: bool = False


class UnitLine(msgspec.Struct, array_like=True):
    """What is in a unit of one transfer, base units."""

    to_site: str
    quantity_units: int


class LogisticUnit(msgspec.Struct, array_like=True, kw_only=True):
    """A unit and what it holds that has not arrived."""

    sscc: str
    lines: dict[str, UnitLine] = {}
    """By transfer id."""
    until_ms: int
    """When it is forgotten."""
    arrived_site: str = ""
    """Where it was scanned last; empty before."""
    arrived_at_ms: int = 0
    flags: list[str] = []
    """`full`: more transfers than a unit may hold were packed into it."""


UNIT: Final = "unit"
"""Kind of state key, of an SSCC."""

UNIT_STRUCTS: Final[dict[str, type[msgspec.Struct]]] = {UNIT: LogisticUnit}
