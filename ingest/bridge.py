"""The bridge: MQTT messages become frames in Kafka, and only then are acknowledged.

`Bridge.step` never waits, starts no thread and reads no clock of its own, so the in-memory whole
drives this very code. What it promises: a message is acknowledged, and its receipt published, only
after Kafka has every frame and dead letter made from it; acknowledgements leave in the order
received; each event ends as an input or as a dead letter, never as both.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ingest import wire
from ingest.batcher import AckLedger, Batch, FrameBatcher, InFlight
from ingest.clocks import SourceClocks
from ingest.contracts.errors import DeliveryError, InstallationError
from ingest.contracts.topics import ALERT_INPUTS, DEAD_LETTERS, INPUTS, MQTT_TIME, PLANS
from ingest.frames import (
    FRAME_AGE_MS_MAX,
    FRAME_ITEMS_MAX,
    TickInput,
    tick_frame,
)
from ingest.letters import UnknownDevices, letter_of
from ingest.metrics import BridgeCounts
from ingest.normalise import Normalised, Normaliser, Rejected
from ingest.ports import (
    UNACKNOWLEDGED,
    CatalogFeed,
    CatalogView,
    Message,
    MessageSource,
    RecordSink,
    SendHandle,
)
from ingest.receipts import ReceiptBook
from ingest.slices import SliceRouter

CATALOG_POLL_MS: Final = 200
ANNOUNCE_MS: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeLimits:
    """How much a bridge may hold at once."""

    messages_in_flight_max: int = 20_000
    messages_polled_max: int = 2_000
    """Taken in one step."""
    frames_in_flight_max: int = 256
    """Frames and dead letters on their way to Kafka."""
    bytes_in_flight_max: int = 32 * 1024 * 1024
    frame_items_max: int = FRAME_ITEMS_MAX
    frame_age_ms_max: int = FRAME_AGE_MS_MAX


@dataclass(slots=True)
class _Sent:
    topic: str
    handle: SendHandle
    messages: list[InFlight]
    value_bytes: int


class Bridge:
    """One slice of the sites, from MQTT to Kafka."""

    def __init__(
        self,
        *,
        source: MessageSource,
        sink: RecordSink,
        catalog: CatalogView,
        feed: CatalogFeed,
        router: SliceRouter,
        now_ms: Callable[[], int],
        monotonic_ms: Callable[[], int],
        limits: BridgeLimits | None = None,
    ) -> None:
        """Take the ports; `catalog` was read to its end.

        Args:
            source: MQTT.
            sink: Kafka.
            catalog: The catalogue, which this bridge keeps up to date from `feed`.
            feed: The catalog topic from where `catalog` stands.
            router: Which slice this is.
            now_ms: The wall clock, UTC milliseconds.
            monotonic_ms: A clock for ages, milliseconds.
            limits: How much it may hold.

        Raises:
            InstallationError: The catalogue has no installation record.
        """
        if catalog.installation is None:
            raise InstallationError("the catalog topic holds no installation; run `shelfstream up`")
        self.counts = BridgeCounts()
        self.clocks = SourceClocks(driven=catalog.installation.time == "driven")
        self._driven = catalog.installation.time == "driven"
        self._partition_count = catalog.installation.partition_count
        self._source, self._sink, self._catalog, self._feed = source, sink, catalog, feed
        self._router, self._now_ms, self._monotonic_ms = router, now_ms, monotonic_ms
        self._shared = router.count > 1
        self._limits = limits or BridgeLimits()
        self._normaliser = Normaliser(catalog, self.clocks, partition_count=self._partition_count)
        self._ledger = AckLedger()
        self._batcher = FrameBatcher(
            items_max=self._limits.frame_items_max, age_ms_max=self._limits.frame_age_ms_max
        )
        self._receipts = ReceiptBook()
        self._unknown = UnknownDevices()
        self._sent: deque[_Sent] = deque()
        self._bytes_in_flight = 0
        self._left: list[Message] = []
        """Polled, and held back by a limit."""
        self._driven_ms = 0
        self._tick: tuple[int, InFlight] | None = None
        self._catalog_polled_ms = -CATALOG_POLL_MS
        self._announced_ms = 0
        self._announced: bytes | None = None
        self._subscribe()

    @property
    def in_flight(self) -> int:
        """How many messages are not acknowledged yet."""
        return len(self._ledger)

    @property
    def frames_in_flight(self) -> int:
        """How many frames and dead letters are on their way to Kafka."""
        return len(self._sent)

    @property
    def idle(self) -> bool:
        """Whether all that was taken is in Kafka, acknowledged and told."""
        return not (self._ledger or self._sent or self._batcher or self._receipts)

    def step(self, *, taking: bool = True) -> bool:
        """Do what can be done now, and tell whether anything was.

        Args:
            taking: False on the way out: no new messages; frames and receipts leave at once.

        Raises:
            DeliveryError: Kafka refused a record; the process must end, MQTT delivers again.
            BridgeTakenError: Another process has taken this bridge's session.
        """
        at_ms = self._monotonic_ms()
        self._follow_catalog(at_ms)
        room = self._room() if taking else 0
        messages = self._source.poll(0 if self._left else room)
        if self._left and room:
            messages, self._left = self._left, []
        if messages:
            self._take_all(messages, at_ms)
        for batch in self._batcher.due(at_ms) if taking else self._batcher.seal():
            self._send_batch(batch)
        self._sink.poll()
        settled = self._settle()
        released = self._release(at_ms)
        for topic, payload in self._receipts.due(at_ms) if taking else self._receipts.seal():
            self._source.publish(topic, payload)
            self.counts.receipts += 1
        return bool(messages) or settled or released

    def _room(self) -> int:
        limits = self._limits
        if (
            len(self._sent) >= limits.frames_in_flight_max
            or self._bytes_in_flight >= limits.bytes_in_flight_max
        ):
            return 0
        room = limits.messages_in_flight_max - len(self._ledger)
        return max(0, min(room, limits.messages_polled_max))

    def _take_all(self, messages: list[Message], at_ms: int) -> None:
        now_ms, sent, sent_max = self._now_ms(), self._sent, self._limits.frames_in_flight_max
        taken = bytes_taken = 0
        for topic, payload, token in messages:
            if len(sent) >= sent_max:  # one payload may give a thousand dead letters
                self._left = messages[taken:]
                break
            taken += 1
            bytes_taken += len(payload)
            if topic == MQTT_TIME:
                self._take_time(payload, token)
                continue
            if self._tick is not None:
                self._broadcast_tick(at_ms)
            if self._shared and self._is_for_others(topic, payload):
                self._ledger.opened(token, "", [])
                continue
            self._take(topic, payload, token, at_ms, self._driven_ms if self._driven else now_ms)
        self.counts.messages += taken
        self.counts.message_bytes += bytes_taken
        if self._tick is not None:
            self._broadcast_tick(at_ms)

    def _is_for_others(self, topic: str, payload: bytes) -> bool:
        """Take another slice's announcement, or pass over a message of its sites."""
        if self._router.is_announcement(topic):
            self._router.announced(topic, payload)
            return True
        route = self._normaliser.route(topic)
        if route is None or not self._router.foreign(route.site):
            return False
        self.counts.passed_over += 1
        return True

    def _take(
        self, topic: str, payload: bytes, token: int, at_ms: int, received_at_ms: int
    ) -> None:
        made = self._normaliser.normalise(topic, payload, received_at_ms)
        route, ranges = made.route, made.ranges
        told = route.accepted_topic if route is not None and ranges else ""
        message = self._ledger.opened(token, told, ranges)
        self.counts.items += self._batcher.add(
            made.placed, made.item_pieces, message, at_ms, received_at_ms
        )
        if made.rejected:
            self._bury_all(made, topic, message, at_ms, received_at_ms)

    def _bury_all(
        self,
        made: Normalised,
        topic: str,
        message: InFlight | None,
        at_ms: int,
        received_at_ms: int,
    ) -> None:
        for rejected in made.rejected:
            self._bury(rejected, topic, message, received_at_ms)
            if rejected.reason == "unknown_device" and made.route is not None:
                route = made.route
                self._unknown.hold(route.site, route.device, route.leaf, rejected.raw, at_ms)

    def _take_time(self, payload: bytes, token: int) -> None:
        message = self._ledger.opened(token, "", [])
        try:
            driven_ms = wire.TIMES.decode(payload).at_ms
        except wire.REFUSALS as error:
            reason, detail = wire.explain("_time", payload, error)
            self._bury(Rejected(reason, detail, payload), MQTT_TIME, message, self._driven_ms)
            return
        if not self._driven or driven_ms <= self._driven_ms:
            self.counts.time_ignored += 1
            return
        self._driven_ms = driven_ms
        self._tick = (driven_ms, message)

    def _broadcast_tick(self, at_ms: int) -> None:
        """Send the newest driven time to every partition; slice 0 does it for all."""
        if self._tick is None:
            return
        (driven_ms, message), self._tick = self._tick, None
        if self._router.index != 0:
            return
        partitions = range(self._partition_count)
        ticks = {partition: [TickInput(driven_ms)] for partition in partitions}
        self._batcher.add(ticks, 1, message, at_ms, driven_ms)
        for partition in partitions:
            for topic in (PLANS.name, ALERT_INPUTS.name):
                message.parts += 1
                self._send(topic, partition, None, tick_frame(driven_ms), [message])

    def _bury(
        self, rejected: Rejected, origin: str, message: InFlight | None, received_at_ms: int
    ) -> None:
        letter = letter_of(rejected, origin, received_at_ms)
        self.counts.letters[rejected.reason] += 1
        if message is not None:
            message.parts += 1
        value = letter.model_dump_json().encode()
        key = letter.letter_id.encode()
        self._send(DEAD_LETTERS.name, 0, key, value, [message] if message else [])

    def _send_batch(self, batch: Batch) -> None:
        value = batch.value(
            received_at_ms=batch.received_at_ms if self._driven else self._now_ms(),
            reference_version=self._catalog.version,
        )
        self.counts.frames += 1
        self.counts.frame_bytes += len(value)
        self._send(INPUTS.name, batch.partition, None, value, batch.messages)

    def _send(
        self, topic: str, partition: int, key: bytes | None, value: bytes, messages: list[InFlight]
    ) -> None:
        handle = self._sink.send(topic, partition, key, value)
        self._sent.append(_Sent(topic, handle, messages, len(value)))
        self._bytes_in_flight += len(value)

    def _settle(self) -> bool:
        sent, settled = self._sent, False
        while sent and sent[0].handle.done():
            one = sent.popleft()
            error = one.handle.error()
            if error is not None:
                raise DeliveryError(f"Kafka refused a record of {one.topic}: {error}")
            self._bytes_in_flight -= one.value_bytes
            for message in one.messages:
                message.parts -= 1
            settled = True
        return settled

    def _release(self, at_ms: int) -> bool:
        released = self._ledger.released()
        if not released:
            return False
        tokens: list[int] = []
        tell = self._receipts.add
        for message in released:
            if message.accepted_topic:
                tell(message.accepted_topic, message.ranges, at_ms)
            if message.token != UNACKNOWLEDGED:
                tokens.append(message.token)
        self._source.acknowledge(tokens)
        self.counts.acknowledged += len(tokens)
        return True

    def _follow_catalog(self, at_ms: int) -> None:
        if at_ms - self._catalog_polled_ms < CATALOG_POLL_MS:
            return
        self._catalog_polled_ms = at_ms
        self._announce(at_ms)
        records = self._feed.poll()
        if not records:
            return
        for batch in self._batcher.seal():  # they were resolved by the version before
            self._send_batch(batch)
        version = self._catalog.version
        for key, value in records:
            self._catalog.apply(key, value)
        if self._catalog.version != version:
            self._subscribe()
            self._retry_unknown(at_ms)

    def _subscribe(self) -> None:
        self._source.subscribe(self._router.filters(self._catalog.sites()))

    def _retry_unknown(self, at_ms: int) -> None:
        def known(site: str, device: str) -> bool:
            return self._catalog.device(site, device) is not None

        received_at_ms = self._driven_ms if self._driven else self._now_ms()
        for topic, raw in self._unknown.known_now(known, at_ms):
            made = self._normaliser.normalise(topic, raw, received_at_ms)
            self.counts.items += self._batcher.add(
                made.placed, made.item_pieces, None, at_ms, received_at_ms
            )
            self._bury_all(made, topic, None, at_ms, received_at_ms)
            self.counts.recovered += 1

    def _announce(self, at_ms: int) -> None:
        told = self._router.announcement(self._catalog.sites(), self._source.subscribed)
        if told is None or (told == self._announced and at_ms - self._announced_ms < ANNOUNCE_MS):
            return
        self._announced, self._announced_ms = told, at_ms
        self._source.announce(self._router.sites_topic, told)
