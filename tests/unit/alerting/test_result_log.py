"""Delivery results on their way back to the fold."""

import asyncio

from alerting.adapters.kafka import KafkaResultLog
from ingest.contracts.topics import ALERT_INPUTS
from ingest.frames import FRAME_ITEMS_MAX
from ingest.partitions import partition_of
from streams.contracts.alerts import ALERT_INPUT_FRAMES, DeliveryResult
from streams.engine.adapters.reader import RecordWriter

PARTITIONS = 4
SITES = ("berlin", "rome", "oslo")


class KeptWriter(RecordWriter):
    """Keeps what would be written; nothing is connected."""

    def __init__(self) -> None:
        """Begin empty."""
        self.written: list[tuple[str, int, bytes | None, bytes]] = []

    async def write(self, topic: str, partition: int, key: bytes | None, value: bytes) -> int:
        """Keep a record."""
        self.written.append((topic, partition, key, value))
        return len(self.written) - 1


def results(count: int) -> list[DeliveryResult]:
    """Return results of alerts at three sites."""
    return [
        DeliveryResult(
            delivery_id=f"d{number}",
            alert_key="k",
            site=SITES[number % 3],
            channel="shop",
            delivered=True,
            attempts=1,
            at_ms=5,
        )
        for number in range(count)
    ]


def test_results_go_to_the_partition_of_their_site_in_full_frames() -> None:
    """In order within a site, no frame above the limit, stamped with the time given."""
    writer = KeptWriter()
    given = results(3 * FRAME_ITEMS_MAX + 6)
    asyncio.run(KafkaResultLog(writer, PARTITIONS).write(given, at_ms=42))
    found: dict[str, list[str]] = {site: [] for site in SITES}
    for topic, partition, key, value in writer.written:
        frame = ALERT_INPUT_FRAMES.decode(value)
        assert (topic, key, frame.received_at_ms) == (ALERT_INPUTS.name, None, 42)
        assert len(frame.items) <= FRAME_ITEMS_MAX
        for item in frame.items:
            assert isinstance(item, DeliveryResult)
            assert partition == partition_of(item.site, PARTITIONS)
            found[item.site].append(item.delivery_id)
    for site in SITES:
        assert found[site] == [it.delivery_id for it in given if it.site == site]


def test_no_results_are_no_frames() -> None:
    """An empty frame would be a record for nothing."""
    writer = KeptWriter()
    asyncio.run(KafkaResultLog(writer, PARTITIONS).write([], at_ms=42))
    assert writer.written == []
