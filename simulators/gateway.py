"""A scanner gateway or shelf device that forgets nothing until it is accepted. No I/O, no clock.

Each start of a device is a boot with sequence numbers of its own. What is not accepted yet stays
in the boot's spool and is sent again after a time-out. The fold tells repeats apart within 2,048
numbers of a boot, so nothing further than `WINDOW_EVENTS` beyond the oldest unaccepted number is
ever sent.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from ingest.contracts.errors import ShelfstreamError
from ingest.contracts.events import PAYLOAD_BYTES_MAX
from ingest.contracts.topics import mqtt_topic

WINDOW_EVENTS: Final = 1_024
"""Half of the fold's window: room for what is on its way while a resend is decided."""
SPOOL_EVENTS_MAX: Final = 50_000
BATCH_EVENTS: Final = 250
RESEND_AFTER_MS: Final = 3_000
RESEND_AFTER_MS_MAX: Final = 30_000
BOOTS_MAX: Final = 8
"""Spools of earlier boots that a gateway keeps; it refuses to start again above this."""
LATENCIES_MAX: Final = 256
"""Latest publish-to-accepted times that a device keeps until they are collected."""
PAYLOAD_BYTES_ROOM: Final = PAYLOAD_BYTES_MAX - 1_024

Leaf = Literal["readings", "scans"]
Fields = Mapping[str, str | int | bool]
_ENCODER: Final = msgspec.json.Encoder()


class SpoolFullError(ShelfstreamError):
    """A device was given an event while its spool was full; ask `room_events` first."""


@dataclass(slots=True)
class Publication:
    """One MQTT message to send; its bodies are whole JSON events."""

    topic: str
    bodies: list[bytes]

    def payload(self) -> bytes:
        """Return the JSON array of the bodies."""
        return b"[" + b",".join(self.bodies) + b"]"


@dataclass(slots=True)
class _Flight:
    first_seq: int
    last_seq: int
    first_sent_at_ms: int
    sent_at_ms: int
    timeout_ms: int


class Spool:
    """The unaccepted events of one boot, by sequence number."""

    def __init__(self, boot: str) -> None:
        """Begin a boot at sequence number 0."""
        self.boot = boot
        self.next_seq = 0
        self.resent_events = 0
        self.latencies_ms: deque[int] = deque(maxlen=LATENCIES_MAX)
        self._bodies: dict[int, bytes] = {}
        self._oldest_seq = 0
        self._unsent_seq = 0
        self._flights: deque[_Flight] = deque()

    def __len__(self) -> int:
        """Return how many events are not accepted yet."""
        return len(self._bodies)

    @property
    def oldest_seq(self) -> int:
        """The oldest unaccepted number, or the next one where nothing is waiting."""
        while self._oldest_seq < self.next_seq and self._oldest_seq not in self._bodies:
            self._oldest_seq += 1
        return self._oldest_seq

    def append(self, body: bytes) -> None:
        """Keep one encoded event under the next number."""
        self._bodies[self.next_seq] = body
        self.next_seq += 1

    def accept(self, first_seq: int, last_seq: int, now_ms: int) -> int:
        """Forget `first_seq` to `last_seq`, both included; return how many were still waiting."""
        before = len(self._bodies)
        for seq in range(max(first_seq, self._oldest_seq), min(last_seq, self._unsent_seq - 1) + 1):
            self._bodies.pop(seq, None)
        self._land(now_ms)
        return before - len(self._bodies)

    def _land(self, now_ms: int) -> None:
        waiting: deque[_Flight] = deque()
        for flight in self._flights:
            if self._waiting(flight):
                waiting.append(flight)
            else:
                self.latencies_ms.append(now_ms - flight.first_sent_at_ms)
        self._flights = waiting

    def _waiting(self, flight: _Flight) -> bool:
        bodies = self._bodies
        return any(seq in bodies for seq in range(flight.first_seq, flight.last_seq + 1))

    def outgoing(self, now_ms: int, batch_events: int, resend_after_ms: int) -> list[list[bytes]]:
        """Return the batches to send now: what timed out, then what is new and in the window."""
        return [
            *self._timed_out(now_ms),
            *self._unsent(now_ms, batch_events, resend_after_ms),
        ]

    def _timed_out(self, now_ms: int) -> list[list[bytes]]:
        batches = []
        for flight in self._flights:
            if now_ms - flight.sent_at_ms < flight.timeout_ms:
                continue
            flight.sent_at_ms = now_ms
            # A slow pipeline must not be buried under repeats: wait longer each time.
            flight.timeout_ms = min(2 * flight.timeout_ms, RESEND_AFTER_MS_MAX)
            numbers = range(flight.first_seq, flight.last_seq + 1)
            batch = [self._bodies[seq] for seq in numbers if seq in self._bodies]
            self.resent_events += len(batch)
            batches.append(batch)
        return batches

    def _unsent(self, now_ms: int, batch_events: int, timeout_ms: int) -> list[list[bytes]]:
        batches = []
        end = min(self.next_seq, self.oldest_seq + WINDOW_EVENTS)
        while self._unsent_seq < end:
            first = self._unsent_seq
            batch: list[bytes] = []
            size = 0
            while self._unsent_seq < end and len(batch) < batch_events:
                body = self._bodies[self._unsent_seq]
                size += len(body) + 1
                if batch and size > PAYLOAD_BYTES_ROOM:
                    break
                batch.append(body)
                self._unsent_seq += 1
            self._flights.append(_Flight(first, self._unsent_seq - 1, now_ms, now_ms, timeout_ms))
            batches.append(batch)
        return batches


class Gateway:
    """One device: its present boot, its older spools, and whether it reaches the broker."""

    def __init__(
        self,
        *,
        site: str,
        source: str,
        boot: str,
        leaf: Leaf,
        batch_events: int = BATCH_EVENTS,
        spool_events_max: int = SPOOL_EVENTS_MAX,
        resend_after_ms: int = RESEND_AFTER_MS,
    ) -> None:
        """Start a device of a site; `boot` must never have been used by this source."""
        self.site = site
        self.source = source
        self.online = True
        self.latencies_ms: deque[int] = deque(maxlen=LATENCIES_MAX)
        self._topic = mqtt_topic(site, source, leaf)
        self._batch_events = batch_events
        self._spool_events_max = spool_events_max
        self._resend_after_ms = resend_after_ms
        self._spools = [Spool(boot)]
        self._resent_events = 0

    @property
    def boot(self) -> str:
        """The present boot."""
        return self._spools[-1].boot

    @property
    def unaccepted_events(self) -> int:
        """How many events of all boots wait for their receipt."""
        return sum(map(len, self._spools))

    @property
    def resent_events(self) -> int:
        """How many events were sent again."""
        return self._resent_events + sum(spool.resent_events for spool in self._spools)

    @property
    def room_events(self) -> int:
        """How many events the spool still takes."""
        return self._spool_events_max - self.unaccepted_events

    def restart(self, boot: str) -> bool:
        """Begin a new boot; older spools are kept and sent on. False where too many are kept."""
        if len(self._spools) > BOOTS_MAX:
            return False
        self._spools.append(Spool(boot))
        return True

    def append(self, fields: Fields) -> tuple[str, int]:
        """Spool one event; while offline it is marked historical. Return its boot and number.

        Raises:
            SpoolFullError: There was no room.
        """
        spool = self._spools[-1]
        # One spool is the rule, and asking all of them for their room was a tenth of a replay.
        full = len(self._spools) > 1 or len(spool) >= self._spool_events_max
        if full and self.room_events <= 0:
            raise SpoolFullError(f"the spool of {self.source} is full ({self._spool_events_max})")
        seq = spool.next_seq
        event: dict[str, str | int | bool] = {
            "source": self.source,
            "boot": spool.boot,
            "seq": seq,
            **fields,
        }
        if not self.online:
            event["historical"] = True
        spool.append(_ENCODER.encode(event))
        return spool.boot, seq

    def on_receipt(self, boot: str, first_seq: int, last_seq: int, now_ms: int) -> int:
        """Take one accepted range; return how many events it freed. Unknown boots free none."""
        freed = 0
        for spool in self._spools:
            if spool.boot == boot:
                freed = spool.accept(first_seq, last_seq, now_ms)
                self.latencies_ms.extend(spool.latencies_ms)
                spool.latencies_ms.clear()
        self._resent_events += sum(s.resent_events for s in self._spools[:-1] if not len(s))
        self._spools = [s for s in self._spools[:-1] if len(s)] + [self._spools[-1]]
        return freed

    def outgoing(self, now_ms: int) -> Sequence[Publication]:
        """Return what to publish at `now_ms` (any clock that never goes back); none offline."""
        if not self.online:
            return []
        return [
            Publication(self._topic, bodies)
            for spool in self._spools
            for bodies in spool.outgoing(now_ms, self._batch_events, self._resend_after_ms)
        ]
