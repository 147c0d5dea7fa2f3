"""TaskPublisher on MQTT 5 by paho: QoS 1, done when the broker has acknowledged."""

import asyncio
import ssl
import threading
import uuid
from collections.abc import Sequence
from typing import Any, Final, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from ingest.contracts.errors import DeliveryError
from ingest.contracts.settings import MqttSettings

_QOS: Final = 1
_IN_FLIGHT_MAX: Final = 100
_KEEPALIVE_S: Final = 30
_WINDOW: Final = 500
"""Tasks handed to paho at a time; its queue is memory only."""


class MqttTaskPublisher:
    """Publishes tasks; `async with` connects, paho reconnects by itself and sends again."""

    def __init__(self, mqtt: MqttSettings, publish_timeout_ms: int) -> None:
        """Take the broker and how long it may take to answer."""
        self._mqtt = mqtt
        self._timeout_s = publish_timeout_ms / 1000
        self._connected = threading.Event()
        self._refusal = ""
        self._acknowledged: set[int] = set()
        """Message ids; written by paho's thread, under the condition."""
        self._acknowledged_changed = threading.Condition()
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"shelfstream-floor-{uuid.uuid4().hex[:12]}",
            protocol=paho.MQTTv5,
        )
        client.username_pw_set(mqtt.username, mqtt.password.get_secret_value() or None)
        if mqtt.ca_file is not None:
            client.tls_set_context(ssl.create_default_context(cafile=mqtt.ca_file))
        client.max_inflight_messages_set(_IN_FLIGHT_MAX)
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        self._client = client

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            DeliveryError: The broker can't be reached, or refuses us.
        """
        self._client.connect_async(self._mqtt.host, self._mqtt.port, _KEEPALIVE_S)
        self._client.loop_start()
        connected = await asyncio.to_thread(self._connected.wait, self._timeout_s)
        if not connected or self._refusal:
            self._client.loop_stop()
            raise DeliveryError(f"the MQTT broker refuses us: {self._refusal or 'no answer'}")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Publish in order and wait for all PUBACKs; paho sends again after a reconnect.

        Raises:
            DeliveryError: A PUBACK was missing after the time-out, or refused a task.
        """
        for begin in range(0, len(messages), _WINDOW):
            mids = {
                self._client.publish(topic, payload, qos=_QOS).mid
                for topic, payload in messages[begin : begin + _WINDOW]
            }
            await asyncio.to_thread(self._wait, mids)

    def _wait(self, mids: set[int]) -> None:
        with self._acknowledged_changed:
            done = self._acknowledged_changed.wait_for(
                lambda: bool(self._refusal) or mids <= self._acknowledged, self._timeout_s
            )
            self._acknowledged -= mids
        if self._refusal:
            raise DeliveryError(f"the MQTT broker refused a task: {self._refusal}")
        if not done:
            raise DeliveryError(f"no PUBACK of the MQTT broker within {self._timeout_s:.0f} s")

    def _on_connect(
        self, _client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        self._refusal = str(reason) if reason.is_failure else ""
        self._connected.set()

    def _on_publish(
        self, _client: paho.Client, _data: Any, mid: int, reason: ReasonCode, _properties: Any
    ) -> None:
        with self._acknowledged_changed:
            self._acknowledged.add(mid)
            if reason.is_failure:
                self._refusal = str(reason)
            self._acknowledged_changed.notify_all()
