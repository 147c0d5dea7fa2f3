"""`shelfstream explain`: why a threshold, a breach, a transfer or a request is as it is.

Exit code 0: explained; 1: `--replay` found something else; 2: it could not be explained.
"""

import asyncio
import os
from typing import Annotated, Final

import typer

from deploy.catalog_load import installation_of, read_catalog
from deploy.explanations import explained, named_events, threshold_behind
from ingest.contracts.errors import FrameError, InstallationError, ShelfstreamError
from ingest.contracts.settings import KafkaSettings, load
from ingest.contracts.topics import EVENTS, INPUTS
from ingest.partitions import partition_of
from streams.contracts.events import EVENT_FRAMES, PurchaseChanged, StreamEvent
from streams.contracts.state import sku_of
from streams.domain.fold import StockFold
from streams.engine.adapters.reader import TopicReader, end_offsets, read_topic

DIFFERENT_CODE: Final = 1


class UnknownIdError(ShelfstreamError):
    """Nothing is known of an id."""


def explain(
    entity_id: Annotated[str, typer.Argument(help="Such as threshold-SKU-12 or breach-SKU-7.")],
    replay: Annotated[
        bool, typer.Option("--replay", help="Fold the log of its partition again, and compare.")
    ] = False,
) -> None:
    """Print the inputs, the formula with its numbers, the policy's part and the version."""
    kafka = load(KafkaSettings, os.environ)  # noqa: TID251 - a command is a main
    agrees = asyncio.run(_explain(kafka, entity_id, replay=replay))
    if not agrees:
        raise typer.Exit(DIFFERENT_CODE)


async def _explain(kafka: KafkaSettings, entity_id: str, *, replay: bool) -> bool:
    try:
        sku = sku_of(entity_id)
    except ValueError as error:
        raise UnknownIdError(str(error)) from error
    installation = installation_of(await read_catalog(kafka))
    partition = partition_of(sku, installation.partition_count)
    events = await recorded_events(kafka, partition)
    found = named_events(events, entity_id)
    if not found:
        raise UnknownIdError(
            f"no event of {entity_id} is in {EVENTS.name}, which is kept for 35 days"
        )
    for line in explained(found):
        typer.echo(line)
    behind = threshold_behind(found)
    if behind:
        gone = [f"{behind} is not kept any more"]
        for line in explained(named_events(events, behind)) or gone:
            typer.echo(line)
    if not replay:
        return True
    if entity_id.startswith("count-"):
        raise UnknownIdError("a count is decided in several partitions: it can't be replayed")
    if isinstance(found[0], PurchaseChanged):
        raise UnknownIdError("the planning fold decided it: --replay folds the stock fold's log")
    again = await replayed_events(kafka, partition, installation.partition_count)
    agrees = named_events(again, entity_id)[: len(found)] == found
    typer.echo(f"replay of partition {partition}: {'the same' if agrees else 'something else'}")
    return agrees


async def recorded_events(kafka: KafkaSettings, partition: int) -> list[StreamEvent]:
    """Return the committed events of a partition that are still kept, in order.

    Raises:
        InstallationError: There is no such topic.
        StalledError: Kafka fell silent before the end.
    """
    found: list[StreamEvent] = []
    others = dict(await end_offsets(kafka, EVENTS.name))
    others.pop(partition, None)
    async for records in read_topic(kafka, EVENTS.name, from_offsets=others, until_end=True):
        for record in records:
            if record.partition == partition and record.value:
                found += EVENT_FRAMES.decode(record.value).items
    return found


async def replayed_events(kafka: KafkaSettings, partition: int, count: int) -> list[StreamEvent]:
    """Fold the inputs of a partition from the first on, and return the events that gives.

    Raises:
        InstallationError: The first inputs are not kept any more, or there is no such topic.
        StalledError: Kafka fell silent before the end.
    """
    async with TopicReader(kafka, INPUTS.name) as reader:
        begin = reader.positions[partition]
        others = await reader.ends()
    if begin:
        raise InstallationError(
            f"{INPUTS.name}/{partition} begins at offset {begin}: what was before is not kept,"
            " so it can't be folded again from the beginning"
        )
    others.pop(partition)
    again = Refold(partition, count)
    async for records in read_topic(kafka, INPUTS.name, from_offsets=others, until_end=True):
        for record in records:
            if record.partition == partition and record.value:
                again.fold(record.value)
    return again.events


class Refold:
    """A stock fold with its state in memory; keeps the events it gives."""

    def __init__(self, partition: int, partition_count: int) -> None:
        """Begin with nothing known."""
        self.events: list[StreamEvent] = []
        self._state: dict[bytes, bytes] = {}
        self._fold = StockFold(partition, partition_count)
        self._fold.start(self._state)

    def fold(self, value: bytes) -> None:
        """Fold one frame; what is no frame became a dead letter then, too."""
        try:
            self._fold.fold(value)
        except FrameError:
            return
        changes = self._fold.drain()
        for raw, record in changes.state.items():
            if record is None:
                self._state.pop(raw, None)
            else:
                self._state[raw] = record
        for output in changes.outputs:
            if output.topic == EVENTS.name:
                self.events += EVENT_FRAMES.decode(output.value).items
