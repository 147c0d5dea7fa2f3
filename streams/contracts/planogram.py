"""Planogram: what the stock fold keeps of channels that leave a shelf."""

from typing import Final

import msgspec

from ingest.contracts.planogram import Spans

PLANOGRAM: Final = "planogram"
"""Kind of state key: `planogram`, SKU, site, `device/channel`."""


class Planogram(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """When a channel watches a level, for as long as its readings may come after the end of it."""

    spans: Spans = ()
    """As in `PlanogramRecord`; empty where the catalogue no longer knows it."""
    reference_version: int = 0
    """The catalogue load that said so."""
    due_ms: int = 0
    """When a span next ends, or this is forgotten; 0 for never."""
