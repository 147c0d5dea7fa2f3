"""Doubles of the sender's and the floor's world."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

from alerting.ports import SendError
from alerting.sender import OutboxSender
from alerting.settings import AlertingSettings
from ingest.contracts.errors import DeliveryError
from streams.contracts.alerts import DELIVERY_FRAMES, Delivery, DeliveryResult
from streams.engine.ports import LogRecord

DEADLINE_S = 10.0


class FakeLog:
    """A topic of one group in memory; a second reader begins where the first committed."""

    def __init__(self) -> None:
        """Begin empty."""
        self.records: list[LogRecord] = []
        self.committed: dict[int, int] = {}
        self._read = 0

    def append(self, value: bytes, partition: int = 0) -> None:
        """Add a record to a partition."""
        offset = sum(record.partition == partition for record in self.records)
        self.records.append(LogRecord("t", partition, offset, None, value))

    def restart(self) -> None:
        """Let reading begin at what is committed."""
        self._read = 0

    async def poll(self) -> Sequence[LogRecord]:
        """Return what is new."""
        await asyncio.sleep(0)
        fresh = self.records[self._read :]
        self._read = len(self.records)
        return [r for r in fresh if r.offset >= self.committed.get(r.partition, 0)]

    async def commit(self, next_offsets: Mapping[int, int]) -> None:
        """Keep the offsets."""
        self.committed.update(next_offsets)


class FakeResults:
    """Keeps the results."""

    def __init__(self) -> None:
        """Begin empty."""
        self.results: list[DeliveryResult] = []
        self.times_ms: list[int] = []
        self.broken = False

    async def write(self, results: Sequence[DeliveryResult], at_ms: int) -> None:
        """Keep results and their frame's time; fail while told to."""
        await asyncio.sleep(0)
        if self.broken:
            raise ConnectionError("Kafka is away")
        self.results += results
        self.times_ms.append(at_ms)

    def of(self, channel: str) -> list[tuple[str, bool, int, str]]:
        """Id, delivered, attempts and error of a channel's results."""
        return [
            (r.delivery_id, r.delivered, r.attempts, r.error)
            for r in self.results
            if r.channel == channel
        ]


class FakeSender:
    """Takes every message, but as channels are told to: dead, hanging or failing a few times."""

    def __init__(self) -> None:
        """Begin with all channels well."""
        self.taken: list[str] = []
        self.attempts: Counter[str] = Counter()
        self.dead: set[str] = set()
        self.hanging: set[str] = set()
        self.misconfigured: set[str] = set()
        self.failures_left: Counter[str] = Counter()

    async def send(self, delivery: Delivery) -> None:
        """Take a message or not."""
        self.attempts[delivery.channel] += 1
        if delivery.channel in self.hanging:
            await asyncio.Event().wait()
        if delivery.channel in self.misconfigured:
            raise SendError("no address", permanent=True)
        if delivery.channel in self.dead or self.failures_left[delivery.channel] > 0:
            self.failures_left[delivery.channel] -= 1
            raise SendError("refused")
        self.taken.append(delivery.delivery_id)


class FakePublisher:
    """Keeps tasks; refuses while told to."""

    def __init__(self) -> None:
        """Begin well."""
        self.messages: list[tuple[str, bytes]] = []
        self.away = False

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Keep messages."""
        if self.away:
            raise DeliveryError("no PUBACK")
        self.messages += messages


def delivery(channel: str, number: int, at_ms: int = 7) -> Delivery:
    """A message about one alert."""
    return Delivery(
        delivery_id=f"delivery-k-{number}-{channel}",
        alert_key="k",
        site="berlin",
        channel=channel,
        url_variable="SHOP_URL",
        title="Warning: Low stock: milk at berlin",
        body="available 3",
        severity="warning",
        at_ms=at_ms,
    )


def frame(*deliveries: Delivery) -> bytes:
    """A record of the outbox."""
    return DELIVERY_FRAMES.encode(list(deliveries), received_at_ms=7)


async def eventually(condition: Callable[[], bool]) -> None:
    """Return when the condition holds; fail after the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - the fakes have no events to wait for
            await asyncio.sleep(0.001)


class Sending:
    """A sender over fakes, run while a scenario lasts."""

    def __init__(self, **limits: int) -> None:
        """Take settings that differ from the quick ones of tests."""
        self.log = FakeLog()
        self.results = FakeResults()
        self.sender = FakeSender()
        self.known: dict[str, int] = {}
        self._settings = AlertingSettings(
            **{"attempts_max": 3, "backoff_ms": 1, "backoff_ms_max": 2, **limits}
        )

    async def during(self, scenario: Callable[[], Awaitable[None]]) -> None:
        """Run a fresh sender, as after a start, until the scenario ends."""
        self.log.restart()
        stop = asyncio.Event()
        outbox = OutboxSender(
            self.log,
            self.results,
            self.sender,
            self._settings,
            stamp_ms=lambda it: it.at_ms,
            known=self.known,
        )
        running = asyncio.create_task(outbox.run(stop))
        playing = asyncio.ensure_future(scenario())
        await asyncio.wait([running, playing], return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        await running
        await playing
