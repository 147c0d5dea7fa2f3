"""Where a worker keeps the state of a partition between the log and the fold.

The log is the truth; a store is what saves reading all of it again. It holds the state as of a
position in the state partition, and says which. The other implementation is on disk, in
`streams.engine.adapters.disk_store`; one conformance suite runs on both.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import msgspec

from streams.engine.ports import Applied

SAVED_AGE_MS_MAX: Final = 12 * 3_600_000
"""An older store is read anew: the log forgets after 24 h (`delete.retention.ms` of the topics)
that a key was deleted, and a store that missed it would keep the key for ever."""


class StorePosition(msgspec.Struct, frozen=True, array_like=True):
    """Which state a store holds."""

    state_topic_id: str
    next_offset: int
    """Where the state partition has to be read on."""
    applied: Applied | None
    """None where no owner has committed anything yet."""
    saved_at_ms: int
    """When the state was known to be that of the log; UTC milliseconds."""


class StateStore(Protocol):
    """The state of one partition; one process and one task use it.

    Errors of the medium are raised as they come and end the process.
    """

    @property
    def view(self) -> Mapping[bytes, bytes]:
        """The state as last changed or loaded; live."""

    @property
    def position(self) -> StorePosition | None:
        """The position last saved; None where what is in the store can't be relied on."""

    def clear(self) -> None:
        """Forget all, position too."""

    def load(self, records: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Take records as the log gives them, in order; None deletes.

        The position stays. Until `save` some of them may be kept and others not: whoever finds
        the store then reads again from the position, and comes to the same state.
        """

    def change(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Show changes that are not committed yet; they are kept by the next `save`, or lost."""

    def release(self) -> None:
        """Let go of what is in memory alone: nobody reads the view any more."""

    def save(self, position: StorePosition) -> None:
        """Keep what was changed since the last time and the position, both or neither."""

    def close(self) -> None:
        """Release the medium; what was not saved is lost."""


class StoreOpener(Protocol):
    """Opens the store of a partition, with what it held when it was last closed."""

    def __call__(self, partition: int, /) -> StateStore:
        """Return the store of a partition; nobody else may have it open."""


class MemoryStore:
    """A dict: fast, and gone with the process."""

    def __init__(self) -> None:
        """Begin empty."""
        self._state: dict[bytes, bytes] = {}
        self._position: StorePosition | None = None
        self._is_read = True

    @property
    def view(self) -> Mapping[bytes, bytes]:
        """The state as last changed or loaded; live."""
        return self._state

    @property
    def position(self) -> StorePosition | None:
        """The position last saved; None in a new or cleared store."""
        return self._position

    def clear(self) -> None:
        """Forget all, position too."""
        self._state.clear()
        self._position = None

    def load(self, records: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Take records as the log gives them."""
        state = self._state
        state.update(records)  # type: ignore[arg-type] # the deleted ones leave in the next step
        for key in [key for key, value in records if value is None]:
            if state.get(key, b"") is None:  # else it came back, or is out already
                del state[key]

    def change(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Take changes, unless nobody reads them."""
        if not self._is_read:
            return
        state = self._state
        state.update(changes)  # type: ignore[arg-type] # the deleted ones leave in the next step
        for key in [key for key, value in changes.items() if value is None]:
            del state[key]

    def release(self) -> None:
        """Hold nothing from now on, so no position either."""
        self._state.clear()
        self._position = None
        self._is_read = False

    def save(self, position: StorePosition) -> None:
        """Keep the position, if what it is the position of is here."""
        self._position = position if self._is_read else None

    def close(self) -> None:
        """Do nothing: it goes with its last user."""


def memory_store(partition: int, /) -> StateStore:  # noqa: ARG001 - any partition's is the same
    """Return an empty store in memory, for any partition."""
    return MemoryStore()
