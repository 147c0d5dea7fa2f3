"""Frames made in parts: items become bytes soon after they are made. Pure.

An item is handed on as pieces: whole, or a reading as the bytes that its channel's readings share
and between them what the event says. A frame's items are many, and would have left the processor's
cache before the frame is full; packed a few at a time they are read, and forgotten, while they are
still there. The bytes are those of `ingest.frames.FrameCodec.encode`.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ingest.frames import FRAME_VERSION, Frame, InputItem, ReadingInput

ITEMS_MAX: Final = 65_535
"""Of one frame: more would need a longer header."""
_SHORT_ARRAY: Final = 16
"""msgpack tells the length of an array of fewer items in its first byte, else in two more."""
_ENCODE: Final = msgspec.msgpack.Encoder().encode
_HEAD: Final = bytes([FRAME_VERSION])
READING_PIECES: Final = 8
"""Of a reading: its head, six values of the event's own, its tail. Any other item is one piece."""


def packed(pieces: Sequence[Any]) -> bytes:
    """Return the bytes of pieces; at most 65,535 of them."""
    return _ENCODE(pieces)[1 if len(pieces) < _SHORT_ARRAY else 3 :]


def reading_head(*fields: str) -> msgspec.Raw:
    """Return a piece with the fields of a reading before its boot."""
    return msgspec.Raw(_READING + packed(fields))


def reading_tail(*fields: int | bytes) -> msgspec.Raw:
    """Return a piece with the fields of a reading after its value."""
    return msgspec.Raw(packed(fields))


def _opening(item: InputItem) -> bytes:
    """Return an item's bytes before its first field: how many there are, and its tag."""
    fields = packed(msgspec.structs.astuple(item))
    return _ENCODE(item)[: -len(fields)]


_READING: Final = _opening(ReadingInput("", "", "", "", "", "", 0, 0, False, "units", 0))


def joined(
    parts: bytes | bytearray, count: int, *, received_at_ms: int, reference_version: int
) -> bytes:
    """Return the frame of packed parts, one after the other, that hold `count` items in all."""
    empty = _ENCODE(Frame[InputItem](received_at_ms, reference_version, []))
    short = count < _SHORT_ARRAY
    header = bytes([0x90 | count]) if short else b"\xdc" + count.to_bytes(2, "big")
    return b"".join((_HEAD, empty[:-1], header, parts))
