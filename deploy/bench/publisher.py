"""`python -m deploy.bench.publisher LOAD`: publishes an open-loop load over MQTT 5, QoS 1.

A process of its own, so that the clock of the load waits for nobody. It says `begun NS` (wall
clock, nanoseconds) before the first event is due, `sent N LATE_MS` after the last one was sent
(the longest that an event was sent after it was due), and `acknowledged N`.

paho spends 60 us on a message, which on a machine of few cores comes off the very figures to be
measured. So paho logs in, and below it PUBLISH packets are written, and PUBACKs counted, in bulk.
"""

import os
import select
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from typing import Final

import msgspec
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from deploy.bench.open_loop import NS_PER_MS, NS_PER_S, Load, device_of, reading
from ingest.contracts.errors import BenchError
from ingest.contracts.settings import MqttSettings, load

OUTSTANDING_MAX: Final = 10_000
"""Publications without their PUBACK; the broker takes so many and disconnects at more."""
PACKETS_A_WRITE_MAX: Final = 200
LEAD_S: Final = 0.2
PAUSE_S: Final = 0.001
LOGIN_TIMEOUT_S: Final = 10.0
DRAIN_TIMEOUT_S: Final = 30.0
KEEPALIVE_S: Final = 600
"""Longer than any load: no ping is sent, and a PUBLISH is as good as one."""
_PUBACK: Final = 0x40
_PACKET_IDS: Final = 65_535
_READ_BYTES: Final = 65_536


class Acknowledgements:
    """Counts PUBACKs in the bytes that the broker sends."""

    def __init__(self) -> None:
        """Begin with none."""
        self.count = 0
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take some bytes; a packet may end in a later call.

        Raises:
            BenchError: The broker sent something else: it refuses the load.
        """
        data = self._rest + data
        at = 0
        # A PUBACK is at most 7 bytes unless it has properties, which mosquitto does not send.
        while len(data) - at >= 2:  # noqa: PLR2004 - type and length
            if data[at] != _PUBACK:
                raise BenchError(f"the MQTT broker sent a packet of type {data[at] >> 4}")
            end = at + 2 + data[at + 1]
            if end > len(data):
                break
            self.count += 1
            at = end
        self._rest = data[at:]


def publish_packet(topic: bytes, payload: bytes, packet_id: int) -> bytes:
    """Return a PUBLISH packet of QoS 1 without properties, MQTT 5."""
    body = b"".join(
        (len(topic).to_bytes(2, "big"), topic, packet_id.to_bytes(2, "big"), b"\x00", payload)
    )
    length, head = len(body), bytearray(b"\x32")
    while True:
        length, byte = length >> 7, length & 0x7F
        head.append(byte | (0x80 if length else 0))
        if not length:
            return bytes(head) + body


def packets(work: Load, begun_ns: int, boot: str) -> Iterator[bytes]:
    """Yield the packet of each event; its device time is its due time."""
    topics: dict[str, tuple[str, bytes]] = {}
    for number in range(work.events):
        site, sku, units, _ = reading(work, number)
        named = topics.get(site)
        if named is None:
            device = device_of(site)
            named = topics[site] = device, f"stock/v1/{site}/{device}/readings".encode()
        device, topic = named
        payload = (
            f'{{"source":"{device}","boot":"{boot}","seq":{number},'
            f'"observed_at_ms":{(begun_ns + work.due_ns(number)) // NS_PER_MS},'
            f'"channel":"{sku}","units":{units}}}'
        )
        yield publish_packet(topic, payload.encode(), number % _PACKET_IDS + 1)


def send(
    sock: socket.socket, work: Load, stream: Iterator[bytes], begun_s: float
) -> tuple[float, int]:
    """Send every packet when it is due; return the longest delay in seconds, and the PUBACKs.

    Raises:
        BenchError: The broker refused the load, or did not acknowledge it in time.
    """
    acknowledged = Acknowledgements()
    late_s, sent, total = 0.0, 0, work.events
    while sent < total:
        now_s = time.monotonic()
        due = min(total, int((now_s - begun_s) * work.rate_per_s) + 1) if now_s >= begun_s else 0
        room = min(OUTSTANDING_MAX - (sent - acknowledged.count), PACKETS_A_WRITE_MAX)
        count = min(due - sent, room)
        if count > 0:
            sock.sendall(b"".join(next(stream) for _ in range(count)))
            late_s = max(late_s, time.monotonic() - begun_s - work.due_ns(sent) / NS_PER_S)
            sent += count
        _take(sock, acknowledged, 0.0 if count > 0 and due > sent else PAUSE_S)
    deadline_s = time.monotonic() + DRAIN_TIMEOUT_S
    while acknowledged.count < total:
        if time.monotonic() > deadline_s:
            raise BenchError(f"{total - acknowledged.count} messages were not acknowledged")
        _take(sock, acknowledged, PAUSE_S)
    return late_s, acknowledged.count


def _take(sock: socket.socket, acknowledged: Acknowledgements, wait_s: float) -> None:
    if select.select([sock], [], [], wait_s)[0]:
        data = sock.recv(_READ_BYTES)
        if not data:
            raise BenchError("the MQTT broker closed the connection")
        acknowledged.feed(data)


def logged_in(mqtt: MqttSettings, client_id: str) -> tuple[paho.Client, socket.socket]:
    """Log in by paho; return the client and its socket, blocking, for packets of our own.

    Raises:
        BenchError: The broker does not let the publisher in.
    """
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5)
    client.username_pw_set(mqtt.username, mqtt.password.get_secret_value())
    client.connect(mqtt.host, mqtt.port, KEEPALIVE_S)
    deadline_s = time.monotonic() + LOGIN_TIMEOUT_S
    while not client.is_connected():
        if time.monotonic() > deadline_s:
            raise BenchError("the MQTT broker does not let the publisher in")
        client.loop(0.1)
    sock = client.socket()
    if not isinstance(sock, socket.socket):
        raise BenchError("the publisher's connection is gone")
    sock.setblocking(True)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client, sock


def main(words: list[str]) -> int:
    """Publish what the one argument says, and tell when."""
    work = msgspec.json.decode(words[0], type=Load)
    mqtt = load(MqttSettings, os.environ)  # noqa: TID251 - main reads the environment
    boot = uuid.uuid4().hex[:12]
    client, sock = logged_in(mqtt, f"bench-{boot}")
    begun_s = time.monotonic() + LEAD_S
    begun_ns = time.time_ns() + int(LEAD_S * NS_PER_S)  # noqa: TID251 - the device's clock
    print(f"begun {begun_ns}", flush=True)  # noqa: T201 - heard by who started it
    late_s, acknowledged = send(sock, work, packets(work, begun_ns, boot), begun_s)
    print(f"sent {work.events} {late_s * 1_000:.1f}", flush=True)  # noqa: T201 - the same
    print(f"acknowledged {acknowledged}", flush=True)  # noqa: T201 - the same
    client.disconnect()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
