"""The store of a partition on disk, by RocksDB.

One database a partition. A save is one atomic batch of records and position, with RocksDB's own
log and no fsync: after kill -9 it is whole; after a power failure it is as it was at some earlier
save, which is as good, since the rest is read from Kafka.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, cast

import msgspec
import structlog
from rocksdict import (
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
)

from ingest.contracts.errors import SettingsError
from streams.engine.store import StateStore, StoreOpener, StorePosition

CACHE_BYTES: Final = 32 * 1024 * 1024
"""Of one partition's blocks in memory."""
WRITE_BUFFER_BYTES: Final = 16 * 1024 * 1024
WRITE_BUFFERS_MAX: Final = 3
LOG_FILES_MAX: Final = 2
"""Of RocksDB's own diary."""
_BLOOM_BITS_A_KEY: Final = 10
_POSITION_KEY: Final = b"\x00position"
_FIRST_KEY: Final = b"\x01"
_LOAD_RECORDS: Final = 20_000
"""Records of one write while loading; it need not be atomic."""

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(StorePosition)
_log = structlog.get_logger(__name__)


def disk_stores(folder: Path) -> StoreOpener:
    """Return an opener of stores below a folder, which belongs to one worker."""

    def open_one(partition: int, /) -> StateStore:
        return DiskStore(folder / str(partition))

    return open_one


class _UnreadableError(Exception):
    """The files are no database, or a broken one."""


class _Named:
    """Gives RocksDB's errors a class: all of them are plain `Exception`, told apart by words."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        if kind is Exception and "/LOCK:" in str(error):
            raise SettingsError(f"{self._folder} is in use by another process") from error
        if kind is Exception or isinstance(error, msgspec.MsgspecError):
            raise _UnreadableError(str(error)) from error


class DiskStore:
    """State in RocksDB, and over it what is changed and not saved yet."""

    def __init__(self, folder: Path) -> None:
        """Open the database in a folder, or make one; one that can't be read is made anew, aloud.

        Raises:
            SettingsError: Another process has it open.
        """
        self._folder = folder
        self._unsaved: dict[bytes, bytes | None] = {}
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db, self._position = _opened(folder)
        except _UnreadableError as error:
            _log.warning("store discarded", folder=str(folder), reason=str(error))
            shutil.rmtree(folder)
            self._db, self._position = _opened(folder)
        self._view = _View(self)

    @property
    def view(self) -> Mapping[bytes, bytes]:
        """The state as last changed or loaded; live. Its length takes a walk over all keys."""
        return self._view

    @property
    def position(self) -> StorePosition | None:
        """The position last saved."""
        return self._position

    def clear(self) -> None:
        """Forget all, position too."""
        self.close()
        shutil.rmtree(self._folder)
        self._db, self._position = _opened(self._folder)

    def load(self, records: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Take records as the log gives them."""
        for begin in range(0, len(records), _LOAD_RECORDS):
            self._db.write(_batch(records[begin : begin + _LOAD_RECORDS]))

    def change(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Show changes; they stay in memory until they are saved."""
        self._unsaved.update(changes)

    def release(self) -> None:
        """Keep all: what is on disk is for the next start."""

    def save(self, position: StorePosition) -> None:
        """Write what was changed and the position in one atomic batch."""
        batch = _batch(self._unsaved.items())
        batch.put(_POSITION_KEY, _ENCODER.encode(position))
        self._db.write(batch)
        self._unsaved = {}
        self._position = position

    def close(self) -> None:
        """Close the database; what was not saved is lost."""
        self._unsaved = {}
        self._db.close()

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, or None."""
        if key in self._unsaved:
            return self._unsaved[key]
        found: bytes | None = self._db.get(key)
        return found

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Iterate over the state, saved records first."""
        unsaved = self._unsaved
        saved = cast("Iterator[tuple[bytes, bytes]]", self._db.items(from_key=_FIRST_KEY))
        for key, value in saved:
            if key not in unsaved:
                yield key, value
        for key, changed in list(unsaved.items()):
            if changed is not None:
                yield key, changed


class _View(Mapping[bytes, bytes]):
    """A store as a mapping."""

    def __init__(self, store: DiskStore) -> None:
        self._store = store
        self.get = store.get  # type: ignore[method-assign,assignment] # Mapping's own raises and catches

    def __getitem__(self, key: bytes) -> bytes:
        found = self._store.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[bytes]:
        return (key for key, _ in self._store.items())

    def __len__(self) -> int:
        return sum(1 for _ in self._store.items())

    def items(self) -> Iterator[tuple[bytes, bytes]]:  # type: ignore[override] # one pass, no set
        return self._store.items()


def _batch(records: Iterable[tuple[bytes, bytes | None]]) -> WriteBatch:
    batch = WriteBatch(raw_mode=True)
    put, delete = batch.put, batch.delete
    for key, value in records:
        if value is None:
            delete(key)
        else:
            put(key, value)
    return batch


def _opened(folder: Path) -> tuple[Rdict, StorePosition | None]:
    blocks = BlockBasedOptions()
    blocks.set_bloom_filter(_BLOOM_BITS_A_KEY, block_based=False)
    blocks.set_block_cache(Cache(CACHE_BYTES))
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(blocks)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_write_buffer_size(WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(WRITE_BUFFERS_MAX)
    options.set_keep_log_file_num(LOG_FILES_MAX)
    with _Named(folder):
        db = Rdict(str(folder), options=options)
        raw: bytes | None = db.get(_POSITION_KEY)
        return db, None if raw is None else _DECODER.decode(raw)
