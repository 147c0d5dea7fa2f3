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


class ReceiptBook:
    """Numbers accepted and not told yet, by the topic they are told on."""

    def __init__(self) -> None:
        """Begin with none."""
        self._ranges: dict[str, list[Range]] = {}
        self._full: list[tuple[str, bytes]] = []
        self._opened_at_ms = 0

    def __len__(self) -> int:
        """Return how many receipts are not taken out yet."""
        return len(self._ranges) + len(self._full)

    def add(self, topic: str, ranges: list[Range], at_ms: int) -> None:
        """Note accepted numbers; ranges that continue the last one are joined with it."""
        if not self._ranges:
            self._opened_at_ms = at_ms
        known = self._ranges.get(topic)
        if known is None:
            known = self._ranges[topic] = []
        for boot, first, last in ranges:
            if known and known[-1][0] == boot and known[-1][2] + 1 == first:
                known[-1] = (boot, known[-1][1], last)
            else:
                known.append((boot, first, last))
        if len(known) >= RECEIPT_RANGES_MAX:
            self._full.append((topic, receipt_bytes(self._ranges.pop(topic))))

    def due(self, at_ms: int) -> list[tuple[str, bytes]]:
        """Take out the receipts to publish now, as (topic, payload)."""
        if self._ranges and at_ms - self._opened_at_ms >= RECEIPT_AGE_MS_MAX:
            return self.seal()
        due, self._full = self._full, []
        return due

    def seal(self) -> list[tuple[str, bytes]]:
        """Take out all receipts, whatever their age."""
        due, self._full = self._full, []
        due.extend((topic, receipt_bytes(ranges)) for topic, ranges in self._ranges.items())
        self._ranges.clear()
        return due


def receipt_bytes(ranges: list[Range]) -> bytes:
    """Return the payload that tells these ranges."""
    return _ENCODER.encode(_Receipt([_Range(*one) for one in ranges]))
