"""Sees to it that only one process serves a client id.

A broker hands a session to whoever asks last, and mosquitto 2.0.11 does not tell the loser. So a
bridge has a second connection, of a client id of its own: on it the bridge shows a heartbeat on a
retained topic, which its last will clears, and hears the heartbeats of others. `claim` refuses to
start while another's heart beats. Where two slip through (both asked at once, or one was
suspended), both hear both, and the one that started first ends.
"""

from collections.abc import Callable
from typing import Any, Final

import structlog

from ingest.adapters.mqtt_client import KEEPALIVE_S, SUCCESS, Client, new_client
from ingest.contracts.errors import BridgeTakenError
from ingest.contracts.settings import MqttSettings
from ingest.slices import BRIDGE_ROOT

HEARTBEAT_S: Final = 1.0
SILENCE_S: Final = 3 * HEARTBEAT_S
"""A presence without a heartbeat for so long is what a crash of the broker left behind."""
ANSWER_S_MAX: Final = 5.0
LOOK_S: Final = 0.2
"""How often a running bridge looks after its presence."""
RECONNECT_S: Final = 2.0
_LOOP_S: Final = 0.05

_log = structlog.get_logger(__name__)


class Presence:
    """The heartbeat of one process that serves a client id."""

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        instance: str,
        monotonic_s: Callable[[], float],
    ) -> None:
        """Take what to claim; nothing is connected yet.

        Args:
            settings: Address and login.
            client_id: The session's client id.
            instance: Names this process; sorts after those that started before it.
            monotonic_s: A clock for waits.
        """
        self._client_id = client_id
        self._instance = instance.encode()
        self._monotonic_s = monotonic_s
        self._topic = f"{BRIDGE_ROOT}/{client_id}"
        self._echo_topic = f"{self._topic}/claim/{instance}"
        self._listening = False
        self._present = False
        self._beating: bytes = b""
        self._connected = False
        self._look_at_s = 0.0
        self._beat_at_s = 0.0
        self._reconnect_at_s = 0.0
        self._client = new_client(settings, f"{client_id}-{instance}")
        self._client.will_set(self._topic, b"", qos=1, retain=True)
        self._client.connect_async(settings.host, settings.port, KEEPALIVE_S)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def claim(self) -> None:
        """Return once no other living process serves the client id; `SILENCE_S` after a crash.

        Raises:
            BridgeTakenError: One does.
            OSError: The broker can't be reached, or does not answer.
        """
        self._listening = False
        self._client.reconnect()
        if not self._until(lambda: self._listening, ANSWER_S_MAX):
            raise TimeoutError("the MQTT broker does not answer, or refuses the login")
        self._until(lambda: bool(self._beating) or not self._present, SILENCE_S)
        if self._beating:
            self._client.disconnect()
            raise BridgeTakenError(f"another process serves {self._client_id}; end it first")
        self._beat()

    def poll(self) -> None:
        """Show and hear heartbeats, without waiting.

        Raises:
            BridgeTakenError: A process that started later serves the client id.
        """
        now_s = self._monotonic_s()
        if now_s < self._look_at_s:
            return
        self._look_at_s = now_s + LOOK_S
        if self._client.loop(0) != SUCCESS:
            self._reconnect(now_s)
        if self._beating > self._instance:
            raise BridgeTakenError(f"a later process serves {self._client_id}; this one ends")
        if self._connected and now_s >= self._beat_at_s:
            self._beat()

    def close(self) -> None:
        """Clear the presence and disconnect."""
        if self._beat_at_s and self._connected and not self._beating:
            self._client.publish(self._topic, b"", qos=0, retain=True)
        self._client.disconnect()

    def _beat(self) -> None:
        self._beat_at_s = self._monotonic_s() + HEARTBEAT_S
        self._client.publish(self._topic, self._instance, qos=0, retain=True)

    def _reconnect(self, now_s: float) -> None:
        self._connected = False
        if now_s < self._reconnect_at_s:
            return
        self._reconnect_at_s = now_s + RECONNECT_S
        try:
            self._client.reconnect()
        except OSError as error:
            _log.warning("presence_unreachable", error=str(error))

    def _until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        deadline_s = self._monotonic_s() + timeout_s
        while not done():
            if self._monotonic_s() >= deadline_s:
                return False
            if self._client.loop(_LOOP_S) != SUCCESS:
                return done()
        return True

    def _on_connect(self, *_: Any) -> None:
        self._connected = True
        self._client.subscribe([(self._topic, 1), (self._echo_topic, 1)])

    def _on_disconnect(self, *_: Any) -> None:
        self._connected = False

    def _on_subscribe(self, *_: Any) -> None:
        # Its echo comes after the retained presence, if there is one.
        self._client.publish(self._echo_topic, b"", qos=0)

    def _on_message(self, _client: Client, _data: Any, message: Any) -> None:
        if message.topic == self._echo_topic:
            self._listening = True
        elif not message.payload:
            self._present, self._beating = False, b""
        elif message.payload != self._instance:
            self._present = True
            if not message.retain:
                self._beating = max(self._beating, bytes(message.payload))
