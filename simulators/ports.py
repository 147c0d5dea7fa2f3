"""What the simulators need of a connection; `simulators.adapters.mqtt` has the real one."""

from typing import NamedTuple, Protocol


class Heard(NamedTuple):
    """One message from the broker."""

    topic: str
    payload: bytes


class BrokerLink(Protocol):
    """One connection for many devices, already entered."""

    @property
    def ready(self) -> bool:
        """Whether more may be published now."""

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Send one message with QoS 1; False where it was not taken."""

    def heard(self, wait_s: float = 0.0) -> list[Heard]:
        """Return what has come in since the last call; wait so long for the first message."""
