"""A short-lived MQTT publisher that waits for each PUBACK: for tools, not for the hot path."""

from types import TracebackType
from typing import Final, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from ingest.adapters.mqtt_login import CONNECT_TIMEOUT_S, login
from ingest.contracts.errors import DeliveryError
from ingest.contracts.settings import MqttSettings

PUBLISH_S_MAX: Final = 10.0


class MqttPublisher:
    """Publishes with QoS 1; use it as a context."""

    def __init__(self, settings: MqttSettings) -> None:
        """Take where the broker is."""
        self._settings = settings
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.connect_timeout = CONNECT_TIMEOUT_S
        login(self._client, settings)

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            DeliveryError: The broker can't be reached.
        """
        try:
            self._client.connect(self._settings.host, self._settings.port)
        except OSError as error:
            raise DeliveryError(f"the MQTT broker can't be reached: {error}") from error
        self._client.loop_start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish one message and wait for its PUBACK.

        Raises:
            DeliveryError: There was none in `PUBLISH_S_MAX`, or the broker refused the message.
        """
        told = self._client.publish(topic, payload, qos=1)
        try:
            told.wait_for_publish(PUBLISH_S_MAX)
            published = told.is_published()
        except (RuntimeError, ValueError) as error:
            raise DeliveryError(f"{topic} was not published: {error}") from error
        if not published:
            raise DeliveryError(f"{topic} was not acknowledged within {PUBLISH_S_MAX:g} s")

    def publish_once(self, topic: str, payload: bytes) -> None:
        """Publish one message with QoS 0, which promises nothing."""
        self._client.publish(topic, payload, qos=0)
