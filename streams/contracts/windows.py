"""Sequence windows as they stand in `shelfstream.stock`: what of a source was already heard."""

import msgspec


class BootWindow(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """Sequence numbers seen of one boot of a source in this partition."""

    boot: str
    """With `.h` at the end for the lane of buffered, historical events."""
    top_seq: int
    seen: bytes
    """Bitmap, bit i (little endian) is `top_seq - i`; 2,048 bits at most."""
    used_at_ms: int = 0


class SourceWindow(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """Sequence windows of one source in this partition."""

    source: str
    boots: list[BootWindow] = []
    closed: bytes = b""
    """Digests (8 bytes each) of the lanes whose window was dropped, oldest first."""
