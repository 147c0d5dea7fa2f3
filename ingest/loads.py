"""Catalogue loads, taken whole: a load is one transaction, but is read in pieces. Pure.

Its records are all committed before the first of them can be read, so the rest is never far.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

from ingest.contracts.reference import INSTALLATION_KEY, VERSION_KEY

Record: TypeAlias = tuple[str, bytes | None]
"""Key and value of a record of the catalog topic; None removes the key."""

_LAST_KEYS: Final = frozenset({VERSION_KEY, INSTALLATION_KEY})
"""A load ends with its version; the installation is written alone, before any load."""


class LoadGatherer:
    """Holds the records of a load back until its last one is there."""

    def __init__(self) -> None:
        """Begin with none."""
        self._waiting: list[Record] = []

    def taken(self, records: Sequence[Record]) -> list[Record]:
        """Add new records, and take out those of the loads that are whole now, in order."""
        waiting = [*self._waiting, *records] if self._waiting else list(records)
        end = len(waiting)
        while end and waiting[end - 1][0] not in _LAST_KEYS:
            end -= 1
        self._waiting = waiting[end:]
        return waiting[:end]
