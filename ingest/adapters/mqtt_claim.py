"""Asks the broker whether another process serves a client id, before this one does."""

from collections.abc import Callable
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from ingest.adapters.mqtt import CONNECT_TIMEOUT_S, HEARTBEAT_S, login, presence_topic
from ingest.contracts.errors import BridgeTakenError
from ingest.contracts.settings import MqttSettings

SILENCE_S: Final = 3 * HEARTBEAT_S
"""A presence without a heartbeat for so long is what a crash of the broker left behind."""
ANSWER_S_MAX: Final = 5.0
_LOOP_S: Final = 0.05


class _Claim:
    """One short-lived connection that listens to a presence topic."""

    def __init__(self, settings: MqttSettings, client_id: str, instance: str) -> None:
        self._topic = presence_topic(client_id)
        self._echo_topic = f"{self._topic}/claim/{instance}"
        self.present = False
        self.beating = False
        self.listening = False
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{client_id}-claim-{instance}",
            protocol=mqtt.MQTTv5,
        )
        self.client.connect_timeout = CONNECT_TIMEOUT_S
        login(self.client, settings)
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = self._on_subscribe
        self.client.on_message = self._on_message

    def _on_connect(self, *_: Any) -> None:
        self.client.subscribe([(self._topic, 1), (self._echo_topic, 1)])

    def _on_subscribe(self, *_: Any) -> None:
        # Its echo comes after the retained presence, if there is one.
        self.client.publish(self._echo_topic, b"", qos=0)

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if message.topic == self._echo_topic:
            self.listening = True
        elif not message.payload:
            self.present = self.beating = False
        elif message.retain:
            self.present = True
        else:
            self.present = self.beating = True


def claim(
    settings: MqttSettings, client_id: str, instance: str, monotonic_s: Callable[[], float]
) -> None:
    """Return once no living process serves `client_id`; takes up to `SILENCE_S` after a crash.

    Raises:
        BridgeTakenError: One does.
        OSError: The broker can't be reached, or does not answer.
    """
    one = _Claim(settings, client_id, instance)
    one.client.connect(settings.host, settings.port, clean_start=True)
    try:
        if not _until(one, lambda: one.listening, ANSWER_S_MAX, monotonic_s):
            raise TimeoutError("the MQTT broker does not answer, or refuses the login")
        _until(one, lambda: one.beating or not one.present, SILENCE_S, monotonic_s)
        if one.beating:
            raise BridgeTakenError(f"another process serves {client_id}; end it first")
    finally:
        one.client.disconnect()


def _until(
    one: _Claim, done: Callable[[], bool], timeout_s: float, monotonic_s: Callable[[], float]
) -> bool:
    deadline_s = monotonic_s() + timeout_s
    while not done():
        if monotonic_s() >= deadline_s or one.client.loop(_LOOP_S) != mqtt.MQTT_ERR_SUCCESS:
            return done()
    return True
