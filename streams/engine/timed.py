"""A fold with timers over a small state: what the planning and the alert fold share.

State does not depend on where frames end, on drains or on restores, because time and timers are
looked at between every two items, the clock is part of the state, and timers are rebuilt from it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec

from ingest.frames import FrameCodec, TickInput
from streams.engine.fold import Changes
from streams.engine.outbox import FrameOutbox
from streams.engine.table import RecordTable
from streams.engine.timers import Timers

ItemT = TypeVar("ItemT")


class TimedFold(ABC, Generic[ItemT]):
    """Folds frames item by item; wakes what is due after each.

    now = max(previous now, the frame's `received_at_ms`, a tick's `at_ms`).
    """

    def __init__(self, codec: FrameCodec[ItemT], table: RecordTable, clock_key: bytes) -> None:
        """Take the input's codec, the table of the state and the key of the clock record."""
        self.now_ms = 0
        self.table = table
        self.timers = Timers()
        self.outbox = FrameOutbox()
        self._codec = codec
        self._clock_key = clock_key
        self._drained_now_ms = 0

    def start(self, state: Mapping[bytes, bytes]) -> None:
        """Take the restored state; rebuild clock and timers from it."""
        self.table.load(state)
        self.timers.clear()
        clock = self.table.get(self._clock_key)
        self.now_ms = self._drained_now_ms = 0 if clock is None else clock.now_ms
        self.rebuild()

    def fold(self, value: bytes) -> None:
        """Fold one frame.

        Raises:
            FrameError: The bytes are no frame; nothing was changed.
        """
        frame = self._codec.decode(value)
        self._advance(frame.received_at_ms)
        for item in frame.items:
            if isinstance(item, TickInput):
                self._advance(item.at_ms)
            else:
                self.apply(item)
                self._wake_due()

    def drain(self) -> Changes:
        """Return all changes since the last call, and forget them."""
        if self.now_ms != self._drained_now_ms:
            self.table.put(self._clock_key, self.clock_record())
            self._drained_now_ms = self.now_ms
        return Changes(state=self.table.drain(), outputs=self.outbox.drain())

    @abstractmethod
    def apply(self, item: ItemT) -> None:
        """Fold one item that is no tick."""

    @abstractmethod
    def wake(self, name: str) -> None:
        """Do what the timer `name` was set for; it must not set one due at or before now."""

    @abstractmethod
    def rebuild(self) -> None:
        """Set the timers, and any index, from the table."""

    @abstractmethod
    def clock_record(self) -> msgspec.Struct:
        """Return the record that keeps `now_ms`; it has a field of that name."""

    def _advance(self, at_ms: int) -> None:
        self.now_ms = max(self.now_ms, at_ms)
        self._wake_due()

    def _wake_due(self) -> None:
        while (name := self.timers.pop_due(self.now_ms)) is not None:
            self.wake(name)
