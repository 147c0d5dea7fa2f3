"""Looks one scan up in the ledger, which is read from its begin to its end."""

from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import MOVEMENTS
from streams.contracts.ledger import MOVEMENT_FRAMES, Movement
from streams.engine.adapters.reader import read_topic
from streams.scan_movements import ScanFinder


async def scans_of(kafka: KafkaSettings, wanted: str) -> list[list[Movement]]:
    """Return the scans of a movement's id, or of a cause, each with all its movements.

    Raises:
        InstallationError: There is no ledger.
        KafkaError: Kafka can't be read.
    """
    finder = ScanFinder(wanted)
    async for records in read_topic(kafka, MOVEMENTS.name, until_end=True):
        for record in records:
            for movement in MOVEMENT_FRAMES.decode(record.value or b"").items:
                finder.take(record.partition, movement)
    return finder.scans()
