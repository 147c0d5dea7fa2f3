"""Reading the in-memory Kafka after a run: committed tables, items, and who wrote them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from ingest.frames import FrameCodec
from simulators.whole.memory_kafka import MemoryKafka, PartitionLog
from streams.engine.fold import FoldSpec
from streams.engine.ports import APPLIED_KEY, Applied
from streams.engine.records import decode_applied

ItemT = TypeVar("ItemT")

Written = dict[tuple[str, int], list[Any]]
"""Items by (topic, partition), in order; frame borders are gone."""


@dataclass(frozen=True, slots=True)
class Table:
    """One partition of a state topic as `read_committed` has it."""

    state: dict[bytes, bytes]
    applied: Applied | None


def table_of(log: PartitionLog) -> Table:
    """Return the newest committed value of each key."""
    state: dict[bytes, bytes] = {}
    applied: Applied | None = None
    for record in log.read_committed(log.begin_offset):
        key = record.key or b""
        if key == APPLIED_KEY:
            applied = decode_applied(record.value or b"")
        elif record.value is None:
            state.pop(key, None)
        else:
            state[key] = record.value
    return Table(state, applied)


def items_of(kafka: MemoryKafka, topic: str, codec: FrameCodec[ItemT]) -> Iterator[ItemT]:
    """Yield the committed items of a topic, partition by partition, in order."""
    for log in kafka.topics[topic].partitions:
        for record in log.read_committed(log.begin_offset):
            yield from codec.decode(record.value or b"").items


def plain_items(value: bytes) -> list[Any]:
    """Return the items of any frame as plain arrays."""
    items: list[Any] = msgspec.msgpack.decode(value[1:])[2]
    return items


def written_by(kafka: MemoryKafka, spec: FoldSpec, transactional_id: str) -> Written:
    """Return what the committed transactions of one producer put out, state left aside."""
    written: Written = {}
    for name, topic in kafka.topics.items():
        if name == spec.state_topic:
            continue
        for partition, log in enumerate(topic.partitions):
            items = [
                item
                for record in log.read_committed(log.begin_offset)
                if record.transaction is not None
                and record.transaction.transactional_id == transactional_id
                for item in plain_items(record.value or b"")
            ]
            if items:
                written[name, partition] = items
    return written


def transactional_id_of(spec: FoldSpec, partition: int) -> str:
    """Return the name of the producer of one partition of a fold."""
    return f"shelfstream-{spec.name}-{partition}"
