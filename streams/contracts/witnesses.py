"""Book and shelf of a SKU at a site, side by side: where they differ, since when, and why perhaps.

Records of `shelfstream.stock` and events of `shelfstream.events`. Only a SKU whose policy watches
its witnesses has them.
"""

from typing import Final, Literal

import msgspec

WitnessKind = Literal["phantom_stock", "ghost_stock", "shelf_gap", "theft_like_drop", "dead_stock"]
WITNESS_KINDS: Final[tuple[WitnessKind, ...]] = (
    "phantom_stock",
    "ghost_stock",
    "shelf_gap",
    "theft_like_drop",
    "dead_stock",
)
GapCause = Literal[
    "unscanned_sale",
    "theft",
    "misplaced",
    "tare_drift",
    "missed_receipt",
    "mistaken_scan",
    "unknown",
]
UNSEEN: Final = -1
"""In the place of the shelf's units: nobody saw it."""


class Watch(msgspec.Struct, array_like=True, gc=False):
    """One of `WITNESS_KINDS` at one level: waiting for its dwell, or open."""

    kind: WitnessKind
    since_ms: int
    breach_id: str = ""
    """Empty while the dwell has not passed."""
    opened_at_ms: int = 0
    observed_at_ms: int = 0


class WitnessRecord(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """What the fold remembers of the two witnesses of one SKU at one site."""

    sku: str
    site: str
    seen_book_units: int = 0
    seen_shelf_units: int = UNSEEN
    """As last looked at."""
    agreed_book_units: int = 0
    agreed_shelf_units: int = UNSEEN
    """When they last agreed, or were first compared: what moved since hints at the cause. Shelf
    and watched backroom together."""
    gap_id: str = ""
    """`gap-{sku}-{running number}`; empty while none is open."""
    gap_units: int = 0
    """Shelf and watched backroom less book, while they differ."""
    gap_since_ms: int = 0
    """0 while they agree."""
    gap_cause: GapCause = "unknown"
    drop_since_ms: int = 0
    """When the shelf began to fall without a scan; 0 while it doesn't."""
    drop_gap_units: int = 0
    """Book less shelf and watched backroom before that."""
    idle_days: int = 0
    """Closed days in a row on which nothing was issued while stock was on hand."""
    watches: list[Watch] = []
    """Sorted by kind."""
    seen_backroom_units: int = 0
    """As last looked at; 0 too where no sensor watches the backroom."""


class WitnessGapChanged(msgspec.Struct, frozen=True, array_like=True, tag=50, kw_only=True):
    """Book and shelf have differed for the dwell, the guess at the cause changed, or they agree."""

    gap_id: str
    sku: str
    site: str
    state: Literal["open", "closed"]
    at_ms: int
    since_ms: int
    gap_units: int
    """Shelf and watched backroom less book."""
    cause: GapCause
    """A guess, from what moved since both agreed."""
    decided_from: dict[str, int] = {}


WITNESS: Final = "witness"
"""Kind of state key, of a SKU and a site."""
