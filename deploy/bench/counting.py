"""The counting fold: count and sum per key, the state that every engine can express."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from deploy.bench.events import ENCODE, FRAMES, Event
from streams.engine.fold import Changes

Totals = dict[str, tuple[int, int]]
"""SKU to how many events changed it, and the sum of their units."""

TOTAL: Final = msgspec.msgpack.Decoder(list[int])


def count_into(
    found: Iterable[Event], totals: dict[str, list[int]], changed: dict[str, list[int]]
) -> None:
    """Count events into totals and put what they change into `changed` too.

    This engine and the bare loop share it: they differ in everything around it.
    """
    for event in found:
        units = event.quantity_units
        if units:
            sku = event.sku
            total = totals.get(sku)
            if total is None:
                total = totals[sku] = [0, 0]
            total[0] += 1
            total[1] += units
            changed[sku] = total


class CountingFold:
    """Counts and sums per key, as the stream engine runs it."""

    def __init__(self) -> None:
        """Begin with nothing counted."""
        self._totals: dict[str, list[int]] = {}
        self._changed: dict[str, list[int]] = {}

    def start(self, state: Mapping[bytes, bytes]) -> None:
        """Take the restored totals."""
        self._totals = {key.decode(): TOTAL.decode(value) for key, value in state.items()}

    def fold(self, value: bytes) -> None:
        """Count and sum one frame's events.

        Raises:
            FrameError: The bytes are no frame of events.
        """
        count_into(FRAMES.decode(value).items, self._totals, self._changed)

    def drain(self) -> Changes:
        """Return the totals that changed."""
        changed, self._changed = self._changed, {}
        return Changes(state={sku.encode(): ENCODE(total) for sku, total in changed.items()})
