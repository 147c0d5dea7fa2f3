"""Sequence windows: which numbers of a source's session this partition has seen.

Live and buffered events of a session have lanes of their own, for a buffered event may be far
behind the live ones. A partition sees a sparse part of a source's numbers, so a gap is no fault.
"""

from hashlib import blake2b
from typing import Final, Literal

import msgspec

from streams.contracts.windows import BootWindow, SourceWindow

WINDOW_BITS: Final = 2_048
BOOTS_PER_SOURCE_MAX: Final = 8
"""Sessions of a source that have a window, in each of its two lanes."""
LANES_CLOSED_MAX: Final = 512
"""Lanes of a source, of both kinds, remembered as closed once their window was dropped."""
HISTORICAL_SUFFIX: Final = ".h"

Admission = Literal["new", "repeat", "too_old"]

_DIGEST_BYTES: Final = 8
_MASK: Final = (1 << WINDOW_BITS) - 1
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(SourceWindow)


class Lane:
    """The window of one lane; bit i of `seen` is number `top_seq - i`."""

    __slots__ = ("seen", "top_seq", "used_at_ms")

    def __init__(self, top_seq: int, seen: int, used_at_ms: int) -> None:
        """Take the newest number, the bitmap and when it was last used (fold time)."""
        self.top_seq = top_seq
        self.seen = seen
        self.used_at_ms = used_at_ms

    def admit(self, seq: int, now_ms: int) -> Admission:
        """Say whether a number is new, and remember it."""
        ahead = seq - self.top_seq
        if ahead > 0:
            self.seen = ((self.seen << ahead) & _MASK) | 1 if ahead < WINDOW_BITS else 1
            self.top_seq = seq
        elif ahead <= -WINDOW_BITS:
            return "too_old"
        else:
            bit = 1 << -ahead
            if self.seen & bit:
                return "repeat"
            self.seen |= bit
        self.used_at_ms = now_ms
        return "new"


class SourceLanes:
    """The windows of one source by lane name, in the order in which the lanes began."""

    __slots__ = ("closed", "lanes", "source")

    def __init__(self, source: str) -> None:
        """Begin with no lane."""
        self.source = source
        self.lanes: dict[str, Lane] = {}
        self.closed = b""
        """Digests of the lanes whose window was dropped, oldest first."""

    def admit(self, boot: str, seq: int, *, historical: bool, now_ms: int) -> Admission:
        """Say whether a number of a session is new, and remember it."""
        name = boot + HISTORICAL_SUFFIX if historical else boot
        lane = self.lanes.get(name)
        if lane is not None:
            return lane.admit(seq, now_ms)
        if self.closed and self._is_closed(name):
            return "too_old"  # which of its numbers were seen is not known any more
        self.lanes[name] = Lane(seq, 1, now_ms)
        self._forget_oldest(historical=historical)
        return "new"

    def _forget_oldest(self, *, historical: bool) -> None:
        names = [name for name in self.lanes if name.endswith(HISTORICAL_SUFFIX) == historical]
        if len(names) > BOOTS_PER_SOURCE_MAX:
            oldest = min(names[:-1], key=lambda name: self.lanes[name].used_at_ms)
            del self.lanes[oldest]
            closed = self.closed + _digest(oldest)
            self.closed = closed[-LANES_CLOSED_MAX * _DIGEST_BYTES :]

    def _is_closed(self, name: str) -> bool:
        wanted, closed = _digest(name), self.closed
        return any(
            closed[begin : begin + _DIGEST_BYTES] == wanted
            for begin in range(0, len(closed), _DIGEST_BYTES)
        )


def _digest(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=_DIGEST_BYTES).digest()


def encode_lanes(lanes: SourceLanes) -> bytes:
    """Return the state record of a source."""
    boots = [
        BootWindow(
            boot=name,
            top_seq=lane.top_seq,
            seen=lane.seen.to_bytes((lane.seen.bit_length() + 7) // 8, "little"),
            used_at_ms=lane.used_at_ms,
        )
        for name, lane in lanes.lanes.items()
    ]
    window = SourceWindow(source=lanes.source, boots=boots, closed=lanes.closed)
    return _ENCODER.encode(window)


def decode_lanes(value: bytes) -> SourceLanes:
    """Return the windows in a source's state record."""
    window = _DECODER.decode(value)
    lanes = SourceLanes(window.source)
    lanes.closed = window.closed
    for boot in window.boots:
        seen = int.from_bytes(boot.seen, "little")
        lanes.lanes[boot.boot] = Lane(boot.top_seq, seen, boot.used_at_ms)
    return lanes
