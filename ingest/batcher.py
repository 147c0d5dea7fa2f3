"""When a frame is full, and when a message may be acknowledged. Pure.

A message may spread over several frames and dead letters, and a frame gathers items of many
messages. A message is done when everything made from it is in Kafka; messages are released in the
order received, the done prefix only, as MQTT 5 wants its acknowledgements.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from ingest.frames import FRAME_AGE_MS_MAX, FRAME_ITEMS_MAX
from ingest.normalise import Range
from ingest.packing import joined, packed
from ingest.ports import Token
from ingest.resolve import Placed

PACKED_ITEMS_MAX: Final = 32
"""Items are packed so many at a time: more would leave the processor's cache before."""


class InFlight(msgspec.Struct, eq=False, gc=False):
    """A message between its receipt and its acknowledgement."""

    token: Token
    accepted_topic: str
    """Where its receipt goes; empty where there is none."""
    ranges: list[Range]
    parts: int = 0
    """Frames and dead letters that are not in Kafka yet."""


class AckLedger:
    """The messages in flight, in the order received."""

    def __init__(self) -> None:
        """Begin with none."""
        self._messages: deque[InFlight] = deque()

    def __len__(self) -> int:
        """Return how many messages are in flight."""
        return len(self._messages)

    def opened(self, token: Token, accepted_topic: str, ranges: list[Range]) -> InFlight:
        """Enter a message that was just received."""
        message = InFlight(token, accepted_topic, ranges)
        self._messages.append(message)
        return message

    def released(self) -> list[InFlight]:
        """Take out the messages at the front whose every part is in Kafka."""
        messages = self._messages
        released: list[InFlight] = []
        while messages and not messages[0].parts:
            released.append(messages.popleft())
        return released


@dataclass(slots=True)
class Batch:
    """The items of one frame to be, and the messages it is a part of."""

    partition: int
    opened_at_ms: int
    """When its first item came, by the clock that measures ages."""
    received_at_ms: int
    """The installation's time at its first item."""
    pack_at: int
    """With how many items those that wait are packed."""
    count: int = 0
    """How many items it has."""
    pieces: list[Any] = field(default_factory=list)
    """Of the items that are not packed yet."""
    body: bytearray = field(default_factory=bytearray)
    """The items packed so far."""
    messages: list[InFlight] = field(default_factory=list)
    newest: InFlight | None = None
    """The last of `messages`."""

    def take(self, pieces: list[Any], count: int, message: InFlight | None) -> None:
        """Add so many items of a message."""
        if self.newest is not message and message is not None:
            self.newest = message
            self.messages.append(message)
            message.parts += 1
        self.pieces += pieces
        self.count += count

    def pack(self, items_max: int) -> bool:
        """Pack the items that wait; tell whether the frame is full."""
        self.body += packed(self.pieces)
        self.pieces.clear()
        self.pack_at = min(self.count + PACKED_ITEMS_MAX, items_max)
        return self.count >= items_max

    def value(self, *, received_at_ms: int, reference_version: int) -> bytes:
        """Return the frame."""
        if self.pieces:
            self.pack(self.count)
        return joined(
            self.body,
            self.count,
            received_at_ms=received_at_ms,
            reference_version=reference_version,
        )


class FrameBatcher:
    """Gathers items by partition until a frame is full or old."""

    def __init__(
        self, *, items_max: int = FRAME_ITEMS_MAX, age_ms_max: int = FRAME_AGE_MS_MAX
    ) -> None:
        """Take the limits of a frame: items, and milliseconds since the first of them."""
        self._items_max = items_max
        self._age_ms_max = age_ms_max
        self._open: dict[int, Batch] = {}
        self._sealed: list[Batch] = []

    def __len__(self) -> int:
        """Return how many frames are not taken out yet."""
        return len(self._open) + len(self._sealed)

    def add(
        self,
        placed: Placed,
        item_pieces: int,
        message: InFlight | None,
        at_ms: int,
        received_at_ms: int,
    ) -> int:
        """Add inputs, and return how many they are.

        Args:
            placed: The inputs, by partition.
            item_pieces: How many pieces each of them is.
            message: What they came from, if that waits for an acknowledgement. Counted once a
                frame, however many of its inputs the frame holds.
            at_ms: Now, by the clock that measures ages.
            received_at_ms: The installation's time.
        """
        batches, items_max, added = self._open, self._items_max, 0
        for partition, pieces in placed.items():
            count = len(pieces) // item_pieces
            added += count
            batch = batches.get(partition)
            if batch is None:
                batch = self._opened(partition, at_ms, received_at_ms)
            while batch.count + count > items_max:
                room = items_max - batch.count
                batch.take(pieces[: room * item_pieces], room, message)
                batch.pack(items_max)
                self._sealed.append(batch)
                del pieces[: room * item_pieces]
                count -= room
                batch = self._opened(partition, at_ms, received_at_ms)
            batch.take(pieces, count, message)
            if batch.count >= batch.pack_at and batch.pack(items_max):
                self._sealed.append(batches.pop(partition))
        return added

    def _opened(self, partition: int, at_ms: int, received_at_ms: int) -> Batch:
        pack_at = min(PACKED_ITEMS_MAX, self._items_max)
        batch = self._open[partition] = Batch(partition, at_ms, received_at_ms, pack_at)
        return batch

    def due(self, at_ms: int) -> list[Batch]:
        """Take out the frames that are full and, once one is old at `at_ms`, all others too.

        Frames of all partitions then travel in one request, and are opened anew together.
        """
        oldest_ms = at_ms - self._age_ms_max
        for batch in self._open.values():
            if batch.opened_at_ms <= oldest_ms:
                return self.seal()
        sealed, self._sealed = self._sealed, []
        return sealed

    def seal(self) -> list[Batch]:
        """Take out everything, whatever its age."""
        self._sealed.extend(self._open.values())
        self._open.clear()
        sealed, self._sealed = self._sealed, []
        return sealed
