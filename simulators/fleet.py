"""All devices of a run as one sans-I/O object: who gets which receipt, and what it took."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from simulators.gateway import Gateway, Publication

LATENCIES_MAX: Final = 20_000
"""Publish-to-accepted times kept for the percentiles; the oldest fall out."""


class _Range(msgspec.Struct):
    boot: str
    first: int
    last: int


class _Receipt(msgspec.Struct):
    ranges: list[_Range]


_RECEIPTS: Final = msgspec.json.Decoder(_Receipt)


def percentile(values: Iterable[int], share: float) -> int:
    """Return the nearest-rank percentile of `values`; -1 where there are none."""
    ordered = sorted(values)
    if not ordered:
        return -1
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Fleet:
    """Devices by source."""

    def __init__(self, gateways: Iterable[Gateway]) -> None:
        """Take the devices; sources must be distinct."""
        self._gateways = {gateway.source: gateway for gateway in gateways}
        self.latencies_ms: deque[int] = deque(maxlen=LATENCIES_MAX)
        self.accepted_events = 0
        self.published_events = 0
        self.bad_receipts = 0

    def __iter__(self) -> Iterator[Gateway]:
        """Iterate over the devices in the order in which they were given."""
        return iter(self._gateways.values())

    def __getitem__(self, source: str) -> Gateway:
        """Return the device of a source."""
        return self._gateways[source]

    @property
    def unaccepted_events(self) -> int:
        """How many events wait for a receipt, over all devices."""
        return sum(gateway.unaccepted_events for gateway in self)

    @property
    def resent_events(self) -> int:
        """How many events were sent again."""
        return sum(gateway.resent_events for gateway in self)

    @property
    def room_events_min(self) -> int:
        """Room in the fullest spool."""
        return min((gateway.room_events for gateway in self), default=0)

    def on_message(self, topic: str, payload: bytes, now_ms: int) -> int:
        """Take a receipt from `stock/v1/{site}/{device}/accepted`; return how many events it freed.

        Other topics, and receipts of devices of somebody else, free none.
        """
        way, _, leaf = topic.rpartition("/")
        gateway = self._gateways.get(way.rpartition("/")[2]) if leaf == "accepted" else None
        if gateway is None:
            return 0
        try:
            receipt = _RECEIPTS.decode(payload)
        except msgspec.MsgspecError:
            self.bad_receipts += 1
            return 0
        freed = sum(
            gateway.on_receipt(part.boot, part.first, part.last, now_ms) for part in receipt.ranges
        )
        self.latencies_ms.extend(gateway.latencies_ms)
        gateway.latencies_ms.clear()
        self.accepted_events += freed
        return freed

    def outgoing(self, now_ms: int) -> list[Publication]:
        """Return what all devices publish at `now_ms`, device by device."""
        publications = [one for gateway in self for one in gateway.outgoing(now_ms)]
        self.published_events += sum(len(one.bodies) for one in publications)
        return publications
