"""When in the day each SKU has its turn of the daily round: by a hash, so that work is spread."""

from bisect import insort
from typing import Final
from zlib import crc32

SHARES: Final = 1_440
"""Minutes of a day."""


class Shares:
    """The SKUs of a partition by the minute of their turn."""

    def __init__(self) -> None:
        """Begin with none."""
        self._skus: dict[int, list[str]] = {}

    def add(self, sku: str) -> None:
        """Give a new SKU its minute."""
        insort(self._skus.setdefault(share_of(sku), []), sku)

    def after(self, minute: int, sku: str) -> list[str]:
        """Return the SKUs of a minute that come after one, in order; all after the empty text."""
        return [one for one in self._skus.get(minute % SHARES, ()) if one > sku]


def share_of(sku: str) -> int:
    """Return the minute of the day of a SKU; the same in every process."""
    return crc32(sku.encode()) % SHARES
