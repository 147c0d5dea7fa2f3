"""`shelfstream log`: read the frames of the logs."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
import typer

from deploy.terminal import kafka_settings, refuse
from ingest.contracts.errors import FrameError
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import ALERT_INPUTS, DELIVERIES, EVENTS, INPUTS, MOVEMENTS, PLANS
from ingest.frames import INPUT_FRAMES, FrameCodec
from streams.contracts.alerts import ALERT_INPUT_FRAMES, DELIVERY_FRAMES
from streams.contracts.events import EVENT_FRAMES
from streams.contracts.ledger import MOVEMENT_FRAMES
from streams.contracts.plans import PLAN_FRAMES
from streams.engine.adapters.reader import TopicRecord, end_offsets, read_topic

app = typer.Typer(no_args_is_help=True, help="The logs, readable.")

FRAMES_DEFAULT: Final = 10
LogName = Literal["inputs", "movements", "events", "plans", "alert-inputs", "deliveries"]
_LOGS: Final[dict[str, tuple[str, FrameCodec[Any]]]] = {
    "inputs": (INPUTS.name, INPUT_FRAMES),
    "movements": (MOVEMENTS.name, MOVEMENT_FRAMES),
    "events": (EVENTS.name, EVENT_FRAMES),
    "plans": (PLANS.name, PLAN_FRAMES),
    "alert-inputs": (ALERT_INPUTS.name, ALERT_INPUT_FRAMES),
    "deliveries": (DELIVERIES.name, DELIVERY_FRAMES),
}


@app.callback()
def log() -> None:
    """The logs, readable."""


@app.command()
def tail(
    name: Annotated[LogName, typer.Argument(help="Which log.")] = "inputs",
    partition: Annotated[int | None, typer.Option(min=0, help="Only this partition.")] = None,
    from_offset: Annotated[
        int | None, typer.Option("--from", min=0, help="Begin at this offset of each partition.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object an item.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on for ever.")] = False,
) -> None:
    """Print the items of a log's frames; the last ten frames of each partition without --from."""
    topic, codec = _LOGS[name]
    records = 0

    def told(record: TopicRecord) -> None:
        nonlocal records
        if partition is None or record.partition == partition:
            records += 1
            for line in frame_lines(record, codec, as_json=as_json):
                typer.echo(line)

    try:
        kafka = kafka_settings()
        ends = asyncio.run(end_offsets(kafka, topic))
        if partition is not None and partition not in ends:
            refuse(f"{topic} has partitions 0 to {max(ends)}")
        is_empty = not any(ends.values() if partition is None else [ends[partition]])
        nothing = f"there is nothing there; `--from 0` shows what {topic} keeps"
        if is_empty:
            nothing = f"there is nothing in {topic} yet"
        if is_empty and follow:
            typer.echo(nothing, err=True)
        asyncio.run(_tail(kafka, topic, told, ends, from_offset=from_offset, follow=follow))
        if not records and not follow:
            typer.echo(nothing, err=True)
    except KeyboardInterrupt:  # the way to end --follow
        return


async def _tail(
    kafka: KafkaSettings,
    topic: str,
    told: Callable[[TopicRecord], None],
    ends: Mapping[int, int],
    *,
    from_offset: int | None,
    follow: bool,
) -> None:
    begins = {
        one: end - FRAMES_DEFAULT if from_offset is None else from_offset
        for one, end in ends.items()
    }
    async for records in read_topic(kafka, topic, from_offsets=begins, until_end=not follow):
        for record in records:
            told(record)


def frame_lines(
    record: TopicRecord, codec: FrameCodec[Any], *, as_json: bool = False
) -> Iterator[str]:
    """Yield one line an item of a record's frame; one that says why where it is no frame."""
    where = f"{record.partition}/{record.offset}"
    try:
        frame = codec.decode(record.value or b"")
    except FrameError as error:
        yield _bad_line(record, str(error), as_json=as_json)
        return
    for item in frame.items:
        fields = _plain(item)
        kind = type(item).__name__
        if as_json:
            told = {
                "partition": record.partition,
                "offset": record.offset,
                "received_at_ms": frame.received_at_ms,
                "item": kind,
                **fields,
            }
            yield msgspec.json.encode(told).decode()
        else:
            text = " ".join(f"{key}={value}" for key, value in fields.items() if value != "")
            yield f"{where} {frame.received_at_ms} {kind} {text}"


def _bad_line(record: TopicRecord, why: str, *, as_json: bool) -> str:
    if not as_json:
        return f"{record.partition}/{record.offset} {why}"
    told = {"partition": record.partition, "offset": record.offset, "error": why}
    return msgspec.json.encode(told).decode()


def _plain(item: msgspec.Struct) -> dict[str, object]:
    """Return a struct's fields by name; what is array-like in the frame is for machines."""
    return {
        name: _plain(value) if isinstance(value, msgspec.Struct) else value
        for name, value in ((name, getattr(item, name)) for name in item.__struct_fields__)
    }
