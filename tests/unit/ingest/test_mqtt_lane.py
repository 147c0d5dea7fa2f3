"""The packet parser and the socket of the fast lane."""

import socket

import pytest

from ingest.adapters import mqtt_lane
from ingest.adapters.mqtt_lane import (
    LaneSocket,
    MalformedPacketError,
    PacketParser,
    publish_packet,
)

PINGRESP = b"\xd0\x00"


def varint(value: int) -> bytes:
    """Return MQTT's variable length integer."""
    out = bytearray()
    while True:
        value, byte = value >> 7, value & 127
        out.append(byte | (128 if value else 0))
        if not value:
            return bytes(out)


def publish(topic: bytes, packet_id: int, payload: bytes, properties: bytes = b"") -> bytes:
    """Return a PUBLISH as a broker sends it; packet id 0 is QoS 0."""
    head = 0x32 if packet_id else 0x30
    number = packet_id.to_bytes(2, "big") if packet_id else b""
    body = len(topic).to_bytes(2, "big") + topic + number
    body += varint(len(properties)) + properties + payload
    return bytes([head]) + varint(len(body)) + body


def _parsed(data: bytes, piece: int) -> PacketParser:
    parser = PacketParser()
    for start in range(0, len(data), piece):
        parser.feed(data[start : start + piece])
    return parser


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64, 10_000])
@pytest.mark.parametrize("properties", [b"", b"\x01\x01", b"\x26" + b"x" * 126, b"x" * 300])
def test_any_split_gives_the_same_messages(piece: int, properties: bytes) -> None:
    """QoS 0 and 1, properties up to and beyond 127 bytes, control packets between."""
    packets = [
        publish(b"a/b", 7, b"payload", properties),
        PINGRESP,
        publish(b"", 0, b"", properties),
        publish("ø".encode(), 65_535, b"x" * 20_000, properties),
        b"\x90\x04\x00\x01\x00\x00",
    ]
    parser = _parsed(b"".join(packets), piece)
    assert parser.publishes == [
        (b"a/b", 7, b"payload"),
        (b"", 0, b""),
        ("ø".encode(), 65_535, b"x" * 20_000),
    ]
    assert bytes(parser.control) == PINGRESP + b"\x90\x04\x00\x01\x00\x00"


@pytest.mark.parametrize(
    "data",
    [
        b"\x30\xff\xff\xff\xff\x01",
        b"\x30\x00",
        b"\x30\x02\x00\x05",
        b"\x30\x04\x00\x09ab",
        b"\x32\x05\x00\x01a\x00\x01",
        b"\x30\x04\x00\x01a\x05",
        b"\x30\x05\x00\x01a\x80\x80",
    ],
)
def test_what_is_no_mqtt_closes_the_connection(data: bytes) -> None:
    """Lengths that lie are refused and never read past the packet."""
    with pytest.raises(MalformedPacketError):
        PacketParser().feed(data)


def test_our_packets_are_packets() -> None:
    """What we publish is read back; the retain flag is set."""
    packet = publish_packet("stock/v1/a", b"x" * 200, retain=True)
    parser = PacketParser()
    parser.feed(packet)
    assert packet[0] == 0x31
    assert parser.publishes == [(b"stock/v1/a", 0, b"x" * 200)]


def test_paho_sees_control_packets_only() -> None:
    """Messages go by the lane, control bytes to paho, and the end of the stream as no bytes."""
    ours, brokers = socket.socketpair()
    ours.setblocking(False)
    lane = LaneSocket(ours)
    with pytest.raises(BlockingIOError):
        lane.recv(1)
    brokers.sendall(publish(b"t", 1, b"p") + PINGRESP)
    lane.fill()
    assert lane.parser.publishes == [(b"t", 1, b"p")]
    assert lane.recv(1) + lane.recv(10) == PINGRESP
    assert not lane.readable
    brokers.close()
    lane.fill()
    assert lane.readable
    assert lane.recv(1) == b""
    lane.close()


def test_packets_are_written_whole_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paho's packet is taken whole though the socket is full; above the limit paho must wait."""
    monkeypatch.setattr(mqtt_lane, "OUT_BYTES_MAX", 1_000_000)
    ours, brokers = socket.socketpair()
    ours.setblocking(False)
    brokers.setblocking(False)
    lane = LaneSocket(ours)
    first, second = b"a" * 600_000, b"b" * 600_000
    assert lane.send(first) == len(first)
    lane.write(second)
    assert lane.writable_wanted
    if lane.out_full:
        with pytest.raises(BlockingIOError):
            lane.send(b"c")
    received = bytearray()
    while len(received) < len(first) + len(second):
        lane.drain()
        received += brokers.recv(1 << 20)
    assert bytes(received) == first + second
    assert not lane.writable_wanted
    brokers.close()
    lane.close()


def test_a_broken_pipe_is_the_end() -> None:
    """Writing to a closed connection tells paho by an empty read."""
    ours, brokers = socket.socketpair()
    ours.setblocking(False)
    brokers.close()
    lane = LaneSocket(ours)
    lane.write(b"x")
    lane.drain()
    assert lane.readable
    assert lane.recv(1) == b""
    lane.close()
