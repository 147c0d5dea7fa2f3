"""The word on `…/accepted`: which numbers of a device are in Kafka. Pure.

Numbers are gathered a device for a few milliseconds, so that a sender of single events hears one
receipt for many of them.
"""

from typing import Final

import msgspec

from ingest.normalise import Range

RECEIPT_AGE_MS_MAX: Final = 50
RECEIPT_RANGES_MAX: Final = 1_000
"""A receipt with as many ranges is sent at once."""


class _Range(msgspec.Struct, frozen=True, gc=False):
    boot: str
    first: int
    last: int


class _Receipt(msgspec.Struct, frozen=True, gc=False):
    ranges: list[_Range]


_ENCODER: Final = msgspec.json.Encoder()


class _Told:
    """The ranges of one topic: those that are closed, and the one that may grow."""

    __slots__ = ("boot", "closed", "first", "last")

    def __init__(self, boot: str, first: int, last: int) -> None:
        self.closed: list[Range] = []
        self.boot = boot
        self.first = first
        self.last = last

    def ranges(self) -> list[Range]:
        return [*self.closed, (self.boot, self.first, self.last)]


class ReceiptBook:
    """Numbers accepted and not told yet, by the topic they are told on."""

    def __init__(self) -> None:
        """Begin with none."""
        self._told: dict[str, _Told] = {}
        self._full: list[tuple[str, bytes]] = []
        self._opened_at_ms = 0

    def __len__(self) -> int:
        """Return how many receipts are not taken out yet."""
        return len(self._told) + len(self._full)

    def add(self, topic: str, ranges: list[Range], at_ms: int) -> None:
        """Note accepted numbers; ranges that continue the last one are joined with it."""
        told = self._told.get(topic)
        for boot, first, last in ranges:
            if told is None:
                if not self._told:
                    self._opened_at_ms = at_ms
                told = self._told[topic] = _Told(boot, first, last)
            elif first == told.last + 1 and boot == told.boot:
                told.last = last
            else:
                told.closed.append((told.boot, told.first, told.last))
                told.boot, told.first, told.last = boot, first, last
        if told is not None and len(told.closed) >= RECEIPT_RANGES_MAX - 1:
            self._full.append((topic, receipt_bytes(self._told.pop(topic).ranges())))

    def due(self, at_ms: int) -> list[tuple[str, bytes]]:
        """Take out the receipts to publish now, as (topic, payload)."""
        if self._told and at_ms - self._opened_at_ms >= RECEIPT_AGE_MS_MAX:
            return self.seal()
        due, self._full = self._full, []
        return due

    def seal(self) -> list[tuple[str, bytes]]:
        """Take out all receipts, whatever their age."""
        due, self._full = self._full, []
        due.extend((topic, receipt_bytes(told.ranges())) for topic, told in self._told.items())
        self._told.clear()
        return due


def receipt_bytes(ranges: list[Range]) -> bytes:
    """Return the payload that tells these ranges."""
    return _ENCODER.encode(_Receipt([_Range(*one) for one in ranges]))
