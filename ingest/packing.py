"""Frames made in parts: items become bytes soon after they are made. Pure.

A frame's items are many, and would have left the processor's cache before the frame is full; packed
a few at a time they are read, and forgotten, while they are still there. The bytes are those of
`ingest.frames.FrameCodec.encode`.
"""

from typing import Final

import msgspec

from ingest.frames import FRAME_VERSION, Frame, InputItem

ITEMS_MAX: Final = 65_535
"""Of one frame: more would need a longer header."""
_SHORT_ARRAY: Final = 16
"""msgpack tells the length of an array of fewer items in its first byte, else in two more."""
_ENCODE: Final = msgspec.msgpack.Encoder().encode
_HEAD: Final = bytes([FRAME_VERSION])


def packed(items: list[InputItem]) -> bytes:
    """Return a part of a frame's items; at most `ITEMS_MAX` of them."""
    return _ENCODE(items)[1 if len(items) < _SHORT_ARRAY else 3 :]


def joined(
    parts: bytes | bytearray, count: int, *, received_at_ms: int, reference_version: int
) -> bytes:
    """Return the frame of packed parts, one after the other, that hold `count` items in all."""
    empty = _ENCODE(Frame[InputItem](received_at_ms, reference_version, []))
    short = count < _SHORT_ARRAY
    header = bytes([0x90 | count]) if short else b"\xdc" + count.to_bytes(2, "big")
    return b"".join((_HEAD, empty[:-1], header, parts))
