"""Plays an order log through the gateways of many sites. Sans-I/O: lines in, MQTT messages out."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from simulators.fleet import Fleet
from simulators.gateway import Gateway
from simulators.network import scanner_of
from simulators.oracle import Oracle, ScanRange
from simulators.orderlog import OrderLine, Survey
from simulators.simulation import Outgoing, time_message

CHUNK_LINES: Final = 500
"""Lines taken between two looks at the spools' room."""
REPLAY_SPOOL_EVENTS_MAX: Final = 8_192
REPLAY_BATCH_EVENTS: Final = 512
TIME_EVERY_MS: Final = 250
"""Driven time is sent no more often than this, by the publisher's clock."""


def replay_sites(site_count: int) -> tuple[str, ...]:
    """Return the names of a replay's sites, by number."""
    return tuple(f"site-{number:02d}" for number in range(1, site_count + 1))


def expect_replay(oracle: Oracle, found: Survey, sites: tuple[str, ...], boot: str) -> None:
    """Add to the truth what must come out of a replay: the plain sum of the file alone."""
    oracle.now_ms = max(oracle.now_ms, found.last_at_ms)
    oracle.watched = []  # its catalogue has no sensors, and those of a simulation before are gone
    for (number, sku), units in found.stock.items():
        oracle.leave(sites[number], sku, -units)
    played = (
        ScanRange(
            source=scanner_of(sites[number]), site=sites[number], boot=boot, first=0, last=count - 1
        )
        for number, count in sorted(found.lines_by_site.items())
    )
    oracle.expect_scans([*oracle.scans, *played])


class Replay:
    """The gateways of the sites and what is left of the file."""

    def __init__(
        self, lines: Iterable[OrderLine], sites: tuple[str, ...], boot: str, *, driven: bool
    ) -> None:
        """Take the lines in the file's order; `boot` must be new for all gateways."""
        self.fleet = Fleet(
            Gateway(
                site=site,
                source=scanner_of(site),
                boot=boot,
                leaf="scans",
                batch_events=REPLAY_BATCH_EVENTS,
                spool_events_max=REPLAY_SPOOL_EVENTS_MAX,
            )
            for site in sites
        )
        self.lines_read = 0
        self.at_ms = 0
        """Time of the newest line that was taken."""
        self._gateways = list(self.fleet)
        self._lines: Iterator[OrderLine] = iter(lines)
        self._ahead: OrderLine | None = None
        self._ended = False
        self._driven = driven
        self._time_sent_ms = 0
        self._time_clock_ms = -TIME_EVERY_MS

    @property
    def done(self) -> bool:
        """Whether every line was accepted."""
        return self._ended and not self.fleet.unaccepted_events

    def feed(self, clock_ms: int, until_ms: int | None) -> list[Outgoing]:
        """Take lines into the spools while there is room; return the time to publish first.

        Args:
            clock_ms: Any clock of the publisher that never goes back.
            until_ms: Later lines wait; None for no limit.
        """
        while not self._ended and self.fleet.room_events_min > CHUNK_LINES:
            if not self._take_chunk(until_ms):
                break
        return self._time(clock_ms)

    def _take_chunk(self, until_ms: int | None) -> bool:
        gateways = self._gateways
        taken = 0
        for line in self._next_lines():
            if until_ms is not None and line.at_ms > until_ms:
                self._ahead = line
                self.lines_read += taken
                return False
            gateways[line.site_number].append(
                {
                    "observed_at_ms": line.at_ms,
                    "action": "sale" if line.quantity > 0 else "return",
                    "quantity": abs(line.quantity),
                    "sku": line.sku,
                }
            )
            taken += 1
            self.at_ms = max(self.at_ms, line.at_ms)
        self.lines_read += taken
        self._ended = taken == 0
        return taken > 0

    def _next_lines(self) -> Iterator[OrderLine]:
        if self._ahead is not None:
            line, self._ahead = self._ahead, None
            yield line
        yield from islice(self._lines, CHUNK_LINES)

    def _time(self, clock_ms: int) -> list[Outgoing]:
        due = clock_ms - self._time_clock_ms >= TIME_EVERY_MS or self._ended
        if not self._driven or not due or self.at_ms <= self._time_sent_ms:
            return []
        self._time_sent_ms = self.at_ms
        self._time_clock_ms = clock_ms
        return [time_message(self.at_ms)]

    def outgoing(self, clock_ms: int) -> list[Outgoing]:
        """Return the gateways' messages; call it while connected."""
        return [Outgoing(one.topic, one.payload()) for one in self.fleet.outgoing(clock_ms)]
