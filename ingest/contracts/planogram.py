"""What the stock fold is told of the planogram: which shelf a channel watches, and when."""

from typing import Final

import msgspec

NEVER_ENDS_MS: Final = 2**62
"""End of a span that is still open."""

Spans = tuple[tuple[int, int], ...]
"""Times in order: from when on (event time, UTC milliseconds), and until when."""


class PlanogramRecord(msgspec.Struct, frozen=True, array_like=True, tag=8, gc=False):
    """The spans of time in which a channel watches a SKU at a site; without a SKU, the device.

    Told only where such a time ends, or is no longer to end: a channel that has watched one shelf
    from its beginning needs no word.
    """

    device: str
    channel: str
    sku: str
    site: str
    spans: Spans = ()


def never_ends(spans: Spans) -> bool:
    """Tell whether this is one span that is still open."""
    return len(spans) == 1 and spans[0][1] == NEVER_ENDS_MS
