"""Lots of a SKU at a site, what of them is held back, and what is told of it.

Records of `shelfstream.stock` and events of `shelfstream.events`. Only a SKU whose policy tracks
lots has them.
"""

from typing import Final, Literal

import msgspec

from streams.contracts.serials import SERIALS, SerialBook

LOTS_MAX: Final = 64
"""Lots of one SKU at one site that are told apart; what is above stands in the unknown rest."""
RECALLS_MAX: Final = 256
"""Recalled lots of one SKU; another recall is refused until one is lifted."""

FRESH: Final = 0
NEAR: Final = 1
EXPIRED: Final = 2
"""Stages of a lot: far from its expiry (or without one), near it by policy, past it."""


class Lot(msgspec.Struct, array_like=True, gc=False):
    """Units of one lot at one site; one without units is forgotten."""

    lot: str
    """As scanned; `exp:2026-11-30` where only the expiry date was."""
    expires_at_ms: int = 0
    """End of the last day on which it may be sold; 0 where unknown."""
    units: int = 0
    quarantined_units: int = 0
    """Of `units`: held back by a command or a recall."""
    stage: int = FRESH


class LotBook(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """The lots of one SKU at one site; together with the unknown rest they are what is on hand."""

    sku: str
    site: str
    lots: list[Lot] = []
    """First to expire first, then by name; those that never expire last."""
    unknown_units: int = 0
    """On hand of no known lot; below zero where more has left than was there."""
    held_units: int = 0
    """What of the level's quarantined units stands in these lots: quarantined or expired."""
    breach_id: str = ""
    """The open `near_expiry` breach."""
    breach_stage: int = FRESH
    """What the breach last told of: `NEAR`, or `EXPIRED` where expired units stand there."""
    breach_opened_at_ms: int = 0
    updated_at_ms: int = 0
    """When it last changed; 0 in a record of before this was kept."""


class CarriedLot(msgspec.Struct, array_like=True, gc=False):
    """Units of one lot that left with a transfer and have not arrived."""

    lot: str
    expires_at_ms: int
    units: int


class CarriedLots(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """What a transfer carries, as far as its lots are known."""

    transfer_id: str
    lots: list[CarriedLot] = []


class Recall(msgspec.Struct, array_like=True, gc=False):
    """A lot that must not be sold anywhere, until the recall is lifted."""

    lot: str
    at_ms: int
    command_id: str


class SkuRecalls(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """The recalled lots of one SKU, oldest first."""

    sku: str
    recalls: list[Recall] = []


HoldCause = Literal["recall", "arrival", "quarantine", "release", "lift"]


class LotHeld(msgspec.Struct, frozen=True, array_like=True, tag=40, kw_only=True):
    """Units of a lot at one site were held back, or let go again."""

    hold_id: str
    """`hold-{sku}-{running number}`."""
    sku: str
    site: str
    lot: str
    """Empty where units were held back whatever their lot."""
    cause: HoldCause
    quantity_units: int
    """Held back by this; below zero: let go."""
    quarantined_units: int
    """Of the lot, or of no named lot, now."""
    unknown_units: int
    """On hand of no known lot: some of them may belong to it."""
    at_ms: int
    command_id: str = ""
    """Of the recall, where it was held on arrival."""
    actor: str = ""
    reason: str = ""
    reference_version: int = 0
    """Number of the catalogue load whose policies held."""


LOTS: Final = "lots"
CARRIED: Final = "carried"
RECALLS: Final = "recalls"
"""Kinds of state keys: of SKU and site, of a transfer, of a SKU."""

LOT_STRUCTS: Final[dict[str, type[msgspec.Struct]]] = {
    LOTS: LotBook,
    CARRIED: CarriedLots,
    RECALLS: SkuRecalls,
    SERIALS: SerialBook,
}
"""The struct behind each kind of key."""
