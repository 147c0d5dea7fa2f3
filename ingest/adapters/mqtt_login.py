"""How every MQTT client of the pipeline connects."""

from typing import Final

import paho.mqtt.client as mqtt

from ingest.contracts.settings import MqttSettings

KEEPALIVE_S: Final = 10
CONNECT_TIMEOUT_S: Final = 2.0


def login(client: mqtt.Client, settings: MqttSettings) -> None:
    """Give a paho client its user name, password and TLS."""
    if settings.username:
        client.username_pw_set(settings.username, settings.password.get_secret_value() or None)
    if settings.ca_file is not None:
        client.tls_set(ca_certs=str(settings.ca_file))
