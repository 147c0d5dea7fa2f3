"""Who sees what the pipeline makes of a load, and when: a reader of events, and a webhook."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from deploy.bench.open_loop import NS_PER_MS, NS_PER_S, Crossing, is_alerted
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import EVENTS
from streams.contracts.events import EVENT_FRAMES, BreachOpened
from streams.engine.adapters.reader import read_topic

LOOPBACK: Final = "127.0.0.1"


@dataclass(slots=True)
class Outcome:
    """What became of one load's crossings; latencies in milliseconds from when they were due."""

    expected: int = 0
    alerts_expected: int = 0
    breaches: list[tuple[float, float]] = field(default_factory=list)
    """Due time in seconds after the begin, and latency."""
    alerts: list[float] = field(default_factory=list)
    doubled: int = 0
    strangers: int = 0
    """Breaches that no event of the load should have opened."""

    @property
    def complete(self) -> bool:
        """Whether every crossing was seen and told."""
        return len(self.breaches) >= self.expected and len(self.alerts) >= self.alerts_expected

    @property
    def lost(self) -> int:
        """Crossings that were not seen, or not told, so far."""
        missing = max(0, self.expected - len(self.breaches))
        return missing + max(0, self.alerts_expected - len(self.alerts))


class Watch:
    """Matches what is seen with what is expected; one load at a time."""

    def __init__(self) -> None:
        """Expect nothing."""
        self.outcome = Outcome()
        self._due_ns: dict[tuple[str, str, int], int] = {}
        """By site, SKU and device time, as the breach names its cause."""
        self._begun_ns = 0
        self._seen: dict[str, int] = {}
        """When the crossing of each breach seen was due, by the breach's id."""
        self._told: set[str] = set()
        self._early: dict[str, int] = {}
        """Messages that came before this process read their breach."""

    def expect(self, found: Sequence[Crossing], begun_ns: int) -> Outcome:
        """Forget the last load and expect the crossings of one that begins at this wall time."""
        self.outcome = Outcome(
            expected=len(found), alerts_expected=sum(is_alerted(one.site) for one in found)
        )
        self._begun_ns = begun_ns
        self._seen.clear()
        self._told.clear()
        self._early.clear()
        self._due_ns = {
            (one.site, one.sku, (begun_ns + one.due_ns) // NS_PER_MS): begun_ns + one.due_ns
            for one in found
        }
        return self.outcome

    def opened(self, breach: BreachOpened, seen_ns: int) -> None:
        """Take a breach that a reader of committed events has seen."""
        outcome = self.outcome
        crossing = (breach.site, breach.sku, breach.observed_at_ms)
        due_ns = self._due_ns.pop(crossing, None)
        if due_ns is None:
            known = breach.breach_id in self._seen
            outcome.doubled += known
            outcome.strangers += not known
            return
        self._seen[breach.breach_id] = due_ns
        outcome.breaches.append(
            ((due_ns - self._begun_ns) / NS_PER_S, (seen_ns - due_ns) / NS_PER_MS)
        )
        early_ns = self._early.pop(breach.breach_id, None)
        if early_ns is not None:
            self._tell(breach.breach_id, early_ns)

    def delivered(self, breach_id: str, seen_ns: int) -> None:
        """Take a message that the webhook has received."""
        if breach_id in self._seen:
            self._tell(breach_id, seen_ns)
        else:
            self._early.setdefault(breach_id, seen_ns)

    def _tell(self, breach_id: str, seen_ns: int) -> None:
        if breach_id in self._told:
            self.outcome.doubled += 1
            return
        self._told.add(breach_id)
        self.outcome.alerts.append((seen_ns - self._seen[breach_id]) / NS_PER_MS)


async def follow_events(kafka: KafkaSettings, offsets: dict[int, int], watch: Watch) -> None:
    """Hand every breach that is committed from these offsets on to `watch`, until cancelled."""
    async for records in read_topic(kafka, EVENTS.name, from_offsets=offsets):
        seen_ns = time.time_ns()  # noqa: TID251 - a measurement
        for record in records:
            for event in EVENT_FRAMES.decode(record.value or b"").items:
                # Both thresholds may open; the one that is lower belongs to the same crossing.
                if isinstance(event, BreachOpened) and event.kind == "low_stock":
                    watch.opened(event, seen_ns)


def breach_of(message: str) -> str:
    """Return the breach that a delivered message is about, by the id in its last line."""
    # delivery-{alert key}-{number}-{channel}
    return message.rsplit("\n", 1)[-1].removeprefix("delivery-").rsplit("-", 2)[0]


@contextmanager
def webhook(watch: Watch, loop: asyncio.AbstractEventLoop) -> Iterator[str]:
    """Listen for messages while the block runs; give the URL that apprise sends to."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # http.server looks for this name
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen_ns = time.time_ns()  # noqa: TID251 - a measurement
            self.send_response(200)
            self.end_headers()
            loop.call_soon_threadsafe(watch.delivered, breach_of(body["message"]), seen_ns)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"json://{LOOPBACK}:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
