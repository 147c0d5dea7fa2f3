"""The installation's record in the catalog topic: written once, compared at every later start."""

import asyncio
from typing import Final, Literal

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from pydantic import BaseModel, ConfigDict

from deploy.kafka_access import client_arguments
from ingest.contracts.errors import InstallationError, StackError
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import CATALOG

INSTALLATION_KEY: Final = b"installation"
READ_TIMEOUT_S: Final = 30.0
FETCH_TIMEOUT_MS: Final = 500


class InstallationRecord(BaseModel):
    """What an installation was made with."""

    model_config = ConfigDict(frozen=True)

    installation_id: str
    partition_count: int
    time: Literal["wall", "driven"]
    created_at_ms: int


async def confirm_installation(
    settings: KafkaSettings, record: InstallationRecord
) -> InstallationRecord:
    """Write the record where there is none; return the one that holds.

    Raises:
        InstallationError: Another installation is on this broker.
        StackError: The catalog topic could not be read in time.
    """
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            found = await _read_record(settings)
            if found is None:
                await _write_record(settings, record)
                return record
    except TimeoutError as error:
        raise StackError(f"{CATALOG.name} was not read within {READ_TIMEOUT_S:.0f} s") from error
    check_record(found, record)
    return found


def check_record(found: InstallationRecord, expected: InstallationRecord) -> None:
    """Compare the record on the broker with what this start expects.

    Raises:
        InstallationError: They differ in identity, partition count or time.
    """
    for name in ("installation_id", "partition_count", "time"):
        there, here = getattr(found, name), getattr(expected, name)
        if there != here:
            what = name.replace("_", " ")
            raise InstallationError(
                f"the installation on the broker has {what} {there}, and this home has {here}"
            )


async def _read_record(settings: KafkaSettings) -> InstallationRecord | None:
    partition = TopicPartition(CATALOG.name, 0)
    consumer = AIOKafkaConsumer(
        **client_arguments(settings),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        await consumer.seek_to_beginning(partition)
        found = None
        while await consumer.position(partition) < end:
            for record in (await consumer.getmany(timeout_ms=FETCH_TIMEOUT_MS)).get(partition, ()):
                if record.key == INSTALLATION_KEY and record.value is not None:
                    found = InstallationRecord.model_validate_json(record.value)
        return found
    finally:
        await consumer.stop()


async def _write_record(settings: KafkaSettings, record: InstallationRecord) -> None:
    producer = AIOKafkaProducer(**client_arguments(settings), acks="all", enable_idempotence=True)
    await producer.start()
    try:
        value = record.model_dump_json().encode()
        await producer.send_and_wait(CATALOG.name, value, key=INSTALLATION_KEY, partition=0)
    finally:
        await producer.stop()
