"""The outbox, the event log, delivery results and what is known of them, on Kafka."""

from collections.abc import Mapping, Sequence
from typing import Self

import msgspec

from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import ALERT_INPUTS, ALERTS
from ingest.frames import FRAME_ITEMS_MAX
from ingest.partitions import partition_of
from streams.contracts.alerts import (
    ALERT,
    ALERT_INPUT_FRAMES,
    Alert,
    AlertClock,
    AlertItem,
    DeliveryResult,
)
from streams.contracts.state import CLOCK, key
from streams.engine.adapters.group import GroupReader
from streams.engine.adapters.reader import RecordWriter, read_topic
from streams.engine.ports import LogRecord

_POLL_WAIT_MS = 200


class GroupLog:
    """One topic read by one consumer group; `async with` connects."""

    def __init__(
        self, kafka: KafkaSettings, group: str, topic: str, *, poll_records_max: int
    ) -> None:
        """Take the group and its topic."""
        self._topic = topic
        self._reader = GroupReader(
            kafka, group, [topic], poll_records_max=poll_records_max, poll_wait_ms=_POLL_WAIT_MS
        )

    async def __aenter__(self) -> Self:
        """Connect and join the group."""
        await self._reader.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        """Leave the group."""
        await self._reader.__aexit__(*error)

    async def poll(self) -> Sequence[LogRecord]:
        """Return the next records, in order within a partition; empty after a short wait."""
        return await self._reader.poll()

    async def commit(self, next_offsets: Mapping[int, int]) -> None:
        """Commit by partition; what a rebalance has taken away is left to its new owner."""
        offsets = {(self._topic, partition): offset for partition, offset in next_offsets.items()}
        await self._reader.commit(offsets)


class KafkaResultLog:
    """Delivery results as frames of `alert-inputs`, in the partition of their site."""

    def __init__(self, writer: RecordWriter, partition_count: int) -> None:
        """Take an idempotent writer and the installation's partition count."""
        self._writer = writer
        self._partition_count = partition_count

    async def write(self, results: Sequence[DeliveryResult], at_ms: int) -> None:
        """Write results, and return when Kafka has them.

        Raises:
            KafkaError: The broker refused it or could not be asked.
        """
        by_partition: dict[int, list[AlertItem]] = {}
        for result in results:
            partition = partition_of(result.site, self._partition_count)
            by_partition.setdefault(partition, []).append(result)
        for partition, items in sorted(by_partition.items()):
            for begin in range(0, len(items), FRAME_ITEMS_MAX):
                part = items[begin : begin + FRAME_ITEMS_MAX]
                frame = ALERT_INPUT_FRAMES.encode(part, received_at_ms=at_ms)
                await self._writer.write(ALERT_INPUTS.name, partition, None, frame)


async def known_deliveries(kafka: KafkaSettings) -> dict[str, int]:
    """Return the deliveries whose results the alert fold has, as its state is committed now.

    Each with the time that the fold has reached: an id that comes later is another message, since
    an alert that was forgotten begins to count anew.

    Raises:
        InstallationError: There is no state topic of the alert fold.
    """
    decoder = msgspec.msgpack.Decoder(Alert)
    clock_decoder = msgspec.msgpack.Decoder(AlertClock)
    head, clock_key = key(ALERT, ""), key(CLOCK)
    finished: dict[tuple[int, bytes], list[str]] = {}
    now_ms: dict[int, int] = {}
    async for records in read_topic(kafka, ALERTS.name, until_end=True):
        for record in records:
            if record.key == clock_key and record.value is not None:
                now_ms[record.partition] = clock_decoder.decode(record.value).now_ms
            if record.key is None or not record.key.startswith(head):
                continue
            deliveries = {} if record.value is None else decoder.decode(record.value).deliveries
            done = [name for name, how in deliveries.items() if how != "sent"]
            finished[record.partition, record.key] = done
    return {
        name: now_ms.get(partition, 0)
        for (partition, _), names in finished.items()
        for name in names
    }
