"""What the `stack` fixture hands to a test: real brokers on loopback, and names of its own."""

import uuid
from dataclasses import dataclass

from deploy.stack.home import Home
from deploy.stack.state import StackState, read_state
from ingest.contracts.settings import InfluxSettings, KafkaSettings, MqttSettings


@dataclass(frozen=True, kw_only=True)
class TestStack:
    """A running Kafka and mosquitto, and InfluxDB where its program is there."""

    __test__ = False

    home: Home
    kafka: KafkaSettings
    mqtt: MqttSettings
    """The pipeline's login."""
    devices: MqttSettings
    """The login of devices, gateways and simulators."""
    influx: InfluxSettings | None
    """None where there is no influxd; ask for the fixture `influx` to skip aloud then."""

    def state(self) -> StackState:
        """Return what runs now, with pids."""
        state = read_state(self.home)
        assert state is not None
        return state


def unique_name(prefix: str = "test") -> str:
    """Return a name for a topic, a group or a client that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"
