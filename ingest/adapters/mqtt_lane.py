"""The fast lane: a socket that parses PUBLISH packets itself and leaves the rest to paho.

paho reads a packet byte by byte and calls back for each message, which costs 30 us; here whatever
the socket holds is cut into packets at once. Writing is a lane too: paho's packets and ours go
into one buffer, whole packets only, so PUBACKs and receipts can leave many in one write between
paho's own.
"""

import socket
import ssl
from typing import Final

READ_BYTES: Final = 128 * 1024
"""Read from the socket in one call, into a buffer that is kept: a new one costs page faults."""
FILL_BYTES_MAX: Final = 512 * 1024
"""Read from the socket in one step; what is taken together should fit into a processor's cache."""
OUT_BYTES_MAX: Final = 16 * 1024 * 1024
"""Waiting to be written; above it paho is told to wait and receipts are dropped."""

_PUBLISH: Final = 3
_PUBLISH_QOS_1: Final = 0x32
"""First byte of one that is neither retained nor sent again."""
_PUBLISH_QOS_1_BYTES_MIN: Final = 5
"""Lengths of the topic and of the properties, packet identifier."""
_CONTINUES: Final = 128
_VARINT_BYTES_MAX: Final = 4
_WAIT: Final = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

Publish = tuple[bytes, int, bytes]
"""Topic, packet identifier (0 for QoS 0) and payload."""


class MalformedPacketError(Exception):
    """The broker sent what is no MQTT 5; the connection must be closed."""


class PacketParser:
    """Cuts a byte stream into PUBLISH packets and everything else. Pure."""

    def __init__(self) -> None:
        """Begin with an empty stream."""
        self._buffer = bytearray()
        self._wanted = 2
        self.publishes: list[Publish] = []
        self.control = bytearray()
        """Whole packets of all other types, in order."""

    def feed(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the stream, however they are split.

        Raises:
            MalformedPacketError: A length of more than four bytes, or a PUBLISH that is too short.
        """
        buffer = self._buffer
        buffer += data
        end = len(buffer)
        if end < self._wanted:
            return  # a large packet in many pieces is looked at once, when it is whole
        stream = bytes(buffer)  # copied once, for a slice of a bytearray would be copied twice
        start = 0
        add = self.publishes.append
        while end - start >= 2:  # noqa: PLR2004 - the shortest packet
            body, length = start + 2, stream[start + 1]
            if length >= _CONTINUES:
                body, length = (
                    (body + 1, length + (stream[body] - 1 << 7))  # two bytes, as most have
                    if body < end and stream[body] < _CONTINUES
                    else _varint(stream, start + 1, end)
                )
                if body < 0:
                    self._wanted = 0
                    break
            stop = body + length
            if stop > end:
                self._wanted = stop - start
                break
            kind = stream[start]
            if kind == _PUBLISH_QOS_1 and length >= _PUBLISH_QOS_1_BYTES_MIN:
                # The usual packet, without properties, is cut here: a call costs as much again.
                topic_end = body + 2 + (stream[body] << 8 | stream[body + 1])
                place = topic_end + 3
                if place <= stop and not stream[topic_end + 2]:
                    packet_id = stream[topic_end] << 8 | stream[topic_end + 1]
                    add((stream[body + 2 : topic_end], packet_id, stream[place:stop]))
                else:
                    add(_publish(stream, start, body, stop))
            elif kind >> 4 == _PUBLISH:
                add(_publish(stream, start, body, stop))
            else:
                self.control += stream[start:stop]
            start = stop
        else:
            self._wanted = 2
        del buffer[:start]


def _varint(stream: bytes, place: int, end: int) -> tuple[int, int]:
    """Return where the varint ends and its value; (-1, 0) where it is not whole."""
    value = shift = 0
    for _ in range(_VARINT_BYTES_MAX):
        if place >= end:
            return -1, 0
        byte = stream[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < _CONTINUES:
            return place, value
        shift += 7
    raise MalformedPacketError("a length of more than four bytes")


def _publish(stream: bytes, start: int, body: int, stop: int) -> Publish:
    if stop - body < 3:  # noqa: PLR2004 - length of the topic and of the properties
        raise MalformedPacketError("a PUBLISH without a topic")
    topic_end = body + 2 + (stream[body] << 8 | stream[body + 1])
    place = topic_end
    packet_id = 0
    if stream[start] & 6:
        place += 2
    if place >= stop:
        raise MalformedPacketError("a PUBLISH shorter than its topic")
    if stream[start] & 6:
        packet_id = stream[topic_end] << 8 | stream[topic_end + 1]
    properties_length = stream[place]
    place += 1
    if properties_length:
        if properties_length >= _CONTINUES:
            place, properties_length = _varint(stream, place - 1, stop)
        place += properties_length
        if properties_length < 0 or not 0 < place <= stop:
            raise MalformedPacketError("a PUBLISH shorter than its properties")
    return stream[body + 2 : topic_end], packet_id, stream[place:stop]


def publish_packet(topic: str, payload: bytes, *, retain: bool = False) -> bytes:
    """Return a PUBLISH packet of QoS 0 without properties, MQTT 5."""
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + b"\x00" + payload
    length, head = len(body), bytearray((0x31 if retain else 0x30,))
    while True:
        length, byte = length >> 7, length & 127
        head.append(byte | (_CONTINUES if length else 0))
        if not length:
            return bytes(head) + body


class LaneSocket:
    """What paho takes for its socket."""

    def __init__(self, sock: socket.socket) -> None:
        """Take a connected socket (TLS done)."""
        self._sock = sock
        self._in = memoryview(bytearray(READ_BYTES))
        self._out = bytearray()
        self._ended = False
        self.parser = PacketParser()

    def fill(self) -> None:
        """Read what is there, at most `FILL_BYTES_MAX`, and parse it.

        Raises:
            MalformedPacketError: From the parser.
        """
        read = 0
        while not self._ended and read < FILL_BYTES_MAX:
            try:
                count = self._sock.recv_into(self._in)
            except _WAIT:
                return
            except OSError:
                count = 0
            if not count:
                self._ended = True
                return
            read += count
            self.parser.feed(self._in[:count])
            if count < READ_BYTES and not self.pending():
                return  # the socket is empty, or next to it

    @property
    def readable(self) -> bool:
        """Whether paho has something to read: control packets, or the end."""
        return bool(self.parser.control) or self._ended

    @property
    def writable_wanted(self) -> bool:
        """Whether bytes wait to be written."""
        return bool(self._out)

    @property
    def out_full(self) -> bool:
        """Whether more than `OUT_BYTES_MAX` wait to be written."""
        return len(self._out) > OUT_BYTES_MAX

    def write(self, packets: bytes | bytearray) -> None:
        """Queue whole packets of our own."""
        self._out += packets

    def drain(self) -> None:
        """Write what the socket takes."""
        try:
            while self._out:
                sent = self._sock.send(self._out)
                del self._out[:sent]
        except _WAIT:
            return
        except OSError:
            self._ended = True

    def recv(self, size: int) -> bytes:
        """Give paho the next bytes of its control packets.

        Raises:
            BlockingIOError: There are none now.
        """
        control = self.parser.control
        if control:
            data = bytes(control[:size])
            del control[:size]
            return data
        if self._ended:
            return b""
        raise BlockingIOError

    def send(self, data: bytes | bytearray) -> int:
        """Take a packet of paho's, always whole.

        Raises:
            BlockingIOError: Too much waits to be written.
        """
        if self.out_full:
            raise BlockingIOError
        self._out += data
        self.drain()
        return len(data)

    def fileno(self) -> int:
        """Return the file descriptor to wait on."""
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        """Set the socket's mode, as paho asks."""
        self._sock.setblocking(flag)

    def pending(self) -> int:
        """Return how many decrypted bytes TLS holds; 0 without TLS."""
        return self._sock.pending() if isinstance(self._sock, ssl.SSLSocket) else 0

    def close(self) -> None:
        """Close the socket, after a last attempt to write what waits."""
        self.drain()
        self._sock.close()
