"""What the MQTT source holds between the socket and the bridge."""

import socket
from collections.abc import Iterator

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from ingest.adapters import mqtt as adapter
from ingest.adapters.mqtt import MESSAGE_BYTES, MqttSource
from ingest.adapters.mqtt_lane import LaneSocket
from ingest.contracts.settings import MqttSettings
from ingest.ports import UNACKNOWLEDGED
from tests.unit.ingest.test_mqtt_lane import publish


class Wire:
    """A source whose broker is the other end of a socket pair."""

    def __init__(self) -> None:
        """Connect by hand; nothing is sent."""
        ours, self.broker = socket.socketpair()
        ours.setblocking(False)
        self.lane = LaneSocket(ours)
        self.source = MqttSource(
            MqttSettings(),
            client_id="bridge-0-of-1",
            session_expiry_s=60,
            messages_in_flight_max=10,
            monotonic_s=lambda: 0.0,
        )
        self.source._generation = 3
        self.source._connected = True
        self.source._client.lane = self.lane

    def arrive(self, *packets: bytes) -> None:
        """Let packets arrive and be read."""
        for packet in packets:
            self.broker.sendall(packet)
        self.source._read(self.lane)

    def sent(self) -> bytes:
        """Return what the broker has received."""
        self.broker.setblocking(False)
        try:
            return self.broker.recv(1 << 16)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """Close both ends."""
        self.broker.close()
        self.lane.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Give one."""
    one = Wire()
    yield one
    one.close()


def test_tokens_name_connection_and_packet(wire: Wire) -> None:
    """A PUBACK leaves for the connection that delivered; QoS 0 asks for none."""
    wire.arrive(publish(b"a", 7, b"x"), publish(b"a", 0, b"y"), publish(b"b", 65_535, b""))
    taken = wire.source._handed_out(10)
    high = 3 << 16
    assert taken == [
        ("a", b"x", high | 7),
        ("a", b"y", UNACKNOWLEDGED),
        ("b", b"", high | 65_535),
    ]
    wire.source.acknowledge([high | 7, high | 65_535])
    assert wire.sent() == b"\x40\x02\x00\x07\x40\x02\xff\xff"


def test_an_older_connections_token_sends_nothing(wire: Wire) -> None:
    """Its packet id may belong to another message by now; that is counted."""
    wire.source.acknowledge([(2 << 16) | 7])
    assert wire.source.stale_acks == 1
    assert wire.sent() == b""
    wire.source._connected = False
    wire.source.acknowledge([(3 << 16) | 7])
    assert wire.source.stale_acks == 2


def test_a_limit_of_0_takes_nothing_and_loses_nothing(wire: Wire) -> None:
    """What is held stays in order, whatever pieces it is taken in."""
    wire.arrive(*(publish(b"a", number, b"%d" % number) for number in range(1, 8)))
    assert wire.source._handed_out(0) == []
    taken = [wire.source._handed_out(3) for _ in range(4)]
    assert [len(some) for some in taken] == [3, 3, 1, 0]
    assert [payload for some in taken for _, payload, _ in some] == [
        b"%d" % number for number in range(1, 8)
    ]
    assert wire.source._held_bytes == 0


def test_above_the_limit_the_socket_is_not_read(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Empty QoS 0 messages count too, for no Receive Maximum holds them back."""
    monkeypatch.setattr(adapter, "HELD_BYTES_MAX", 3 * MESSAGE_BYTES)
    wire.arrive(*[publish(b"a", 0, b"")] * 3)
    wire.arrive(publish(b"a", 0, b"later"))
    assert len(wire.source._held) == 3
    assert wire.source._held_bytes == 3 * MESSAGE_BYTES
    assert len(wire.source._handed_out(1)) == 1
    wire.arrive()
    assert [payload for _, payload, _ in wire.source._handed_out(10)] == [b"", b"", b"later"]


def test_one_poll_hands_out_a_few_megabytes(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large payloads come in several polls, at least one message each."""
    monkeypatch.setattr(adapter, "POLL_BYTES_MAX", 2 * (1_000 + MESSAGE_BYTES))
    wire.arrive(*[publish(b"a", 1, b"x" * 1_000)] * 5)
    assert [len(wire.source._handed_out(10)) for _ in range(4)] == [2, 2, 1, 0]


def test_the_cache_of_topics_is_bounded(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender that invents topics fills no memory."""
    monkeypatch.setattr(adapter, "TOPICS_CACHED_MAX", 2)
    wire.arrive(*(publish(b"t%d" % number, 0, b"") for number in range(5)))
    assert [topic for topic, _, _ in wire.source._handed_out(10)] == [f"t{n}" for n in range(5)]
    assert len(wire.source._topics) <= 2


def test_what_is_published_unconnected_is_dropped(wire: Wire) -> None:
    """A receipt is worth nothing later: its sender asks again."""
    wire.source.publish("t", b"1")
    wire.source._connected = False
    wire.source.publish("t", b"2")
    wire.lane.drain()
    assert wire.sent() == b"\x30\x05\x00\x01t\x001"


def test_a_malformed_stream_closes_the_connection(wire: Wire) -> None:
    """What came before is kept, and nothing after it is believed."""
    wire.arrive(publish(b"a", 7, b"x"), b"\x30\xff\xff\xff\xff\x01", publish(b"a", 8, b"y"))
    assert [payload for _, payload, _ in wire.source._handed_out(10)] == [b"x"]
    assert wire.lane.fileno() == -1
    wire.source.wait(0.0)  # a closed socket can't be waited on


def _connected(wire: Wire, reason: str, *, session: bool) -> None:
    flags = mqtt.ConnectFlags(session_present=session)
    code = ReasonCode(PacketTypes.CONNACK, reason)
    wire.source._on_connect(wire.source._client, None, flags, code, None)


def test_a_lost_session_has_no_filters(wire: Wire) -> None:
    """Else a slice would announce sites that nobody holds any more."""
    wire.source._confirmed = frozenset({"a/+"})
    _connected(wire, "Success", session=True)
    assert wire.source.subscribed == {"a/+"}
    _connected(wire, "Success", session=False)
    assert wire.source.subscribed == frozenset()


def test_a_refused_login_is_no_connection(wire: Wire) -> None:
    """Nothing is acknowledged or published on it, and it is tried again ever less often."""
    wire.source._connected = False
    wire.source._reconnect_s = 5.0
    _connected(wire, "Not authorized", session=False)
    assert not wire.source.connected
    assert wire.source._reconnect_s == 5.0
    _connected(wire, "Success", session=False)
    assert wire.source.connected
    assert wire.source._reconnect_s == adapter.RECONNECT_S_MIN
