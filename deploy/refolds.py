"""A partition's log folded again, from its first frame on, beside what its fold has recorded."""

from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from deploy.planned import Planned
from ingest.contracts.errors import FrameError, InstallationError
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import EVENTS, PLAN_STATE
from streams.contracts.events import EVENT_FRAMES, StreamEvent
from streams.engine.adapters.reader import TopicReader, end_offsets, read_topic
from streams.engine.fold import Fold
from streams.engine.ports import APPLIED_KEY
from streams.engine.records import decode_applied


class Refold:
    """A fold with its state in memory; keeps the events it gives."""

    def __init__(self, fold: Fold, keep: Callable[[StreamEvent], bool] = lambda _: True) -> None:
        """Take a new fold, which begins with nothing known, and which events are kept."""
        self.events: list[StreamEvent] = []
        self.state: dict[bytes, bytes] = {}
        self._fold = fold
        self._keep = keep
        self._fold.start(self.state)

    def fold(self, value: bytes) -> None:
        """Fold one frame; what is no frame became a dead letter then, too."""
        try:
            self._fold.fold(value)
        except FrameError:
            return
        changes = self._fold.drain()
        for raw, record in changes.state.items():
            if record is None:
                self.state.pop(raw, None)
            else:
                self.state[raw] = record
        for output in changes.outputs:
            if output.topic == EVENTS.name:
                items = EVENT_FRAMES.decode(output.value).items
                self.events += [event for event in items if self._keep(event)]


async def refolded(
    kafka: KafkaSettings, topic: str, partition: int, again: Refold
) -> AsyncIterator[int]:
    """Fold a partition from its first frame to its end; yield the offset of each folded frame.

    Raises:
        InstallationError: The first frames are not kept any more, or there is no such topic.
        StalledError: Kafka fell silent before the end.
    """
    begin, others = await bounds(kafka, topic, partition)
    if begin:
        raise InstallationError(
            f"{topic}/{partition} begins at offset {begin}: what was before is not kept,"
            " so it can't be folded again from the beginning"
        )
    async for records in read_topic(kafka, topic, from_offsets=others, until_end=True):
        for record in records:
            if record.partition == partition and record.value:
                again.fold(record.value)
                yield record.offset


async def bounds(kafka: KafkaSettings, topic: str, partition: int) -> tuple[int, dict[int, int]]:
    """Return where a partition begins, and the ends of all others.

    Raises:
        InstallationError: There is no such topic.
    """
    async with TopicReader(kafka, topic) as reader:
        begin = reader.positions[partition]
        others = await reader.ends()
    others.pop(partition)
    return begin, others


async def recorded_events(
    kafka: KafkaSettings, partition: int | None, keep: Callable[[StreamEvent], bool]
) -> list[StreamEvent]:
    """Return committed events that are still kept, in order, of one partition or (None) of all.

    Raises:
        InstallationError: There is no such topic.
        StalledError: Kafka fell silent before the end.
    """
    found: list[StreamEvent] = []
    others = {} if partition is None else dict(await end_offsets(kafka, EVENTS.name))
    if partition is not None:
        others.pop(partition, None)
    async for records in read_topic(kafka, EVENTS.name, from_offsets=others, until_end=True):
        for record in records:
            if partition in {None, record.partition} and record.value:
                items = EVENT_FRAMES.decode(record.value).items
                found += [event for event in items if keep(event)]
    return found


class RecordedPlan(NamedTuple):
    """A record of the planning fold as committed, and how far its partition had come then."""

    value: bytes | None
    applied_offset: int
    """Of the last frame of `shelfstream.plans` it knows; -1 for none."""


async def recorded_plan(kafka: KafkaSettings, partition: int, planned: Planned) -> RecordedPlan:
    """Return the committed record of an entity of the planning fold.

    Raises:
        InstallationError: There is no such topic, or its applied record is of another version.
        StalledError: Kafka fell silent before the end.
    """
    value, applied_offset = None, -1
    async for records in read_topic(kafka, PLAN_STATE.name, until_end=True):
        for record in records:
            if record.partition != partition:
                continue
            if record.key == planned.state_key:
                value = record.value
            elif record.key == APPLIED_KEY and record.value is not None:
                applied_offset = decode_applied(record.value).input_offset
    return RecordedPlan(value, applied_offset)
