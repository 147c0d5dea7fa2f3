"""Tasks to the floor: committed events in, MQTT out, offsets after the PUBACK."""

import asyncio

import structlog

from alerting.ports import CommittedLog, TaskPublisher
from alerting.tasks import tasks_of
from ingest.contracts.errors import FrameError
from ingest.contracts.topics import mqtt_tasks_topic
from streams.contracts.events import EVENT_FRAMES
from streams.engine.ports import LogRecord

_log = structlog.get_logger(__name__)


class FloorTasks:
    """Publishes each task at least once, in the order of its SKU's events."""

    def __init__(self, log: CommittedLog, publisher: TaskPublisher) -> None:
        """Take the event log and where tasks go."""
        self._log = log
        self._publisher = publisher
        self.tasks_published = 0
        self.frames_refused = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop` is set.

        Raises:
            DeliveryError: The MQTT broker did not take tasks in time; the process must end.
        """
        while not stop.is_set():
            await self.step()

    async def step(self) -> None:
        """Publish the tasks of one poll, then commit it."""
        records = await self._log.poll()
        messages = [message for record in records for message in self._messages(record)]
        if messages:
            await self._publisher.publish(messages)
            self.tasks_published += len(messages)
        if records:
            await self._log.commit({record.partition: record.offset + 1 for record in records})

    def _messages(self, record: LogRecord) -> list[tuple[str, bytes]]:
        try:
            items = EVENT_FRAMES.decode(record.value or b"").items
        except FrameError as error:
            self.frames_refused += 1
            place = f"{record.topic}/{record.partition}/{record.offset}"
            _log.error("event frame refused", place=place, reason=str(error))
            return []
        return [
            (mqtt_tasks_topic(task.site), task.model_dump_json().encode())
            for event in items
            for task in tasks_of(event)
        ]
