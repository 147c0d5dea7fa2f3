"""What a channel has to remember so that its values become counts: parts of a level's record."""

import msgspec


class LoadCell(msgspec.Struct, array_like=True, gc=False):
    """What a measured shelf needs to be read: see `streams.domain.load_cells`.

    Parts are thousandths of a gram (or of a millimetre, for a distance sensor).
    """

    offset_parts: int = 0
    """The drift of the tare, as learned while the count was certain."""
    foreign_parts: int = 0
    """Something on the shelf that is no multiple of a unit: set aside, not counted."""
    confidence_pct: int = 0
    """How surely the count is right; 0 until the first value has settled."""
    settle_ms: int = 0
    pending_at_ms: int = 0
    """Fold's time since when a new value waits to settle; 0 where none does."""
    pending_parts: int = 0
    unit_parts: int = 0
    zero_parts: int = 0
    """Unit and tare (or span) by the catalogue: with others the shelf is learned anew."""
    still_stretches: int = 0
    """How many times `settle_ms` the waiting value has held so far."""


class TagRound(msgspec.Struct, array_like=True, gc=False):
    """Which RFID tags a channel holds for present: see `streams.domain.rfid`."""

    missed_permille: int
    """How many of the tags that are there a round misses, as learned."""
    entries: bytes = b""
    """In order of the tags: 8 bytes of a tag's digest, and how many rounds in a row missed it."""
    rounds: int = 0
    """Rounds heard, as far as they matter: the first ones are no count."""
