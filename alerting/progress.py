"""How far an outbox is done, when its messages are finished out of order. Pure."""

from typing import NamedTuple


class Place(NamedTuple):
    """Where a message stands: which message of which record."""

    partition: int
    offset: int
    number: int


class Progress:
    """Unfinished messages by record; tells up to where each partition is finished.

    Beginning a record again, or finishing a message twice, changes nothing: after a rebalance
    records come again.
    """

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._open: dict[int, dict[int, set[int]]] = {}
        self._next: dict[int, int] = {}
        self._told: dict[int, int] = {}

    def begin(self, partition: int, offset: int, count: int) -> None:
        """Note a record of `count` messages as read."""
        unfinished = self._open.setdefault(partition, {})
        if count and offset not in unfinished:
            unfinished[offset] = set(range(count))
        self._next[partition] = max(self._next.get(partition, 0), offset + 1)

    def finish(self, place: Place) -> None:
        """Note a message as finished; the caller has its result in Kafka."""
        unfinished = self._open.get(place.partition, {})
        left = unfinished.get(place.offset)
        if left is not None:
            left.discard(place.number)
            if not left:
                del unfinished[place.offset]

    def changed(self) -> dict[int, int]:
        """Return by partition the next offset to commit, where it moved since the last call."""
        moved = {}
        for partition, next_offset in self._next.items():
            lowest = min(self._open[partition], default=next_offset)
            if self._told.get(partition) != lowest:
                moved[partition] = self._told[partition] = lowest
        return moved
