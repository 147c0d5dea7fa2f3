"""The ledger: each change of a quantity, as frames in `shelfstream.movements`."""

from typing import Final, Literal

import msgspec

from ingest.frames import FrameCodec

MovementKind = Literal[
    "opening",
    "receive",
    "pick",
    "sale",
    "return",
    "waste",
    "adjust",
    "count",
    "dispatch",
    "dispatch_inferred",
    "arrive",
    "open",
    "loss",
    "reserve",
    "release",
    "fulfil",
    "transit_in",
    "refused",
    "void",
    "quarantine",
]
Bucket = Literal["on_hand", "reserved", "in_transit", "quarantined"]


class Movement(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    """One change of one quantity of one SKU at one site.

    The book of a key is the sum of `quantity_units` of its `on_hand` movements. Each scan leaves
    exactly one `on_hand` movement at its own site, of quantity 0 where it moved nothing (a late
    dispatch already inferred, a refused sale), so that no scan can vanish unseen.
    """

    movement_id: str
    sku: str
    site: str
    kind: MovementKind
    bucket: Bucket
    quantity_units: int
    """Signed."""
    before_units: int
    after_units: int
    cause: str
    """`{source}/{boot}/{seq}` of a scan, a command id, an import id, an order line, or `void/` and
    the id of the movement that was taken back."""
    effective_at_ms: int
    recorded_at_ms: int
    unit_cost_minor: int = 0
    value_minor: int = 0
    """Signed change of the book's value at moving-average cost."""
    transfer_id: str = ""
    lot: str = ""
    flags: list[str] = []
    lot_units: dict[str, int] | None = None
    """Where lots are tracked: signed units by lot, under the empty name those of no known lot."""
    served: dict[str, int] | None = None
    """Of a receipt: units by request that it served; None in what was written before this was."""


MOVEMENT_FRAMES: Final[FrameCodec[Movement]] = FrameCodec(Movement)


def scan_cause(source: str, boot: str, seq: int) -> str:
    """Return the cause text of a scan."""
    return f"{source}/{boot}/{seq}"
