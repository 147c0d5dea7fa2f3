"""State of a small fold as decoded records: all of it in memory, encoded when drained."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

_ENCODER: Final = msgspec.msgpack.Encoder()


class RecordTable:
    """Records by state key. The kind, which is the key up to the separator, names the struct.

    For folds whose whole state fits in memory many times over (shipments, alerts); the stock fold
    reads lazily instead.
    """

    def __init__(self, structs: Mapping[str, Any], separator: str) -> None:
        """Take the struct (or union of tagged structs) behind each kind of key."""
        self._decoders = {kind: msgspec.msgpack.Decoder(struct) for kind, struct in structs.items()}
        self._separator = separator.encode()
        self._records: dict[str, dict[bytes, msgspec.Struct]] = {kind: {} for kind in structs}
        self._changed: set[bytes] = set()

    def load(self, state: Mapping[bytes, bytes]) -> None:
        """Decode the restored state in key order; kinds this version does not know are left.

        Raises:
            msgspec.MsgspecError: A record is not of its kind's struct.
        """
        self._records = {kind: {} for kind in self._decoders}
        self._changed = set()
        for raw in sorted(state):
            decoder = self._decoders.get(self._kind(raw))
            if decoder is not None:
                self._records[self._kind(raw)][raw] = decoder.decode(state[raw])

    def get(self, key: bytes) -> Any:
        """Return the record of a key, or None. Changing it needs a `put` to be kept."""
        return self._records[self._kind(key)].get(key)

    def put(self, key: bytes, record: msgspec.Struct) -> None:
        """Keep a new or changed record."""
        self._records[self._kind(key)][key] = record
        self._changed.add(key)

    def delete(self, key: bytes) -> None:
        """Drop a record, if there is one."""
        if self._records[self._kind(key)].pop(key, None) is not None:
            self._changed.add(key)

    def of_kind(self, kind: str) -> Iterator[tuple[bytes, Any]]:
        """Yield keys and records of one kind, by key; records may be changed meanwhile."""
        records = self._records[kind]
        for raw in sorted(records):
            yield raw, records[raw]

    def drain(self) -> dict[bytes, bytes | None]:
        """Return all changes since the last call by key, encoded; None deletes."""
        changes: dict[bytes, bytes | None] = {}
        for raw in sorted(self._changed):
            record = self.get(raw)
            changes[raw] = None if record is None else _ENCODER.encode(record)
        self._changed = set()
        return changes

    def _kind(self, key: bytes) -> str:
        return key.split(self._separator, 1)[0].decode()
