"""What the demo knows of the running pipeline, kept up to date from committed topics alone."""

import asyncio
from collections.abc import Callable
from typing import Final

from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import EVENTS, INPUTS, STOCK
from simulators.checking import barrier_append
from simulators.views import StockView
from streams.contracts.events import EVENT_FRAMES
from streams.engine.adapters.reader import RecordWriter, TopicReader, end_offsets, read_topic
from streams.engine.ports import APPLIED_KEY
from streams.engine.records import decode_applied

PROBE_S: Final = 1.0
PROBES_WAITING_MAX: Final = 5
"""Barriers under way; a fold that stands still is not asked again and again."""


class Board:
    """A view of stock, the fold's lag, and barriers that time the way through the fold."""

    def __init__(
        self, kafka: KafkaSettings, *, clock: Callable[[], float], name: Callable[[], str]
    ) -> None:
        """Take where Kafka is, seconds that never go back, and what gives new barrier ids."""
        self.view = StockView()
        self.lag_records = -1
        """Frames of the input log that the stock fold has not committed; -1 before the first."""
        self.probing = False
        """Whether barriers time the way through the fold; not while it is still starting."""
        self._kafka = kafka
        self._clock = clock
        self._name = name
        self._applied: dict[int, int] = {}

    async def run(self) -> None:
        """Follow the topics until cancelled.

        Raises:
            InstallationError: The topics are not there.
            KafkaError: Kafka can't be read or written.
        """
        offsets = await end_offsets(self._kafka, EVENTS.name)
        tasks = [
            asyncio.ensure_future(work)
            for work in (self._follow_stock(), self._follow_events(offsets), self._probe())
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow_stock(self) -> None:
        async for records in read_topic(self._kafka, STOCK.name):
            for record in records:
                if record.key == APPLIED_KEY and record.value is not None:
                    self._applied[record.partition] = decode_applied(record.value).input_offset
                else:
                    self.view.take(record.key, record.value)

    async def _follow_events(self, offsets: dict[int, int]) -> None:
        async for records in read_topic(self._kafka, EVENTS.name, from_offsets=offsets):
            now_ms = self._clock_ms()
            for record in records:
                for event in EVENT_FRAMES.decode(record.value or b"").items:
                    self.view.hear(event, now_ms)

    async def _probe(self) -> None:
        async with (
            TopicReader(self._kafka, INPUTS.name) as reader,
            RecordWriter(self._kafka) as writer,
        ):
            while True:
                ends = await reader.ends()
                self.lag_records = sum(
                    max(0, end - 1 - self._applied.get(partition, -1))
                    for partition, end in ends.items()
                )
                if self.probing and self.view.probes_waiting < PROBES_WAITING_MAX:
                    barrier_id = self._name()
                    self.view.probe(barrier_id, ends, self._clock_ms())
                    for partition in sorted(ends):
                        await barrier_append(writer, barrier_id, partition)
                await asyncio.sleep(PROBE_S)

    def _clock_ms(self) -> int:
        return round(self._clock() * 1_000)
