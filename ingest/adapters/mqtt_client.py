"""How every MQTT client of the pipeline connects, and a publisher for tools."""

from typing import Final, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from ingest.contracts.errors import DeliveryError
from ingest.contracts.settings import MqttSettings

KEEPALIVE_S: Final = 10
CONNECT_TIMEOUT_S: Final = 2.0
PUBLISH_S_MAX: Final = 10.0

Client = mqtt.Client
SUCCESS: Final = mqtt.MQTT_ERR_SUCCESS


def login(client: mqtt.Client, settings: MqttSettings) -> None:
    """Give a paho client its time-out, user name, password and TLS."""
    client.connect_timeout = CONNECT_TIMEOUT_S
    if settings.username:
        client.username_pw_set(settings.username, settings.password.get_secret_value() or None)
    if settings.ca_file is not None:
        client.tls_set(ca_certs=str(settings.ca_file))


def new_client(settings: MqttSettings, client_id: str = "") -> mqtt.Client:
    """Return a client of a session that ends with it; not connected yet."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5)
    login(client, settings)
    return client


class MqttPublisher:
    """Publishes with QoS 1 and waits for each PUBACK: for tools, not for the hot path."""

    def __init__(self, settings: MqttSettings) -> None:
        """Take where the broker is."""
        self._settings = settings
        self._client = new_client(settings)

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

    def __exit__(self, *error: object) -> None:
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
