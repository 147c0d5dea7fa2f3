"""The bridge's ports over the doubles: what stands where paho and kafka-python stand."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from ingest.contracts.errors import BridgeTakenError, DeliveryError
from ingest.contracts.topics import CATALOG
from ingest.ports import UNACKNOWLEDGED, Message, Token
from simulators.whole.memory_kafka import MemoryKafka
from simulators.whole.memory_link import BrokerGoneError, Link
from simulators.whole.memory_mqtt import QOS_0_MID, MemoryMqtt, MqttConnection, MqttMessage

_GENERATION: Final = 1 << 16
"""A token is a connection's number times this, and the packet id."""
RECEIVE_MAX_DEFAULT: Final = 1_000


class InMemoryMessageSource:
    """`MessageSource` on a `MemoryMqtt`; connects again by itself whenever it is polled."""

    def __init__(
        self,
        mqtt: MemoryMqtt,
        client_id: str,
        *,
        receive_max: int = RECEIVE_MAX_DEFAULT,
        link: Link | None = None,
    ) -> None:
        """Take the broker and the client id; `link` is the way of what the client sends."""
        self._mqtt = mqtt
        self._client_id = client_id
        self._receive_max = receive_max
        self._link = link if link is not None else Link()
        self._inbox: deque[Message] = deque()
        self._wanted: dict[str, None] = {}
        self._confirmed: set[str] = set()
        self._connection: MqttConnection | None = None
        self._generation = 0
        self.stale_acks = 0

    @property
    def subscribed(self) -> frozenset[str]:
        """The confirmed topic filters."""
        return frozenset(self._confirmed)

    def poll(self, limit: int) -> list[Message]:
        """Return at most `limit` messages in the order received; connects where it must.

        Raises:
            BridgeTakenError: Another client took the session.
        """
        if self._connection is None or not self._connection.open:
            self._connect()
        inbox = self._inbox
        return [inbox.popleft() for _ in range(min(limit, len(inbox)))]

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        """Acknowledge messages in the order received; stale ones are counted and dropped."""
        for token in tokens:
            if token == UNACKNOWLEDGED:
                continue
            generation, mid = divmod(token, _GENERATION)
            connection = self._connection
            if generation != self._generation or connection is None or not connection.open:
                self.stale_acks += 1
            else:
                self._link.post(lambda c=connection, m=mid: c.ack(m))  # type: ignore[misc] # defaults bind the loop's variables

    def publish(self, topic: str, payload: bytes) -> None:
        """Send a message at QoS 0; lost where there is no connection."""
        self._send(topic, payload, qos=0, retain=False)

    def announce(self, topic: str, payload: bytes) -> None:
        """Send a retained message at QoS 1."""
        self._send(topic, payload, qos=1, retain=True)

    def subscribe(self, filters: Iterable[str]) -> None:
        """Add topic filters; confirmed ones appear in `subscribed`."""
        added = sorted(one for one in filters if one not in self._wanted)  # a set has no order
        self._wanted.update(dict.fromkeys(added))
        self._subscribe(added)

    def close(self) -> None:
        """Disconnect; the session stays with the broker."""
        if self._connection is not None:
            self._connection.close(graceful=True)

    def drop(self) -> None:
        """Break the connection, as the end of the process does; for the harness."""
        if self._connection is not None:
            self._connection.close(graceful=False)

    def _connect(self) -> None:
        if self._connection is not None and self._connection.taken_over:
            raise BridgeTakenError(f"another process serves {self._client_id}")
        if not self._mqtt.up:
            return
        self._generation += 1
        generation = self._generation
        self._inbox.clear()
        self._confirmed.clear()
        self._connection = self._mqtt.connect(
            self._client_id,
            lambda message: self._on_message(message, generation),
            receive_max=self._receive_max,
        )
        self._subscribe(self._wanted)

    def _on_message(self, message: MqttMessage, generation: int) -> None:
        if generation != self._generation:
            return
        token = UNACKNOWLEDGED
        if message.mid != QOS_0_MID:
            token = generation * _GENERATION + message.mid
        self._inbox.append((message.topic, message.payload, token))

    def _subscribe(self, filters: Iterable[str]) -> None:
        connection = self._connection
        if connection is None or not connection.open:
            return
        for one in filters:
            self._link.post(lambda f=one: self._confirm(connection, f))  # type: ignore[misc] # the same

    def _confirm(self, connection: MqttConnection, topic_filter: str) -> None:
        connection.subscribe(topic_filter)
        if connection is self._connection and connection.open:
            self._confirmed.add(topic_filter)

    def _send(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        connection = self._connection
        if connection is not None and connection.open:
            self._link.post(lambda: connection.forward(topic, payload, qos=qos, retain=retain))


class InMemorySendHandle:
    """One record on its way to a `MemoryKafka`."""

    def __init__(self) -> None:
        """Begin unanswered."""
        self._answered = False
        self._error: str | None = None

    def done(self) -> bool:
        """Tell whether the broker answered."""
        return self._answered

    def error(self) -> str | None:
        """Return why it was refused; None when it was written."""
        return self._error

    def answer(self, error: Exception | None) -> None:
        """Take the broker's answer."""
        self._answered = True
        self._error = None if error is None else str(error)


class InMemoryRecordSink:
    """`RecordSink` on a `MemoryKafka`."""

    def __init__(self, kafka: MemoryKafka, *, link: Link | None = None) -> None:
        """Take the broker; `link` is the way there."""
        self._kafka = kafka
        self._link = link if link is not None else Link()

    def send(
        self, topic: str, partition: int, key: bytes | None, value: bytes
    ) -> InMemorySendHandle:
        """Queue one record.

        Raises:
            DeliveryError: Kafka is gone.
        """
        handle = InMemorySendHandle()
        try:
            self._link.post(lambda: self._kafka.append(topic, partition, key, value), handle.answer)
        except BrokerGoneError as error:
            raise DeliveryError(f"{topic}/{partition}: {error}") from error
        return handle

    def poll(self) -> None:
        """Do nothing: what was queued moves on by itself."""

    def flush(self, timeout_s: float) -> bool:
        """Let all queued records arrive; False where the link broke, in no time at all."""
        del timeout_s
        self._link.flush()
        return self._link.open


class InMemoryCatalogFeed:
    """`CatalogFeed` on a `MemoryKafka`: the catalog topic from its beginning, then as it grows."""

    def __init__(self, kafka: MemoryKafka) -> None:
        """Take the broker."""
        self._kafka = kafka
        self._offset = 0

    def poll(self) -> list[tuple[str, bytes | None]]:
        """Return the new committed records."""
        if not self._kafka.up:
            return []
        log = self._kafka.partition(CATALOG.name, 0)
        records = log.read_committed(self._offset)
        self._offset = max(self._offset, log.stable_offset)
        return [((record.key or b"").decode(), record.value) for record in records]
