"""A double of an MQTT 5 broker in memory: QoS 0 and 1, sessions, retained messages, last wills.

A session keeps what its client has not acknowledged, sends no more than the client's receive
maximum at a time, in order, and sends again, marked as a duplicate, after a reconnect. A second
connection with the same client id takes the session over. A crash may lose what was queued, as
mosquitto's does.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from random import Random
from typing import Final

PACKET_IDS_MAX: Final = 65_535
QOS_0_MID: Final = 0
"""Stands in a message that needs no acknowledgement."""


@dataclass(frozen=True, slots=True)
class MqttMessage:
    """One PUBLISH as a client gets it."""

    mid: int
    topic: str
    payload: bytes
    duplicate: bool = False


@dataclass(slots=True)
class MqttCounts:
    """What happened in a broker's life."""

    published: int = 0
    delivered: int = 0
    redelivered: int = 0
    takeovers: int = 0
    crashes: int = 0
    lost: int = 0
    """Queued messages that went down with a crash."""


@dataclass(slots=True)
class MqttSession:
    """What the broker keeps of one client id."""

    client_id: str
    filters: list[str] = field(default_factory=list)
    queue: deque[tuple[str, bytes]] = field(default_factory=deque)
    inflight: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    """Sent and not acknowledged, in order, by packet id."""
    next_mid: int = 1
    connection: "MqttConnection | None" = None


class MqttConnection:
    """One client's connection as the broker sees it; messages come by `on_message`."""

    def __init__(
        self,
        broker: "MemoryMqtt",
        session: MqttSession,
        receive_max: int,
        on_message: Callable[[MqttMessage], None],
    ) -> None:
        """Made by `MemoryMqtt.connect`."""
        self.open = True
        self.taken_over = False
        """Whether another client came with the same client id."""
        self.receive_max = receive_max
        self._broker = broker
        self._session = session
        self._on_message = on_message
        self._outgoing: deque[MqttMessage] = deque()
        self._due_s = 0.0
        self._delayed = broker.delayed
        self.will: tuple[str, bytes] | None = None

    def subscribe(self, topic_filter: str) -> None:
        """Subscribe the session to a filter with `+` and `#`."""
        if self.open and topic_filter not in self._session.filters:
            self._session.filters.append(topic_filter)
            self._broker.send_retained(self._session, topic_filter)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Publish; returning is the PUBACK of QoS 1.

        Raises:
            ConnectionError: This connection was closed or taken over.
        """
        if not self.open:
            raise ConnectionError("the MQTT connection is closed")
        self._broker.publish(topic, payload, qos=qos, retain=retain)

    def forward(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        """Publish, or drop the message where the connection has gone meanwhile."""
        if self.open:
            self.publish(topic, payload, qos=qos, retain=retain)

    def ack(self, mid: int) -> None:
        """Acknowledge one message; an unknown packet id is ignored, as brokers do."""
        if self.open:
            self._session.inflight.pop(mid, None)
            self._broker.pump(self._session)

    def close(self, *, graceful: bool) -> None:
        """End the connection; without grace the last will is published."""
        if not self.open:
            return
        self.open = False
        if self._session.connection is self:
            self._session.connection = None
        if not graceful and self.will is not None:
            self._broker.publish(*self.will)

    def send(self, message: MqttMessage, delay_s: float) -> None:
        """Hand a message to the client some time later, in order; for the broker."""
        self._outgoing.append(message)
        if not self._delayed:
            self._arrive()
            return
        loop = asyncio.get_running_loop()
        self._due_s = max(self._due_s, loop.time() + delay_s)
        loop.call_at(self._due_s, self._arrive, context=Context())

    def _arrive(self) -> None:
        message = self._outgoing.popleft()
        if self.open:
            self._on_message(message)


class MemoryMqtt:
    """One broker; its methods are what a packet does when it arrives."""

    def __init__(
        self,
        rng: Random | None = None,
        *,
        delay_ms_max: int = 0,
        duplicate_percent: int = 0,
        loss_percent: int = 0,
    ) -> None:
        """Make an empty broker.

        `delay_ms_max` is how long a message may take to a client; `duplicate_percent` of the
        published messages are routed twice, as after a publisher's lost PUBACK, and `loss_percent`
        of those at QoS 0 are lost. Without `rng` there are no faults and no delays.
        """
        self.sessions: dict[str, MqttSession] = {}
        self.counts = MqttCounts()
        self.up = True
        self._rng = rng
        self._delay_ms_max = delay_ms_max
        self.duplicate_percent = duplicate_percent
        self.loss_percent = loss_percent
        self.retained: dict[str, bytes] = {}

    @property
    def delayed(self) -> bool:
        """Tell whether messages take their time to a client."""
        return self._rng is not None

    def connect(
        self,
        client_id: str,
        on_message: Callable[[MqttMessage], None],
        *,
        receive_max: int = PACKET_IDS_MAX,
        clean_start: bool = False,
    ) -> MqttConnection:
        """Connect a client; its session's unacknowledged messages are sent again.

        Raises:
            ConnectionError: The broker is down.
        """
        if not self.up:
            raise ConnectionError("the MQTT broker is down")
        session = self.sessions.get(client_id)
        if session is not None and session.connection is not None:
            self.counts.takeovers += 1
            session.connection.taken_over = True
            session.connection.close(graceful=False)
        if session is None or clean_start:
            session = MqttSession(client_id)
            self.sessions[client_id] = session
        connection = MqttConnection(self, session, receive_max, on_message)
        session.connection = connection
        for mid, (topic, payload) in session.inflight.items():
            self.counts.redelivered += 1
            connection.send(MqttMessage(mid, topic, payload, duplicate=True), self._delay_s())
        self.pump(session)
        return connection

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Give a message to every session that subscribed to its topic.

        At QoS 0 only who is connected gets it, and at most once.
        """
        self.counts.published += 1
        if retain:
            self.retained[topic] = payload
        times = 2 if self._chance(self.duplicate_percent) else 1
        for session in self.sessions.values():
            if not any(matches(topic_filter, topic) for topic_filter in session.filters):
                continue
            if qos:
                session.queue.extend([(topic, payload)] * times)
                self.pump(session)
            elif session.connection is not None and not self._chance(self.loss_percent):
                message = MqttMessage(QOS_0_MID, topic, payload)
                session.connection.send(message, self._delay_s())

    def send_retained(self, session: MqttSession, topic_filter: str) -> None:
        """Queue the retained messages that a new subscription covers."""
        for topic, payload in self.retained.items():
            if matches(topic_filter, topic):
                session.queue.append((topic, payload))
        self.pump(session)

    def pump(self, session: MqttSession) -> None:
        """Send what the client's receive maximum allows."""
        connection = session.connection
        if connection is None:
            return
        while session.queue and len(session.inflight) < connection.receive_max:
            topic, payload = session.queue.popleft()
            mid = session.next_mid
            while mid in session.inflight:
                mid = mid % PACKET_IDS_MAX + 1
            session.next_mid = mid % PACKET_IDS_MAX + 1
            session.inflight[mid] = (topic, payload)
            self.counts.delivered += 1
            connection.send(MqttMessage(mid, topic, payload), self._delay_s())

    def crash(self, *, lose: bool) -> None:
        """Go down; with `lose` the sessions and all that was queued in them are gone too."""
        self.up = False
        self.counts.crashes += 1
        for session in self.sessions.values():
            if session.connection is not None:
                session.connection.will = None  # a dead broker publishes no last will
                session.connection.close(graceful=False)
            if lose:
                self.counts.lost += len(session.queue) + len(session.inflight)
        if lose:
            self.sessions.clear()
            self.retained.clear()

    def _chance(self, percent: int) -> bool:
        return self._rng is not None and percent > 0 and self._rng.randrange(100) < percent

    def _delay_s(self) -> float:
        if self._rng is None or not self._delay_ms_max:
            return 0.0
        return self._rng.randint(0, self._delay_ms_max) / 1000


def matches(topic_filter: str, topic: str) -> bool:
    """Tell whether an MQTT topic filter covers a topic."""
    wanted, given = topic_filter.split("/"), topic.split("/")
    for index, part in enumerate(wanted):
        if part == "#":
            return True
        if index >= len(given) or part not in {"+", given[index]}:
            return False
    return len(wanted) == len(given)
