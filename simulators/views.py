"""What the demo shows: a view folded from committed stock records and events. Pure."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from simulators.fleet import percentile
from streams.contracts.events import (
    BarrierPassed,
    BreachOpened,
    NeedChanged,
    StreamEvent,
    TransferChanged,
)
from streams.contracts.state import (
    LEVEL,
    NEED,
    SEPARATOR,
    TRANSFER,
    TRANSFER_OPEN,
    Breach,
    Level,
    Need,
    Transfer,
    decode,
)

LATENCIES_MAX: Final = 2_000
RECEIVED_MAX: Final = 100_000
"""Received transfers remembered by id: one that is told of again is not counted again."""
ON_THE_WAY: Final = frozenset({"dispatched", "in_transit", "partly_received"})
_KINDS: Final = tuple(f"{kind}{SEPARATOR}".encode() for kind in (LEVEL, TRANSFER, NEED))


@dataclass(slots=True, kw_only=True)
class SiteRow:
    """One site as the view shows it."""

    site: str
    units: int = 0
    keys: int = 0
    low: int = 0
    """Keys with an open low-stock breach."""
    out: int = 0
    """Keys with nothing on hand."""


@dataclass(slots=True, kw_only=True)
class Totals:
    """Everything in one line."""

    units: int = 0
    keys: int = 0
    breaches_open: int = 0
    transfers_open: int = 0
    transfers_on_the_way: int = 0
    units_on_the_way: int = 0
    needs_open: int = 0
    breaches_opened: int = 0
    transfers_received: int = 0
    needs_closed: int = 0


@dataclass(slots=True)
class _Probe:
    sent_at_ms: int
    waiting: set[int] = field(default_factory=set)


class StockView:
    """The newest levels, transfers and needs, and what the events told."""

    def __init__(self) -> None:
        """Begin empty."""
        self.barrier_ms: deque[int] = deque(maxlen=LATENCIES_MAX)
        """Round trips of barriers through all partitions, milliseconds."""
        self._entities: dict[bytes, Level | Transfer | Need] = {}
        self._probes: dict[str, _Probe] = {}
        self._breaches_opened = 0
        self._transfers_received = 0
        self._received: dict[str, None] = {}
        self._needs_closed = 0

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """Take one record of the stock topic, in log order; other kinds are passed over."""
        if key is None or not key.startswith(_KINDS):
            return
        if value is None:
            self._entities.pop(key, None)
            return
        entity = decode(key, value)
        if isinstance(entity, Level | Transfer | Need):
            self._entities[key] = entity

    def hear(self, event: StreamEvent, now_ms: int) -> None:
        """Take one event; `now_ms` is the viewer's own clock, as given to `probe`."""
        if isinstance(event, BreachOpened):
            self._breaches_opened += 1
        elif isinstance(event, TransferChanged):
            self._hear_transfer(event.transfer)
        elif isinstance(event, NeedChanged):
            self._needs_closed += event.need.state == "closed"
        elif isinstance(event, BarrierPassed):
            self._passed(event, now_ms)

    def _hear_transfer(self, transfer: Transfer) -> None:
        if transfer.state != "received" or transfer.transfer_id in self._received:
            return
        self._transfers_received += 1
        self._received[transfer.transfer_id] = None
        if len(self._received) > RECEIVED_MAX:
            del self._received[next(iter(self._received))]

    def probe(self, barrier_id: str, partitions: Iterable[int], now_ms: int) -> None:
        """Note that a barrier was written to these partitions."""
        self._probes[barrier_id] = _Probe(now_ms, set(partitions))

    @property
    def probes_waiting(self) -> int:
        """Barriers that have not passed everywhere yet."""
        return len(self._probes)

    def _passed(self, event: BarrierPassed, now_ms: int) -> None:
        probe = self._probes.get(event.barrier_id)
        if probe is None:
            return
        probe.waiting.discard(event.partition)
        if not probe.waiting:
            del self._probes[event.barrier_id]
            self.barrier_ms.append(now_ms - probe.sent_at_ms)

    def barrier_ms_percentile(self, share: float) -> int:
        """Return a percentile of the barriers' round trips, milliseconds; -1 before the first."""
        return percentile(self.barrier_ms, share)

    def sites(self) -> list[SiteRow]:
        """Return a row a site, by name."""
        rows: dict[str, SiteRow] = {}
        for level in self._entities.values():
            if not isinstance(level, Level):
                continue
            row = rows.setdefault(level.site, SiteRow(site=level.site))
            row.units += level.on_hand_units
            row.keys += 1
            row.out += level.on_hand_units <= 0
            row.low += any(breach.kind != "overstock" for breach in open_breaches(level))
        return [rows[site] for site in sorted(rows)]

    def breaches(self) -> list[tuple[Level, Breach]]:
        """Return the open breaches with their levels, the newest first."""
        found = [
            (level, breach)
            for level in self._entities.values()
            if isinstance(level, Level)
            for breach in open_breaches(level)
        ]
        return sorted(found, key=lambda pair: (-pair[1].since_ms, pair[1].breach_id))

    def transfers(self) -> list[Transfer]:
        """Return the open transfers, those on the way first, then the newest."""
        found = [
            one
            for one in self._entities.values()
            if isinstance(one, Transfer) and one.state in TRANSFER_OPEN
        ]
        return sorted(
            found,
            key=lambda one: (one.state not in ON_THE_WAY, -one.proposed_at_ms, one.transfer_id),
        )

    def totals(self) -> Totals:
        """Return everything in one line."""
        rows = self.sites()
        transfers = self.transfers()
        moving = [one for one in transfers if one.state in ON_THE_WAY]
        needs = [one for one in self._entities.values() if isinstance(one, Need)]
        return Totals(
            units=sum(row.units for row in rows),
            keys=sum(row.keys for row in rows),
            breaches_open=len(self.breaches()),
            transfers_open=len(transfers),
            transfers_on_the_way=len(moving),
            units_on_the_way=sum(one.dispatched_units - one.received_units for one in moving),
            needs_open=sum(need.state == "open" for need in needs),
            breaches_opened=self._breaches_opened,
            transfers_received=self._transfers_received,
            needs_closed=self._needs_closed,
        )


def open_breaches(level: Level) -> list[Breach]:
    """Return the breaches of a level whose dwell has passed."""
    return [breach for breach in level.breaches if breach.breach_id]
