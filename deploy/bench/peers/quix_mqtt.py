"""Quix Streams' own MQTT source, with its defaults: payloads as they are, one record each."""

import os
import time

from quixstreams import Application
from quixstreams.kafka import ConnectionConfig
from quixstreams.sources.community.mqtt import MQTTSource

PREFIX = "BENCH_PEER_"


def main() -> None:
    """Run until the process is ended."""
    told = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in os.environ.items()  # noqa: TID251 - a peer's main
        if name.startswith(PREFIX)
    }
    app = Application(
        broker_address=ConnectionConfig(
            bootstrap_servers=told["bootstrap"],
            security_protocol=told["security_protocol"].lower(),
            sasl_mechanism=told["sasl_mechanism"],
            sasl_username=told["kafka_username"],
            sasl_password=told["kafka_password"],
        ),
        consumer_group=told["client_id"],
        loglevel="WARNING",
    )
    source = MQTTSource(
        topic="stock/v1/+/+/readings",
        client_id=told["client_id"],
        server=told["mqtt_host"],
        port=int(told["mqtt_port"]),
        username=told["mqtt_username"],
        password=told["mqtt_password"],
        tls_enabled=False,
        payload_deserializer=None,
        timestamp_setter=_now_ms,
        qos=1,
    )
    topic = app.topic(told["topic"], key_serializer="str", value_serializer="bytes")
    app.add_source(source, topic)
    app.run()


def _now_ms(_message: object, _payload: object) -> int:
    # Its default is the time since the machine started: Kafka would delete what looks so old.
    return time.time_ns() // 1_000_000  # noqa: TID251 - a peer's clock


if __name__ == "__main__":
    main()
