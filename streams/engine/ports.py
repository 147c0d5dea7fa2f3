"""What the engine needs of a log, as roles. One instance serves one partition of one fold.

The adapters are in `streams.engine.adapters`; the doubles of the in-memory whole are in
`simulators`. One conformance suite runs on both.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from streams.engine.fold import Changes

APPLIED_KEY = b"\x00applied"
"""State records whose key begins with a zero byte are the engine's own."""


@dataclass(frozen=True, slots=True)
class Applied:
    """How far the state of a partition has come in its input log."""

    input_topic_id: str
    input_offset: int
    """Offset of the last folded frame; -1 before the first."""


class StateRecord(NamedTuple):
    """One record of the state topic; `value` None is a tombstone.

    A tuple, since a restore makes millions: it is built twice as fast as a frozen dataclass.
    """

    key: bytes
    value: bytes | None


class StateBatch(NamedTuple):
    """A run of records of the state topic."""

    records: Sequence[tuple[bytes, bytes | None]]
    """Keys and values, in order; None is a tombstone. Plain pairs, since there may be millions."""
    next_offset: int
    """Where reading goes on, past transaction markers and gaps."""


@dataclass(frozen=True, slots=True)
class StateFacts:
    """What the broker says of the state partition."""

    topic_id: str
    end_offset: int
    """The uncommitted end."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One committed record of any topic, as views, sinks and senders read it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int = 0


@dataclass(frozen=True, slots=True)
class InputFacts:
    """What the broker says of the input partition, checked at every take-over."""

    topic_id: str
    begin_offset: int
    """The oldest offset still kept."""
    partition_count: int


class StateLog(Protocol):
    """The state topic of one partition and the transactional producer that names it."""

    async def fence(self) -> None:
        """Start the transactional producer: fences the last owner, ends its open transaction."""

    async def facts(self) -> StateFacts:
        """Return topic id and uncommitted end of the state partition; ask after `fence`."""

    def read(self, begin_offset: int, end_offset: int | None = None) -> AsyncIterator[StateBatch]:
        """Yield the committed records from `begin_offset` on, in order, in large batches.

        It stops at `end_offset`. Without one it follows for ever, and gives an empty batch from
        time to time where there is nothing new. It needs no `fence`.
        """

    async def commit(self, changes: Changes, applied: Applied) -> int:
        """Write outputs, state and the applied record as one transaction.

        Returns:
            Where the state partition may be read on by who has these changes; the offset after
            the applied record, or any before it where that is not known.

        Raises:
            FencedError: A newer owner has taken the partition. Any error ends the process: memory
                is then ahead of the log.
        """

    async def close(self) -> None:
        """Release the connections; an open transaction is left to be aborted by the broker."""


class InputLog(Protocol):
    """What the engine asks of the input topic beside its frames."""

    async def facts(self) -> InputFacts:
        """Return topic id, oldest offset and partition count of the input partition."""

    async def append(self, value: bytes) -> None:
        """Append a frame (a tick) by a plain idempotent producer, never in a transaction."""
