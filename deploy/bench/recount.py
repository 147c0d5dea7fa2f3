"""Whether an engine counted right: its restorable state against a recount of the log itself."""

from collections.abc import AsyncIterator, Callable, Iterable

from deploy.bench.counting import TOTAL, Totals
from deploy.bench.events import DECODE_EVENT, FRAMES, Event
from ingest.contracts.settings import KafkaSettings
from streams.engine.adapters.reader import TopicRecord, read_topic

KeyValue = tuple[bytes, bytes | None]
Parsed = tuple[str, tuple[int, int]]
Parse = Callable[[bytes, bytes], Parsed | None]
"""Takes a changelog record; None for one that is no total (an engine's own records)."""


def count(found: Iterable[Event], totals: Totals) -> None:
    """Add events to totals, in the plainest way there is."""
    for event in found:
        if event.quantity_units:
            number, units = totals.get(event.sku, (0, 0))
            totals[event.sku] = (number + 1, units + event.quantity_units)


def parse_total(key: bytes, value: bytes) -> Parsed | None:
    """Return a total as this engine and the bare loop write it; a reserved key is none."""
    if key.startswith(b"\x00"):
        return None
    number, units = TOTAL.decode(value)
    return key.decode(), (number, units)


async def recounted(kafka: KafkaSettings, topic: str, *, frames: bool) -> Totals:
    """Return the totals of all events in a log."""
    totals: Totals = {}
    async for records in _values(kafka, topic):
        for record in records:
            value = record.value or b""
            count(FRAMES.decode(value).items if frames else [DECODE_EVENT(value)], totals)
    return totals


async def restored(kafka: KafkaSettings, changelog: str, parse: Parse) -> Totals:
    """Return the totals that an engine would restore: the newest committed value of each key."""
    newest: dict[bytes, bytes | None] = {}
    async for records in _values(kafka, changelog):
        newest.update((record.key or b"", record.value) for record in records)
    parsed = (parse(key, value) for key, value in newest.items() if value is not None)
    return dict(total for total in parsed if total is not None)


def difference(expected: Totals, found: Totals) -> str:
    """Return in one sentence how two tables differ, or an empty text."""
    wrong = [sku for sku in expected if found.get(sku) != expected[sku]]
    extra = len(found.keys() - expected.keys())
    if not wrong and not extra:
        return ""
    example = ""
    if wrong:
        sku = wrong[0]
        example = f"; {sku} is {found.get(sku)}, the log says {expected[sku]}"
    return f"{len(wrong)} of {len(expected)} keys are wrong, {extra} too many{example}"


def _values(kafka: KafkaSettings, topic: str) -> AsyncIterator[list[TopicRecord]]:
    return read_topic(kafka, topic, until_end=True)
