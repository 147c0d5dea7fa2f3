"""Whether an engine counted right: its restorable state against a recount of the log itself."""

from asyncio import gather
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import TypeAlias, TypeVar

from deploy.bench.counting import TOTAL, Totals
from deploy.bench.events import Event
from ingest.contracts.settings import KafkaSettings
from streams.engine.adapters.reader import end_offsets
from streams.engine.adapters.state_reader import StateReader

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")
Parsed: TypeAlias = tuple[str, tuple[int, int]]
"""A SKU and its count and sum."""


def totals_of(found: Iterable[Event]) -> Totals:
    """Return the totals of events, in the plainest way there is."""
    totals: Totals = {}
    for event in found:
        if event.quantity_units:
            number, units = totals.get(event.sku, (0, 0))
            totals[event.sku] = (number + 1, units + event.quantity_units)
    return totals


def parse_total(key: bytes, value: bytes) -> Parsed | None:
    """Return a total as this engine and the bare loop write it; a reserved key is none."""
    if key.startswith(b"\x00"):
        return None
    number, units = TOTAL.decode(value)
    return key.decode(), (number, units)


async def values_of(kafka: KafkaSettings, topic: str) -> list[bytes]:
    """Return the values of a log, partition by partition in order."""

    async def values(partition: int, end_offset: int) -> list[bytes]:
        found: list[bytes] = []
        async for batch in StateReader(kafka, topic, partition).read(0, end_offset):
            found += [value or b"" for _, value in batch.records]
        return found

    ends = await end_offsets(kafka, topic)
    return list(chain.from_iterable(await gather(*(values(*end) for end in ends.items()))))


async def restored(
    kafka: KafkaSettings,
    changelog: str,
    parse: Callable[[bytes, bytes], tuple[KeyT, ValueT] | None],
) -> dict[KeyT, ValueT]:
    """Return what an engine would restore: the newest committed value of each key.

    `parse` takes a changelog record; None says that it is no row (an engine's own records).
    """
    newest: dict[bytes, bytes | None] = {}

    async def read(partition: int, end_offset: int) -> None:
        # A key is in one partition only, so it does not matter whose turn it is.
        async for batch in StateReader(kafka, changelog, partition).read(0, end_offset):
            newest.update(batch.records)

    ends = await end_offsets(kafka, changelog)
    await gather(*(read(*end) for end in ends.items()))

    def rows() -> Iterator[tuple[KeyT, ValueT]]:
        for key, value in newest.items():
            row = parse(key, value) if value is not None else None
            if row is not None:
                yield row

    return dict(rows())


def difference(expected: Mapping[KeyT, ValueT], found: Mapping[KeyT, ValueT]) -> str:
    """Return in one sentence how two tables differ, or an empty text."""
    wrong = [key for key in expected if found.get(key) != expected[key]]
    extra = len(found.keys() - expected.keys())
    if not wrong and not extra:
        return ""
    example = ""
    if wrong:
        example = f"; {wrong[0]} is {found.get(wrong[0])}, the log says {expected[wrong[0]]}"
    return f"{len(wrong)} of {len(expected)} keys are wrong, {extra} too many{example}"
