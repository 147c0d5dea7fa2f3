"""The state records of one kind, decoded on demand.

The engine's mapping is the truth between two drains. A record that was asked for has one entry:
the decoded struct, its key in the state, whether it has changed. What happens to a record on the
way of nearly every event is found by one look-up of its entry, and a drain goes from changed entry
to changed entry without any.
"""

from collections.abc import Callable, Hashable, Mapping
from itertools import islice
from typing import Final, Generic, TypeVar

import msgspec

KeyT = TypeVar("KeyT", bound=Hashable)
StructT = TypeVar("StructT")

RECORDS_CACHED_MAX: Final = 1 << 14
"""Decoded records of a kind, where nothing else is said."""
NEVER_CALM: Final = (1.0, 0.0)

_ENCODER = msgspec.msgpack.Encoder()


class Entry(msgspec.Struct, Generic[KeyT, StructT], gc=False):
    """One record of the state, decoded. Unseen by the collector: it leads to no cycle."""

    key: KeyT
    raw_key: bytes
    record: StructT
    is_changed: bool = False
    is_removed: bool = False
    """Until the next drain; then the entry is gone too."""
    calm: tuple[float, float] = NEVER_CALM
    """Of a level, no part of the state: least and greatest book with which it calls for nothing as
    it is. A movement that stays between them needs no assessment, nor does a count on a shelf that
    does not lead. Known anew at every assessment, which whatever else changes a level or its rules
    asks for."""


class Records(Generic[KeyT, StructT]):
    """The records of one kind by key."""

    def __init__(
        self,
        raw_key: Callable[[KeyT], bytes],
        decode: Callable[[bytes], StructT],
        *,
        encode: Callable[[StructT], bytes] = _ENCODER.encode,
        cached_max: int = RECORDS_CACHED_MAX,
        forget: Callable[[StructT], None] | None = None,
    ) -> None:
        """Take how a key and a value look in the state; `cached_max` bounds unchanged entries.

        `forget` is told of each struct that is dropped: nobody may hold a part of it any more.
        """
        self._raw_key = raw_key
        self._decode = decode
        self._encode = encode
        self._cached_max = cached_max
        self._forget = forget
        self._state: Mapping[bytes, bytes] = {}
        self.entries: dict[KeyT, Entry[KeyT, StructT]] = {}
        """Those that stand decoded; the hot path looks here before it calls `get`."""
        self._changed: list[Entry[KeyT, StructT]] = []
        """In the order in which they first changed."""

    def load(self, state: Mapping[bytes, bytes]) -> None:
        """Read from this live mapping from now on."""
        self._state = state
        self.entries.clear()
        self._changed.clear()

    def get(self, key: KeyT) -> StructT | None:
        """Return the record, or None; the struct is the fold's own and may be changed."""
        entry = self.entries.get(key) or self.fetch(key)
        return None if entry is None or entry.is_removed else entry.record

    def fetch(self, key: KeyT) -> Entry[KeyT, StructT] | None:
        """Decode a record that has no entry; return its new one, or None where there is none."""
        raw_key = self._raw_key(key)
        value = self._state.get(raw_key)
        if value is None:
            return None
        return self.enter(key, raw_key, self._decode(value))

    def enter(self, key: KeyT, raw_key: bytes, record: StructT) -> Entry[KeyT, StructT]:
        """Keep a decoded record; return its entry."""
        entry = self.entries[key] = Entry(key, raw_key, record)
        return entry

    def put(self, key: KeyT, record: StructT) -> Entry[KeyT, StructT]:
        """Add a record; return its entry."""
        entry = self.entries.get(key)
        if entry is None:
            entry = self.enter(key, self._raw_key(key), record)
        entry.record = record
        entry.is_removed = False
        self.change(entry)
        return entry

    def change(self, entry: Entry[KeyT, StructT]) -> None:
        """Say that the struct of this entry has changed."""
        if not entry.is_changed:
            entry.is_changed = True
            self._changed.append(entry)

    def touch(self, key: KeyT) -> None:
        """Say that the struct last returned for this key has changed."""
        self.change(self.entries[key])

    def remove(self, key: KeyT) -> None:
        """Delete a record; where there is none, nothing happens."""
        entry = self.entries.get(key) or self.fetch(key)
        if entry is not None:
            entry.is_removed = True
            self.change(entry)

    def drain(self, changes: dict[bytes, bytes | None]) -> None:
        """Add the changed records to `changes`, forget that they changed, and drop the oldest."""
        encode = self._encode
        for entry in self._changed:
            entry.is_changed = False
            if entry.is_removed:
                changes[entry.raw_key] = None
                del self.entries[entry.key]
            else:
                changes[entry.raw_key] = encode(entry.record)
        self._changed.clear()
        self.trim()

    def trim(self) -> None:
        """Drop the oldest entries above the limit; only while none is changed."""
        excess = len(self.entries) - self._cached_max
        if excess <= 0:
            return
        for oldest in list(islice(self.entries, excess)):
            entry = self.entries.pop(oldest)
            if self._forget is not None:
                self._forget(entry.record)
