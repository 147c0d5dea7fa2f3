"""The floor's MQTT client where there is no broker, or one that says no."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

from alerting.adapters.mqtt import MqttTaskPublisher
from ingest.contracts.errors import DeliveryError
from ingest.contracts.settings import MqttSettings

REFUSAL = b"\x20\x03\x00\x87\x00"
"""CONNACK of MQTT 5: not authorised, no properties."""


@pytest.fixture
def refusing_port() -> Iterator[int]:
    """Listen as a broker that answers every CONNECT with a refusal."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1_000)
                    connection.sendall(REFUSAL)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def connect(port: int, timeout_ms: int) -> None:
    """Enter and leave a publisher."""

    async def scenario() -> None:
        async with MqttTaskPublisher(MqttSettings(host="127.0.0.1", port=port), timeout_ms):
            raise AssertionError("there is no broker that took us")

    asyncio.run(scenario())


def test_no_broker_is_told_after_the_time_out() -> None:
    """The process ends with a sentence, and its supervisor starts it again."""
    with pytest.raises(DeliveryError, match=r"^the MQTT broker refuses us: no answer$"):
        connect(1, timeout_ms=100)


def test_a_refusal_is_told_in_the_brokers_words(refusing_port: int) -> None:
    """At once, not after the time-out: a wrong password does not mend itself."""
    with pytest.raises(DeliveryError, match=r"^the MQTT broker refuses us: Not authorized$"):
        connect(refusing_port, timeout_ms=60_000)
