"""The installation's record in the catalog topic: written once, compared at every later start."""

import asyncio
from typing import Final, cast

from ingest.catalog import entity_read
from ingest.contracts.errors import InstallationError, StackError
from ingest.contracts.reference import INSTALLATION_KEY, Installation
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import CATALOG
from streams.engine.adapters.reader import RecordWriter, read_topic

READ_TIMEOUT_S: Final = 30.0


async def confirm_installation(settings: KafkaSettings, wanted: Installation) -> Installation:
    """Write the record where there is none; return the one that holds.

    Raises:
        CatalogError: The record can't be read.
        InstallationError: Another installation is on this broker.
        StackError: The catalog topic was not read in time.
    """
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            found = await _read_installation(settings)
            if found is None:
                value = wanted.model_dump_json().encode()
                async with RecordWriter(settings) as writer:
                    await writer.write(CATALOG.name, 0, INSTALLATION_KEY.encode(), value)
                return wanted
    except TimeoutError as error:
        raise StackError(f"{CATALOG.name} was not read within {READ_TIMEOUT_S:.0f} s") from error
    check_installation(found, wanted)
    return found


async def _read_installation(settings: KafkaSettings) -> Installation | None:
    # The catalogue may be large and is not needed here: only this record is decoded.
    found = None
    async for records in read_topic(settings, CATALOG.name, until_end=True):
        for record in records:
            if record.key == INSTALLATION_KEY.encode() and record.value is not None:
                found = cast("Installation", entity_read(INSTALLATION_KEY, record.value))
    return found


def check_installation(found: Installation, wanted: Installation) -> None:
    """Compare the record on the broker with what this start expects.

    Raises:
        InstallationError: They differ in identity, partition count or time.
    """
    for name in ("installation_id", "partition_count", "time"):
        there, here = getattr(found, name), getattr(wanted, name)
        if there != here:
            what = name.replace("_", " ")
            raise InstallationError(
                f"the installation on the broker has {what} {there}, and this home has {here}"
            )
