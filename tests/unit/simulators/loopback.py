"""A connection that answers: each published batch is heard again as its receipt, or is not."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from simulators.ports import Heard


class Clock:
    """Seconds that pass only when somebody looks, or when they are told to."""

    def __init__(self, look_s: float = 0.0) -> None:
        """Begin at 1,000 s; each look takes `look_s` seconds."""
        self.now_s = 1_000.0
        self._look_s = look_s

    def __call__(self) -> float:
        """Return the time."""
        self.now_s += self._look_s
        return self.now_s


@dataclass
class Loopback:
    """A broker and a bridge that accept at once what `accepts` lets through."""

    accepts: Callable[[str], bool] = lambda _topic: True
    """By topic: whether what is published there gets its receipt."""
    room_messages: int = 1_000_000
    """What is published beyond is refused, as by a full queue."""
    ready: bool = True
    topics: list[str] = field(default_factory=list)
    events: list[dict[str, object]] = field(default_factory=list)
    retained: list[dict[str, object]] = field(default_factory=list)
    _heard: list[Heard] = field(default_factory=list)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Take one message; batches of events are remembered and answered."""
        if len(self.topics) >= self.room_messages:
            return False
        self.topics.append(topic)
        body = json.loads(payload)
        if retain:
            self.retained.append(body)
        elif isinstance(body, list):
            self.events += body
            if self.accepts(topic):
                self._heard.append(receipt(topic, body))
        return True

    def heard(self, wait_s: float = 0.0) -> list[Heard]:
        """Return the receipts since the last call, at once."""
        assert wait_s >= 0
        heard, self._heard = self._heard, []
        return heard


def receipt(topic: str, batch: list[dict[str, object]]) -> Heard:
    """Return what the bridge says of a batch once Kafka has it."""
    ranges = [{"boot": one["boot"], "first": one["seq"], "last": one["seq"]} for one in batch]
    way = topic.rpartition("/")[0]
    return Heard(f"{way}/accepted", json.dumps({"ranges": ranges}).encode())
