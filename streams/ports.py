"""What the InfluxDB sink needs of the outside, as roles."""

from collections.abc import Sequence
from typing import Protocol

from streams.engine.ports import LogRecord


class RecordSource(Protocol):
    """Committed records in order, and a place in them that survives a restart."""

    async def poll(self) -> Sequence[LogRecord]:
        """Return the next records, at most one poll's worth; empty after a short wait."""

    async def commit(self) -> None:
        """Remember everything polled so far as done."""

    async def lags(self) -> dict[tuple[str, str, int], int]:
        """Return records not read yet by (group, topic, partition), other readers' too."""


class PointsRefusedError(Exception):
    """The database will never take these lines (HTTP 4xx); the text is its answer."""


class WriterUnavailableError(Exception):
    """The database can't be reached or is overloaded; the same lines may be written again."""


class PointWriter(Protocol):
    """Writes line protocol."""

    async def write(self, lines: Sequence[str]) -> None:
        """Write all lines.

        Raises:
            PointsRefusedError: At least one line is refused for good.
            WriterUnavailableError: Try the same lines again.
        """


class LetterBox(Protocol):
    """Where refused records go."""

    async def put(self, origin: str, payload: bytes, detail: str) -> None:
        """Keep a dead letter; returns once Kafka has it."""
