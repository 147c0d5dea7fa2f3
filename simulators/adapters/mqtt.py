"""Many devices over one MQTT 5 connection, by paho.

`select` fails at file descriptor 1024 and a connection costs a thread, so devices share one. It
also keeps the order between driven time and the events of that time.
"""

from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, Self

import structlog
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from ingest.contracts.settings import MqttSettings
from ingest.contracts.topics import MQTT_ROOT
from simulators.ports import Heard

OUTSTANDING_MAX: Final = 200
"""Publications without their PUBACK; then the devices wait."""
QUEUED_MAX: Final = 1_000
INFLIGHT_MAX: Final = 100
KEEPALIVE_S: Final = 30
SESSION_S: Final = 60
RECONNECT_S: Final = (1, 2)
SUBSCRIPTION: Final = f"{MQTT_ROOT}/+/+/accepted"

_LOG = structlog.get_logger()


class DeviceLink:
    """One connection for many devices; it comes back by itself after a broker's restart."""

    def __init__(self, mqtt: MqttSettings, client_id: str) -> None:
        """Prepare; `with` connects. The client id must be in use nowhere else."""
        self._mqtt = mqtt
        # Bounded by what is answered: the spools' windows let no more receipts be under way.
        self._heard: SimpleQueue[Heard] = SimpleQueue()
        self._published = 0
        self._acknowledged = 0
        self._subscribed = False
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5)
        client.username_pw_set(mqtt.username, mqtt.password.get_secret_value())
        if mqtt.ca_file is not None:
            client.tls_set(ca_certs=str(mqtt.ca_file))
        client.max_inflight_messages_set(INFLIGHT_MAX)
        client.max_queued_messages_set(QUEUED_MAX)
        client.reconnect_delay_set(*RECONNECT_S)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        self._client = client

    def __enter__(self) -> Self:
        """Begin to connect; see `ready`."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho leaves it untyped
        properties.SessionExpiryInterval = SESSION_S
        self._client.connect_async(
            self._mqtt.host,
            self._mqtt.port,
            keepalive=KEEPALIVE_S,
            clean_start=paho.MQTT_CLEAN_START_FIRST_ONLY,
            properties=properties,
        )
        self._client.loop_start()
        return self

    def __exit__(self, *error: object) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def ready(self) -> bool:
        """Connected, subscribed, and not too many publications unacknowledged."""
        return (
            self._subscribed and self._client.is_connected() and self.outstanding < OUTSTANDING_MAX
        )

    @property
    def outstanding(self) -> int:
        """Publications that the broker has not acknowledged."""
        return self._published - self._acknowledged

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Send one message with QoS 1; False where even the queue is full."""
        told = self._client.publish(topic, payload, qos=1, retain=retain)
        taken = told.rc in {MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN}
        self._published += taken
        return taken

    def heard(self, wait_s: float = 0.0) -> list[Heard]:
        """Return what has come in since the last call; wait so long for the first message."""
        found = []
        if wait_s > 0:
            with suppress(Empty):
                found.append(self._heard.get(timeout=wait_s))
        return found + [self._heard.get_nowait() for _ in range(self._heard.qsize())]

    def _on_connect(
        self,
        client: paho.Client,
        _data: object,
        _flags: object,
        reason: ReasonCode,
        _properties: object,
    ) -> None:
        if reason.is_failure:
            _LOG.warning("mqtt_refused", reason=str(reason))
            return
        client.subscribe(SUBSCRIPTION, options=SubscribeOptions(qos=1))

    def _on_subscribe(
        self,
        _client: object,
        _data: object,
        _mid: object,
        reasons: list[ReasonCode],
        _props: object,
    ) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            _LOG.warning("mqtt_subscription_refused", reasons=refused)
        self._subscribed = not all(reason.is_failure for reason in reasons)

    def _on_disconnect(
        self, _client: object, _data: object, _flags: object, reason: ReasonCode, _props: object
    ) -> None:
        self._subscribed = False
        _LOG.info("mqtt_disconnected", reason=str(reason))

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        self._heard.put(Heard(message.topic, bytes(message.payload)))

    def _on_publish(self, *_: object) -> None:
        self._acknowledged += 1
