"""One suite for every `MessageSource`: paho on the real broker, and the double in memory."""

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest

from ingest.adapters.mqtt import MqttSource
from ingest.adapters.mqtt_client import MqttPublisher
from ingest.adapters.mqtt_presence import Presence
from ingest.contracts.errors import BridgeTakenError
from ingest.contracts.settings import MqttSettings
from ingest.ports import UNACKNOWLEDGED, Message, MessageSource
from simulators.whole.memory_bridge import InMemoryMessageSource
from simulators.whole.memory_mqtt import MemoryMqtt

DEADLINE_S = 15.0
SITE = f"site-{uuid.uuid4().hex[:8]}"
FILTER = f"stock/v1/{SITE}/+/readings"
TOPIC = f"stock/v1/{SITE}/dev/readings"


class World(Protocol):
    """A broker, with clients of it."""

    def source(self, client_id: str) -> MessageSource:
        """Return a new client; one id is one session."""

    def publish(self, topic: str, payload: bytes, qos: int = 1) -> None:
        """Publish as a device does."""

    def broken(self, source: MessageSource) -> None:
        """Break a client's connection, with no goodbye."""


class MemoryWorld:
    """The double."""

    def __init__(self) -> None:
        """Make a broker."""
        self._broker = MemoryMqtt()
        self._device = self._broker.connect("device", lambda _message: None)

    def source(self, client_id: str) -> MessageSource:
        """Return a new client."""
        return InMemoryMessageSource(self._broker, client_id)

    def publish(self, topic: str, payload: bytes, qos: int = 1) -> None:
        """Publish."""
        self._device.publish(topic, payload, qos=qos)

    def broken(self, source: MessageSource) -> None:
        """Break the connection."""
        assert isinstance(source, InMemoryMessageSource)
        assert source._connection is not None
        source._connection.close(graceful=False)


class MqttWorld:
    """A real broker."""

    def __init__(self, settings: MqttSettings, publisher: MqttPublisher) -> None:
        """Take where it is."""
        self._settings = settings
        self._publisher = publisher
        self._opened: list[MqttSource] = []

    def source(self, client_id: str) -> MessageSource:
        """Return a new client."""
        name = f"{client_id}-{SITE}"
        presence = Presence(self._settings, name, f"{len(self._opened):04d}", time.monotonic)
        source = MqttSource(
            self._settings,
            client_id=name,
            session_expiry_s=120,
            messages_in_flight_max=100,
            monotonic_s=time.monotonic,
            presence=presence,
        )
        presence.poll()
        self._opened.append(source)
        return source

    def publish(self, topic: str, payload: bytes, qos: int = 1) -> None:
        """Publish."""
        if qos:
            self._publisher.publish(topic, payload)
        else:
            self._publisher.publish_once(topic, payload)

    def broken(self, source: MessageSource) -> None:
        """Break the connection."""
        assert isinstance(source, MqttSource)
        lane = source._client.lane
        assert lane is not None
        lane._sock.close()

    def close(self) -> None:
        """Close every client."""
        for source in self._opened:
            source.close()


@pytest.fixture(params=["memory", pytest.param("mosquitto", marks=pytest.mark.integration)])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Give each broker in turn."""
    if request.param == "memory":
        yield MemoryWorld()
        return
    stack: Any = request.getfixturevalue("stack")
    with MqttPublisher(stack.mqtt) as publisher:
        real = MqttWorld(stack.mqtt, publisher)
        yield real
        real.close()


def _polled(
    source: MessageSource, done: Callable[[list[Message]], bool], limit: int = 1_000
) -> list[Message]:
    """Poll until the messages of this test satisfy `done`."""
    taken: list[Message] = []
    deadline_s = time.monotonic() + DEADLINE_S
    while not done(taken):
        assert time.monotonic() < deadline_s, f"only {taken} came"
        taken += source.poll(limit)
    return taken


def _listening(world: World, client_id: str) -> MessageSource:
    source = world.source(client_id)
    source.subscribe([FILTER])
    _polled(source, lambda _: source.subscribed >= {FILTER})
    return source


def _payloads(messages: list[Message]) -> list[bytes]:
    return [payload for _, payload, _ in messages]


def test_messages_come_in_order(world: World) -> None:
    """Topic, payload and order are the sender's; `limit` bounds one poll and 0 takes none."""
    source = _listening(world, "order")
    for number in range(20):
        world.publish(TOPIC, str(number).encode())
    assert source.poll(0) == []
    first = _polled(source, lambda taken: len(taken) >= 1, limit=1)
    assert len(first) == 1
    rest = _polled(source, lambda taken: len(taken) >= 19, limit=7)
    assert _payloads(first + rest) == [str(number).encode() for number in range(20)]
    assert {topic for topic, _, _ in first + rest} == {TOPIC}
    source.acknowledge([token for *_, token in first + rest])


def test_what_is_not_acknowledged_comes_again(world: World) -> None:
    """After a broken connection; what was acknowledged does not."""
    source = _listening(world, "again")
    for number in range(3):
        world.publish(TOPIC, str(number).encode())
    taken = _polled(source, lambda taken: len(taken) >= 3)
    source.acknowledge([taken[0][2]])
    source.poll(0)
    world.publish(TOPIC, b"mark")
    _polled(source, lambda taken: b"mark" in _payloads(taken))
    world.broken(source)
    again = _polled(source, lambda taken: len(taken) >= 3)
    assert _payloads(again) == [b"1", b"2", b"mark"]
    source.acknowledge([token for *_, token in again])


def test_a_session_waits_for_its_client(world: World) -> None:
    """What is published while nobody serves the session is there for the next process."""
    source = _listening(world, "waits")
    world.broken(source)
    del source
    for number in range(3):
        world.publish(TOPIC, str(number).encode())
    later = world.source("waits")
    taken = _polled(later, lambda taken: len(taken) >= 3)
    assert _payloads(taken) == [b"0", b"1", b"2"]
    later.acknowledge([token for *_, token in taken])


def test_an_old_connections_acknowledgement_is_dropped(world: World) -> None:
    """Its packet id would acknowledge another message now."""
    source = _listening(world, "stale")
    world.publish(TOPIC, b"0")
    (old,) = _polled(source, lambda taken: len(taken) >= 1)
    world.broken(source)
    (new,) = _polled(source, lambda taken: len(taken) >= 1)
    assert source.stale_acks == 0
    source.acknowledge([old[2]])
    assert source.stale_acks == 1
    source.acknowledge([new[2]])
    assert source.stale_acks == 1
    assert old[2] != new[2]


def test_qos_0_needs_no_acknowledgement(world: World) -> None:
    """Its token says so."""
    source = _listening(world, "qos0")
    world.publish(TOPIC, b"0", qos=0)
    ((_, payload, token),) = _polled(source, lambda taken: len(taken) >= 1)
    assert (payload, token) == (b"0", UNACKNOWLEDGED)


def test_published_and_announced_messages_arrive(world: World) -> None:
    """A receipt reaches who listens now, an announcement also who comes later."""
    told = f"stock/v1/_bridge/{SITE}/sites"
    listener = world.source("listener")
    listener.subscribe([f"stock/v1/{SITE}/dev/accepted"])
    _polled(listener, lambda _: bool(listener.subscribed))
    source = _listening(world, "speaker")
    source.announce(told, b"[]")
    source.publish(f"stock/v1/{SITE}/dev/accepted", b"{}")
    source.poll(0)
    (receipt,) = _polled(listener, lambda taken: source.poll(0) == [] and len(taken) >= 1)
    assert receipt[1] == b"{}"
    listener.subscribe([told])
    (announcement,) = _polled(listener, lambda taken: len(taken) >= 1)
    assert announcement[:2] == (told, b"[]")


def test_the_first_of_two_with_one_id_ends(world: World) -> None:
    """The broker gives the session to the second; the first must not go on."""
    first = _listening(world, "twins")
    second = world.source("twins")
    second.subscribe([FILTER])
    _polled(second, lambda _: second.subscribed >= {FILTER})
    with pytest.raises(BridgeTakenError):
        _polled(first, lambda _: second.poll(0) != [])
