"""The newest record of each entity of one kind, read from a compacted topic."""

from typing import TypeVar

import msgspec

from ingest.contracts.settings import KafkaSettings
from streams.contracts.state import SEPARATOR
from streams.engine.adapters.reader import read_topic

StructT = TypeVar("StructT", bound=msgspec.Struct)


async def newest(
    kafka: KafkaSettings, topic: str, kind: str, struct: type[StructT]
) -> list[StructT]:
    """Return what a topic of a fold's state holds of a kind, in no order that means anything.

    Raises:
        InstallationError: There is no such topic.
        KafkaError: Kafka can't be read.
    """
    prefix = f"{kind}{SEPARATOR}".encode()
    found: dict[bytes, bytes | None] = {}
    async for records in read_topic(kafka, topic, until_end=True):
        for record in records:
            if record.key is not None and record.key.startswith(prefix):
                found[record.key] = record.value
    decoder = msgspec.msgpack.Decoder(struct)
    return [decoder.decode(value) for value in found.values() if value is not None]
