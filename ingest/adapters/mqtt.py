"""MQTT 5 by paho: session, keep-alive and control packets are paho's, messages come by the lane."""

import select
import ssl
import sys
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from ingest.adapters.mqtt_client import KEEPALIVE_S, login
from ingest.adapters.mqtt_lane import LaneSocket, MalformedPacketError, publish_packet
from ingest.adapters.mqtt_presence import Presence
from ingest.contracts.errors import BridgeTakenError
from ingest.contracts.settings import MqttSettings
from ingest.ports import UNACKNOWLEDGED, Message, Token
from ingest.slices import BRIDGE_ROOT

RECONNECT_S_MIN: Final = 0.1
RECONNECT_S_MAX: Final = 5.0
PACKET_BYTES_MAX: Final = 8 * 1024 * 1024
"""The broker never sends a larger packet; it drops what does not fit."""
HELD_BYTES_MAX: Final = 32 * 1024 * 1024
"""Received and not handed out yet; above it the socket is not read."""
MESSAGE_BYTES: Final = 256
"""What a held message costs beside its payload: QoS 0 has no Receive Maximum."""
POLL_BYTES_MAX: Final = 256 * 1024
FILTERS_A_PACKET_MAX: Final = 100
TOPICS_CACHED_MAX: Final = 100_000

_TAKEN_OVER: Final = 0x8E
_PACKET_IDS: Final = 1 << 16
_PUBACK: Final = 0x4002_0000
"""A PUBACK is four bytes: its type, its length and the packet identifier."""
_NO_GENERATION: Final = -2

_log = structlog.get_logger(__name__)


class _LaneClient(mqtt.Client):
    lane: LaneSocket | None = None

    def _create_socket(self) -> LaneSocket:  # paho calls only what it has
        self.lane = LaneSocket(super()._create_socket())  # type: ignore[arg-type] # no websockets
        return self.lane


class MqttSource:
    """A `MessageSource` on a real broker."""

    def __init__(
        self,
        settings: MqttSettings,
        *,
        client_id: str,
        session_expiry_s: int,
        messages_in_flight_max: int,
        monotonic_s: Callable[[], float],
        presence: Presence | None = None,
    ) -> None:
        """Take where the broker is; the first `poll` connects.

        Args:
            settings: Address and login.
            client_id: Names the session.
            session_expiry_s: How long the broker keeps the session while nobody serves it.
            messages_in_flight_max: Receive Maximum, at most 65,535.
            monotonic_s: A clock for waits.
            presence: Looked after by `poll`; without one nobody guards the client id.
        """
        self._presence = presence
        self._client = _new_client(settings, client_id)
        connect = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's
        connect.ReceiveMaximum = min(messages_in_flight_max, _PACKET_IDS - 1)
        connect.SessionExpiryInterval = session_expiry_s
        connect.MaximumPacketSize = PACKET_BYTES_MAX
        self._session_expiry_s = session_expiry_s
        self._client.connect_async(
            settings.host, settings.port, KEEPALIVE_S, clean_start=False, properties=connect
        )
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._monotonic_s = monotonic_s
        self._generation = 0
        self._topics: dict[bytes, str] = {}
        self._held: deque[Message] = deque()
        self._held_bytes = 0
        self._filters: set[str] = set()
        self._asked: dict[int, list[str]] = {}
        self._confirmed: frozenset[str] = frozenset()
        self._connected = False
        self._taken = False
        self._reconnect_s = RECONNECT_S_MIN
        self._reconnect_at_s = 0.0
        self._stale_acks = 0

    @property
    def subscribed(self) -> frozenset[str]:
        """The topic filters that the broker has confirmed in this session."""
        return self._confirmed

    @property
    def stale_acks(self) -> int:
        """How many acknowledgements were dropped since their connection had gone."""
        return self._stale_acks

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection."""
        return self._connected

    def poll(self, limit: int) -> list[Message]:
        """Serve the connection, and return at most `limit` messages in the order received.

        Raises:
            BridgeTakenError: Another process has taken this client id's session.
        """
        if self._presence is not None:
            self._presence.poll()
        lane = self._served_lane()
        if lane is not None:
            self._read(lane)
        if self._taken:
            raise BridgeTakenError("another process has taken over this bridge's MQTT session")
        if lane is not None and self._client.socket() is not None:
            self._write(lane)
        return self._handed_out(limit)

    def acknowledge(self, tokens: Sequence[Token]) -> None:
        """Acknowledge messages in the order received; those of an older connection are dropped."""
        lane = self._client.lane
        generation = self._generation if self._connected else _NO_GENERATION
        words = array("I", [_PUBACK | one & 0xFFFF for one in tokens if one >> 16 == generation])
        self._stale_acks += len(tokens) - len(words)
        if words and lane is not None:
            if sys.byteorder == "little":
                words.byteswap()
            lane.write(words.tobytes())
            lane.drain()

    def publish(self, topic: str, payload: bytes) -> None:
        """Send a message once (QoS 0); dropped where the connection is down or choked."""
        lane = self._client.lane
        if lane is not None and self._connected and not lane.out_full:
            lane.write(publish_packet(topic, payload))

    def announce(self, topic: str, payload: bytes) -> None:
        """Send a retained message with QoS 1, which expires with the session."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho's
        properties.MessageExpiryInterval = self._session_expiry_s
        self._client.publish(topic, payload, qos=1, retain=True, properties=properties)

    def subscribe(self, filters: Iterable[str]) -> None:
        """Add topic filters to the session; confirmed ones appear in `subscribed`."""
        added = sorted(set(filters) - self._filters)
        self._filters.update(added)
        if self._connected:
            self._ask(added)

    def wait(self, timeout_s: float) -> None:
        """Wait until the socket can be read, at most `timeout_s`."""
        poller = select.poll()
        lane = self._client.lane
        if lane is not None and self._client.socket() is not None and lane.fileno() >= 0:
            reading = select.POLLIN if self._held_bytes < HELD_BYTES_MAX and not self._held else 0
            poller.register(lane.fileno(), reading | (select.POLLOUT * lane.writable_wanted))
        poller.poll(timeout_s * 1000)

    def close(self) -> None:
        """Disconnect; the session stays with the broker."""
        self._client.disconnect()

    def _served_lane(self) -> LaneSocket | None:
        if self._client.socket() is None:
            self._connected = False
            now_s = self._monotonic_s()
            if now_s < self._reconnect_at_s:
                return None
            self._reconnect_at_s = now_s + self._reconnect_s
            self._reconnect_s = min(self._reconnect_s * 2, RECONNECT_S_MAX)
            try:
                self._client.reconnect()
            except (OSError, ssl.SSLError) as error:
                _log.warning("mqtt_unreachable", error=str(error), again_in_s=self._reconnect_s)
                return None
            self._generation += 1
            self._asked.clear()
        return self._client.lane

    def _read(self, lane: LaneSocket) -> None:
        if self._held_bytes >= HELD_BYTES_MAX:
            return
        try:
            lane.fill()
        except MalformedPacketError as error:
            _log.error("mqtt_malformed", error=str(error))
            lane.close()
        self._hold(lane)
        while lane.readable and self._client.socket() is not None:
            if self._client.loop_read() != mqtt.MQTT_ERR_SUCCESS:
                break

    def _hold(self, lane: LaneSocket) -> None:
        publishes, lane.parser.publishes = lane.parser.publishes, []
        high = self._generation << 16
        topics, held, held_bytes = self._topics, self._held, self._held_bytes
        for name, packet_id, payload in publishes:
            topic = topics.get(name)
            if topic is None:
                if len(topics) >= TOPICS_CACHED_MAX:
                    topics.clear()
                topic = topics[name] = name.decode("utf-8", "replace")
            held.append((topic, payload, high | packet_id if packet_id else UNACKNOWLEDGED))
            held_bytes += len(payload) + MESSAGE_BYTES
        self._held_bytes = held_bytes

    def _write(self, lane: LaneSocket) -> None:
        self._client.loop_misc()
        if self._client.want_write():
            self._client.loop_write()
        if lane.writable_wanted:
            lane.drain()

    def _handed_out(self, limit: int) -> list[Message]:
        held, size = self._held, 0
        if len(held) <= limit and self._held_bytes < POLL_BYTES_MAX:
            self._held_bytes = 0
            out = list(held)
            held.clear()
            return out
        out = []
        while held and len(out) < limit and size < POLL_BYTES_MAX:
            message = held.popleft()
            size += len(message[1]) + MESSAGE_BYTES
            out.append(message)
        self._held_bytes -= size
        return out

    def _ask(self, filters: list[str]) -> None:
        for start in range(0, len(filters), FILTERS_A_PACKET_MAX):
            some = filters[start : start + FILTERS_A_PACKET_MAX]
            result, packet_id = self._client.subscribe([(one, _options(one)) for one in some])
            if result == mqtt.MQTT_ERR_SUCCESS and packet_id is not None:
                self._asked[packet_id] = some

    def _on_connect(
        self,
        _client: mqtt.Client,
        _userdata: Any,
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            _log.error("mqtt_refused", reason=str(reason))
            return
        self._connected = True
        self._reconnect_s = RECONNECT_S_MIN
        if not flags.session_present:
            self._confirmed = frozenset()
        _log.info("mqtt_connected", session_present=flags.session_present)
        self._ask(sorted(self._filters))

    def _on_disconnect(
        self,
        _client: mqtt.Client,
        _userdata: Any,
        _flags: mqtt.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._connected = False
        self._taken = self._taken or reason.value == _TAKEN_OVER
        _log.warning("mqtt_disconnected", reason=str(reason))

    def _on_subscribe(
        self,
        _client: mqtt.Client,
        _userdata: Any,
        packet_id: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        filters = self._asked.pop(packet_id, [])
        for one, reason in zip(filters, reasons, strict=False):
            if reason.is_failure:
                _log.error("mqtt_subscription_refused", filter=one, reason=str(reason))
            else:
                self._confirmed |= {one}
        _log.info("mqtt_subscribed", filters=len(self._confirmed))


def _new_client(settings: MqttSettings, client_id: str) -> _LaneClient:
    client = _LaneClient(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=mqtt.MQTTv5,
        manual_ack=True,
    )
    login(client, settings)
    return client


def _options(topic_filter: str) -> SubscribeOptions:
    """Retained status is wanted once, announcements at every start."""
    told_again = topic_filter.startswith(BRIDGE_ROOT)
    handling = (
        SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
        if told_again
        else SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
    )
    return SubscribeOptions(qos=1, retainHandling=handling)
