"""What a command that voids a scan carries of the ledger: the fold keeps no ledger to look into."""

from typing import Annotated, Final

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from ingest.contracts import patterns

VOIDED_MOVEMENTS_MAX: Final = 256
"""Movements that one scan may have left: an arrival has three for each transfer it serves."""


class VoidedMovement(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One movement of the scan to be voided; fields as in the ledger's `Movement`."""

    movement_id: str
    site: str
    kind: str
    bucket: str
    quantity_units: int
    value_minor: int
    effective_at_ms: int
    recorded_at_ms: int
    transfer_id: str = ""
    lot: str = ""
    flags: tuple[str, ...] = ()
    lot_units: dict[str, int] | None = None
    served: dict[str, int] | None = None


class MovementFacts(BaseModel):
    """The same as `VoidedMovement`, off the hot path."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    movement_id: Annotated[str, Field(pattern=patterns.MOVEMENT_ID)]
    site: str
    kind: str
    bucket: str
    quantity_units: int
    value_minor: int
    effective_at_ms: int
    recorded_at_ms: Annotated[int, Field(ge=0)]
    transfer_id: str = ""
    lot: str = ""
    flags: tuple[str, ...] = ()
    lot_units: dict[str, int] | None = None
    served: dict[str, int] | None = None
