"""The sender: each channel of the outbox has its own queue and worker.

A dead channel fills its own queue, and then its messages fail visibly; it never holds another one
up. A message is finished when its result is in Kafka; only then may the place it was read from be
committed. So after a crash it is sent again with the same id, unless its result is known.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import structlog

from alerting.ports import CommittedLog, ResultLog, Sender, SendError
from alerting.progress import Place, Progress
from alerting.settings import AlertingSettings
from ingest.contracts.errors import FrameError
from streams.contracts.alerts import DELIVERY_FRAMES, Delivery, DeliveryResult
from streams.engine.ports import LogRecord

_log = structlog.get_logger(__name__)


class _Job:
    __slots__ = ("delivery", "places")

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        self.places: set[Place] = set()


class _Channel:
    __slots__ = ("healthy", "queue")

    def __init__(self, queue_max: int) -> None:
        self.queue: asyncio.Queue[_Job] = asyncio.Queue(queue_max)
        self.healthy = True


class OutboxSender:
    """Sends what the alert fold put into the outbox and writes back what became of it."""

    def __init__(
        self,
        log: CommittedLog,
        results: ResultLog,
        sender: Sender,
        settings: AlertingSettings,
        *,
        stamp_ms: Callable[[Delivery], int],
        known: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Take the ports; `stamp_ms` gives the time of a result in the installation's time.

        `known` are deliveries whose results the alert fold has already, each with a time in
        milliseconds: one with the same id and a later time is another message.
        """
        self._log = log
        self._results = results
        self._sender = sender
        self._settings = settings
        self._stamp_ms = stamp_ms
        self._progress = Progress()
        self._jobs: dict[str, _Job] = {}
        self._channels: dict[str, _Channel] = {}
        self._known = OrderedDict(known)
        self._workers: list[asyncio.Task[None]] = []
        self.frames_refused = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set; what is under way then is sent again after the next start.

        Raises:
            ExceptionGroup: Kafka refused a result or a commit; the process must end.
        """
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                await self._take(await self._log.poll(), group)
                await self._commit()
            for worker in self._workers:
                worker.cancel()
        await self._commit()

    async def _take(self, records: Sequence[LogRecord], group: asyncio.TaskGroup) -> None:
        refused: list[tuple[_Job, str]] = []
        for record in records:
            deliveries = self._decode(record)
            self._progress.begin(record.partition, record.offset, len(deliveries))
            for number, delivery in enumerate(deliveries):
                place = Place(record.partition, record.offset, number)
                job = self._job(delivery, place)
                refusal = "" if job is None else self._enqueue(job, group)
                if job is not None and refusal:
                    refused.append((job, refusal))
        if refused:
            failed = [self._result(job.delivery, 0, reason) for job, reason in refused]
            await self._finish([job for job, _ in refused], failed)

    def _decode(self, record: LogRecord) -> list[Delivery]:
        try:
            return DELIVERY_FRAMES.decode(record.value or b"").items
        except FrameError as error:
            self.frames_refused += 1
            place = f"{record.topic}/{record.partition}/{record.offset}"
            _log.error("outbox frame refused", place=place, reason=str(error))
            return []

    def _job(self, delivery: Delivery, place: Place) -> _Job | None:
        """Return a new job, or None where the message is finished or under way."""
        under_way = self._jobs.get(delivery.delivery_id)
        if under_way is not None:
            under_way.places.add(place)
            return None
        if delivery.at_ms <= self._known.get(delivery.delivery_id, -1):
            self._progress.finish(place)
            return None
        job = _Job(delivery)
        job.places.add(place)
        self._jobs[delivery.delivery_id] = job
        return job

    def _enqueue(self, job: _Job, group: asyncio.TaskGroup) -> str:
        """Return why the message can't wait for its turn, or nothing."""
        name = job.delivery.channel
        channel = self._channels.get(name)
        if channel is None:
            if len(self._channels) >= self._settings.channels_max:
                return f"more than {self._settings.channels_max} channels"
            channel = self._channels[name] = _Channel(self._settings.queue_deliveries_max)
            self._workers.append(group.create_task(self._work(channel), name=f"channel-{name}"))
        try:
            channel.queue.put_nowait(job)
        except asyncio.QueueFull:
            return f"{self._settings.queue_deliveries_max} messages wait for this channel already"
        return ""

    async def _work(self, channel: _Channel) -> None:
        while True:
            job = await channel.queue.get()
            result = await self._attempts(job.delivery, channel)
            await self._finish([job], [result])

    async def _attempts(self, delivery: Delivery, channel: _Channel) -> DeliveryResult:
        attempts_max = self._settings.attempts_max if channel.healthy else 1
        attempts = 0
        while True:
            attempts += 1
            try:
                await self._attempt(delivery)
            except SendError as error:
                if error.permanent or attempts >= attempts_max:
                    channel.healthy = channel.healthy and error.permanent
                    return self._result(delivery, attempts, str(error))
            else:
                channel.healthy = True
                return self._result(delivery, attempts)
            await asyncio.sleep(backoff_ms(self._settings, attempts) / 1000)

    async def _attempt(self, delivery: Delivery) -> None:
        try:
            async with asyncio.timeout(self._settings.send_timeout_ms / 1000):
                await self._sender.send(delivery)
        except TimeoutError as error:
            raise SendError(f"no answer within {self._settings.send_timeout_ms} ms") from error

    def _result(self, delivery: Delivery, attempts: int, error: str = "") -> DeliveryResult:
        if error:
            _log.warning(
                "delivery failed",
                delivery_id=delivery.delivery_id,
                channel=delivery.channel,
                attempts=attempts,
                reason=error,
            )
        return DeliveryResult(
            delivery_id=delivery.delivery_id,
            alert_key=delivery.alert_key,
            site=delivery.site,
            channel=delivery.channel,
            delivered=not error,
            attempts=attempts,
            at_ms=self._stamp_ms(delivery),
            error=error,
        )

    async def _finish(self, jobs: Sequence[_Job], results: Sequence[DeliveryResult]) -> None:
        await self._results.write(results, max(result.at_ms for result in results))
        for job in jobs:
            self._jobs.pop(job.delivery.delivery_id, None)
            self._known[job.delivery.delivery_id] = job.delivery.at_ms
            for place in job.places:
                self._progress.finish(place)
        while len(self._known) > self._settings.known_deliveries_max:
            self._known.popitem(last=False)

    async def _commit(self) -> None:
        moved = self._progress.changed()
        if moved:
            await self._log.commit(moved)


def backoff_ms(settings: AlertingSettings, attempts: int) -> int:
    """Return the wait after so many failed attempts, in milliseconds: it doubles to a limit."""
    doublings = min(attempts - 1, settings.backoff_ms_max.bit_length())
    return min(settings.backoff_ms_max, settings.backoff_ms << doublings)
