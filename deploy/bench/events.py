"""The events that all stream engines are given: 45 bytes each, 80 thousand keys, from one seed.

A record is one event under its key; a frame of the product carries up to 500 events of a partition.
"""

import random
from collections.abc import Iterator
from typing import Final

import msgspec

from ingest.frames import FrameCodec
from ingest.partitions import partition_of

KEYS_DEFAULT: Final = 80_000
SOURCES: Final = 1_000
SEED: Final = 4
OBSERVED_AT_MS: Final = 1_780_000_000_000
SEQ_FIRST: Final = 1 << 17
"""Numbers from here on take five bytes in msgpack, so every event has the same size."""

MIXES: Final = {"all": 100, "5%": 5}
"""Name of a mix to how many events in a hundred change their key."""


class Event(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """So many units of a SKU were counted; 0 is a repeat that changes nothing."""

    sku: str
    source: str
    seq: int
    observed_at_ms: int
    quantity_units: int


FRAMES: Final[FrameCodec[Event]] = FrameCodec(Event)
ENCODE: Final = msgspec.msgpack.Encoder().encode
DECODE_EVENT: Final = msgspec.msgpack.Decoder(Event).decode


def events(
    count: int, changes_pct: int, partition_count: int, *, keys: int = KEYS_DEFAULT
) -> Iterator[tuple[int, Event]]:
    """Yield `count` events with their partitions, evenly over `keys` keys.

    `changes_pct` of a hundred change their key. The same arguments give the same events.
    """
    rng = random.Random(SEED)  # noqa: S311 - no secret
    names = [f"sku-{number:012d}" for number in range(keys)]
    partitions = [partition_of(name, partition_count) for name in names]
    sources = [f"sensor-{number:04d}" for number in range(SOURCES)]
    draw = rng.random
    for number in range(count):
        changes = changes_pct == 100 or draw() * 100 < changes_pct  # noqa: PLR2004 - per cent
        units = 1 + number % 9 if changes else 0
        which, source = int(draw() * keys), sources[number % SOURCES]
        at_ms = OBSERVED_AT_MS + number
        yield partitions[which], Event(names[which], source, SEQ_FIRST + number, at_ms, units)
