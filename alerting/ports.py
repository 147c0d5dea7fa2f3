"""What the sender and the floor need of the world, as roles."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from streams.contracts.alerts import Delivery, DeliveryResult
from streams.engine.ports import LogRecord


class SendError(Exception):
    """A message was not accepted; the text says why."""

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        """Take the reason, and whether another attempt can't change it."""
        super().__init__(reason)
        self.permanent = permanent


class Sender(Protocol):
    """Hands one message to the outside."""

    async def send(self, delivery: Delivery) -> None:
        """Send, and return when the other side has taken the message.

        May be cancelled when it takes too long.

        Raises:
            SendError: It was not taken.
        """


class CommittedLog(Protocol):
    """A topic read by a consumer group, committed records only."""

    async def poll(self) -> Sequence[LogRecord]:
        """Return the next records, in order within a partition; empty after a short wait."""

    async def commit(self, next_offsets: Mapping[int, int]) -> None:
        """Say by partition where reading begins after a restart."""


class ResultLog(Protocol):
    """Where delivery results go."""

    async def write(self, results: Sequence[DeliveryResult], at_ms: int) -> None:
        """Write results, and return when Kafka has them; `at_ms` is the fold's kind of time."""


class TaskPublisher(Protocol):
    """Tells the floors of sites what to do."""

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Publish topic and payload pairs in order, and return when the broker has them all.

        Raises:
            DeliveryError: The broker did not take them in time.
        """
