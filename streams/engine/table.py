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
        self._records: dict[bytes, msgspec.Struct] = {}
        self._changed: set[bytes] = set()

    def load(self, state: Mapping[bytes, bytes]) -> None:
        """Decode the restored state in key order; kinds this version does not know are left.

        Raises:
            msgspec.MsgspecError: A record is not of its kind's struct.
        """
        self._records = {}
        self._changed = set()
        for raw in sorted(state):
            decoder = self._decoders.get(raw.split(self._separator, 1)[0].decode())
            if decoder is not None:
                self._records[raw] = decoder.decode(state[raw])

    def get(self, key: bytes) -> Any:
        """Return the record of a key, or None. Changing it needs a `put` to be kept."""
        return self._records.get(key)

    def put(self, key: bytes, record: msgspec.Struct) -> None:
        """Keep a new or changed record."""
        self._records[key] = record
        self._changed.add(key)

    def delete(self, key: bytes) -> None:
        """Drop a record, if there is one."""
        if self._records.pop(key, None) is not None:
            self._changed.add(key)

    def of_kind(self, kind: str) -> Iterator[tuple[bytes, Any]]:
        """Yield keys and records of one kind, by key; the table may change meanwhile."""
        head = kind.encode() + self._separator
        for raw in sorted(raw for raw in self._records if raw.startswith(head)):
            yield raw, self._records[raw]

    def drain(self) -> dict[bytes, bytes | None]:
        """Return all changes since the last call by key, encoded; None deletes."""
        changes: dict[bytes, bytes | None] = {}
        for raw in sorted(self._changed):
            record = self._records.get(raw)
            changes[raw] = None if record is None else _ENCODER.encode(record)
        self._changed = set()
        return changes
