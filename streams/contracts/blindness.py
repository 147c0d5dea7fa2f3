"""Blind intervals: times in which a sensor of a SKU at a site saw nothing. Unknown is not zero."""

from typing import Literal

import msgspec

BlindCause = Literal["offline", "silent", "historical"]
"""Its device said so, or its last will; it owed a report for too long; only history was heard."""


class BlindIntervalChanged(msgspec.Struct, frozen=True, array_like=True, tag=51, kw_only=True):
    """The first channel of a level turned blind, or the last blind one sees again."""

    blind_id: str
    """`blind-{sku}-{running number}`."""
    sku: str
    site: str
    state: Literal["open", "closed"]
    at_ms: int
    since_ms: int
    """When it began, by the fold's time; the end is `at_ms` of the closed one."""
    cause: BlindCause
    """Of the channel that turned blind first."""
    channels: list[str] = []
    """The blind ones when it began, sorted; none at its end."""
    reference_version: int = 0
    """Number of the catalogue load whose policies held."""
