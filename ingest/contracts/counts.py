"""Counting: what people ask of a count session, and what its lines ask of the stock fold.

A session spans SKUs, so it lives in the planning fold, by site; each of its lines is answered by
the stock fold in the partition of its SKU. Commands go to `shelfstream.plans`.
"""

from typing import Final, Literal

import msgspec

from ingest.contracts.durations import DAY_MS

COUNT_LINES_MAX: Final = 500
"""SKUs of one session."""
SESSION_TTL_MS_DEFAULT: Final = DAY_MS
SESSION_TTL_MS_MAX: Final = 14 * DAY_MS

CountVerb = Literal["open", "enter", "approve", "recount", "close", "cancel"]
CountLineAction = Literal["open", "enter", "approve", "recount", "close"]
CountSensed = Literal["count", "prefill", "skip"]
"""What a session does with a shelf whose sensors agree with the book."""


class CountLineInput(msgspec.Struct, frozen=True, array_like=True, tag=20, gc=False):
    """What a count session asks of one SKU at its site; an item of the input log."""

    session_id: str
    sku: str
    site: str
    action: CountLineAction
    actor: str
    quantity_units: int = 0
    counted_at_ms: int = 0
    """When the counter looked: the book is compared as it stood then. 0 for now."""
    blind: bool = False
