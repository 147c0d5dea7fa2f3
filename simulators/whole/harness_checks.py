"""What must hold when all has drained. Each check raises with the promise that was broken."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

import msgspec

from ingest.contracts.topics import ALERTS, DEAD_LETTERS, EVENTS, MOVEMENTS, STOCK
from simulators.whole.harness_log import (
    Written,
    items_of,
    plain_items,
    table_of,
    transactional_id_of,
    written_by,
)
from simulators.whole.harness_system import SimulationError, System
from simulators.whole.harness_world import EmittedScan, World
from streams.contracts.alerts import Alert
from streams.contracts.events import (
    EVENT_FRAMES,
    BreachCleared,
    BreachOpened,
    StreamEvent,
    TransferChanged,
)
from streams.contracts.ledger import MOVEMENT_FRAMES, Movement
from streams.contracts.state import Clock, Level, Transfer, decode
from streams.engine.fold import Changes, FoldSpec

DRAIN_FRAMES_MAX: Final = 4
"""A replay drains after at most so many frames: what comes out may not depend on it."""


def _require(holds: bool, promise: str, *facts: object) -> None:
    if not holds:
        raise SimulationError(f"{promise}: {', '.join(map(str, facts))}")


class Checks:
    """All checks of one finished run."""

    def __init__(self, system: System, world: World, specs: Sequence[FoldSpec]) -> None:
        """Read the committed logs once."""
        self._system = system
        self._world = world
        self._specs = specs
        self._kafka = system.kafka
        self._movements: list[Movement] = list(
            items_of(self._kafka, MOVEMENTS.name, MOVEMENT_FRAMES)
        )
        self._events: list[StreamEvent] = list(items_of(self._kafka, EVENTS.name, EVENT_FRAMES))
        self._levels: dict[tuple[str, str], Level] = {}
        self._transfers: dict[str, Transfer] = {}
        self._clocks: list[Clock] = []
        self._read_table()

    def all(self) -> None:
        """Run every check.

        Raises:
            SimulationError: A promise was broken.
        """
        self.dead_letters()
        self.truth()
        self.ledger()
        self.scans()
        self.transfers()
        self.breaches()
        self.alerts()
        self.time()
        for spec in self._specs:
            self.replay(spec)

    def dead_letters(self) -> None:
        """Every message was of a known device and well formed."""
        log = self._kafka.partition(DEAD_LETTERS.name, 0)
        letters = log.read_committed(0)
        _require(not letters, "no dead letters", [letter.value for letter in letters[:1]])

    def truth(self) -> None:
        """The live table is the true stock, and units were conserved on their way."""
        for (sku, site), units in sorted(self._world.truth.items()):
            level = self._levels.get((sku, site))
            booked = level.on_hand_units if level is not None else 0
            _require(booked == units, f"table = truth at {sku} {site}", booked, units)
        moved = sum(scan.quantity_units for scan in self._scans("arrive"))
        sent = sum(scan.quantity_units for scan in self._scans("dispatch"))
        _require(moved == sent, "staff carried all they took", moved, sent)

    def ledger(self) -> None:
        """Each movement continues the last one; the table is their sum; ids are unique."""
        ids = Counter(movement.movement_id for movement in self._movements)
        doubled = [name for name, times in ids.items() if times > 1]
        _require(not doubled, "each movement id once", doubled[:3])
        books: dict[tuple[str, str], int] = defaultdict(int)
        for movement in self._movements:
            if movement.bucket != "on_hand":
                continue
            where = (movement.sku, movement.site)
            _require(movement.before_units == books[where], "ledger without a gap", movement)
            books[where] += movement.quantity_units
            _require(movement.after_units == books[where], "ledger adds up", movement)
        for where, level in self._levels.items():
            _require(level.on_hand_units == books[where], "table = ledger", where, level)

    def scans(self) -> None:
        """Each scan is in the ledger once, at its own site."""
        found = Counter(
            movement.cause
            for movement in self._movements
            if movement.bucket == "on_hand" and self._own_site(movement)
        )
        for cause, scan in self._world.scans.items():
            _require(found[cause] == 1, "each scan exactly once", scan, found[cause])

    def transfers(self) -> None:
        """Versions go up by one; no more leaves or arrives than staff scanned."""
        versions: dict[str, int] = defaultdict(int)
        for event in self._events:
            if isinstance(event, TransferChanged):
                one = event.transfer
                expected = versions[one.transfer_id] + 1
                _require(one.version == expected, "each transfer change once", expected, event)
                versions[one.transfer_id] = one.version
        moved: Counter[tuple[str, str]] = Counter()
        for movement in self._movements:
            if movement.transfer_id and movement.bucket == "on_hand":
                kind = movement.kind.removesuffix("_inferred")
                moved[movement.transfer_id, kind] += abs(movement.quantity_units)
        scanned: Counter[tuple[str, str]] = Counter()
        for scan in self._world.scans.values():
            scanned[scan.transfer_id, scan.action] += scan.quantity_units
        if self._system.options.unnamed_percent:
            return  # then the fold chooses the transfer, and only sums can be told
        for (transfer_id, action), units in sorted(scanned.items()):
            if transfer_id:
                got = moved[transfer_id, action]
                _require(got == units, f"{transfer_id} {action} once", got, units)

    def breaches(self) -> None:
        """Open and clear alternate for each key and kind; each id opens and clears once."""
        opened: dict[tuple[str, str, str], str] = {}
        ids: set[str] = set()
        for event in self._events:
            if isinstance(event, BreachOpened):
                where = (event.sku, event.site, event.kind)
                _require(where not in opened, "a breach opens once", event)
                _require(event.breach_id not in ids, "each breach id once", event)
                opened[where] = event.breach_id
                ids.add(event.breach_id)
                if "flap_opens_max" in event.decided_from:
                    self._system.count("breach held open for flapping")
            elif isinstance(event, BreachCleared):
                where = (event.sku, event.site, event.kind)
                _require(opened.pop(where, "") == event.breach_id, "clear follows open", event)
        open_ids = {
            breach.breach_id
            for level in self._levels.values()
            for breach in level.breaches
            if breach.breach_id
        }
        _require(open_ids == set(opened.values()), "table has the open breaches", open_ids, opened)

    def alerts(self) -> None:
        """Each breach has one alert, cleared exactly when the breach is."""
        states: dict[str, str] = {}
        for log in self._kafka.topics[ALERTS.name].partitions:
            for key, value in table_of(log).state.items():
                if key.startswith(b"alert\x1f"):
                    alert = _alert(value)
                    states[alert.alert_key] = alert.state
        cleared = {e.breach_id for e in self._events if isinstance(e, BreachCleared)}
        for event in self._events:
            if isinstance(event, BreachOpened):
                state = states.get(event.breach_id, "missing")
                ended = event.breach_id in cleared
                promise = "an alert follows its breach"
                _require((state == "cleared") == ended and state != "missing", promise, event)

    def time(self) -> None:
        """Driven time is the last that was sent; wall time came by ticks."""
        for clock in self._clocks:
            if self._system.options.time == "driven":
                driven_ms = self._world.driven_ms
                _require(clock.now_ms <= driven_ms, "time is driven", clock.now_ms, driven_ms)
            else:
                _require(clock.now_ms > 0, "time passes", clock)

    def replay(self, spec: FoldSpec) -> None:
        """A fresh fold of the committed input gives the same state and the same outputs."""
        for partition in range(self._system.options.partition_count):
            live = table_of(self._kafka.partition(spec.state_topic, partition))
            if live.applied is None:
                continue
            state, written = replayed(spec, partition, self._system, live.applied.input_offset)
            place = f"{spec.name}/{partition}"
            changed = sorted(
                key
                for key in state.keys() | live.state.keys()
                if state.get(key) != live.state.get(key)
            )
            _require(not changed, f"replay = live state of {place}", changed[:3])
            committed = written_by(self._kafka, spec, transactional_id_of(spec, partition))
            _require_same(f"replay = live outputs of {place}", written, committed)

    def _own_site(self, movement: Movement) -> bool:
        scan = self._world.scans.get(movement.cause)
        return scan is not None and (scan.sku, scan.site) == (movement.sku, movement.site)

    def _scans(self, action: str) -> list[EmittedScan]:
        return [scan for scan in self._world.scans.values() if scan.action == action]

    def _read_table(self) -> None:
        takers: dict[type, Callable[[Any], None]] = {
            Level: lambda one: self._levels.__setitem__((one.sku, one.site), one),
            Transfer: lambda one: self._transfers.__setitem__(one.transfer_id, one),
            Clock: self._clocks.append,
        }
        for log in self._kafka.topics[STOCK.name].partitions:
            for key, value in table_of(log).state.items():
                record = decode(key, value)
                if type(record) in takers:
                    takers[type(record)](record)


def replayed(
    spec: FoldSpec, partition: int, system: System, last_offset: int
) -> tuple[dict[bytes, bytes], Written]:
    """Fold a partition's committed input from its beginning up to an offset, drained at random."""
    rng = Random(f"replay-{system.options.seed}")  # noqa: S311 - a simulation's dice
    fold = spec.create(partition, system.options.partition_count)
    state: dict[bytes, bytes] = {}
    written: Written = {}
    fold.start(state)
    due = 1
    log = system.kafka.partition(spec.input_topic, partition)
    for record in log.read_committed(0, last_offset + 1):
        fold.fold(record.value or b"")
        due -= 1
        if due <= 0:
            due = rng.randint(1, DRAIN_FRAMES_MAX)
            _apply(fold.drain(), state, written)
    _apply(fold.drain(), state, written)
    return state, written


def _apply(changes: Changes, state: dict[bytes, bytes], written: Written) -> None:
    for key, value in changes.state.items():
        if value is None:
            state.pop(key, None)
        else:
            state[key] = value
    for output in changes.outputs:
        items = written.setdefault((output.topic, output.partition), [])
        items.extend(plain_items(output.value))


def _require_same(
    promise: str,
    expected: Written,
    found: Written,
) -> None:
    _require(
        expected.keys() == found.keys(), promise, sorted(map(str, expected.keys() ^ found.keys()))
    )
    for place, items in expected.items():
        others = found[place]
        if items != others:
            at = next(
                (
                    i
                    for i, pair in enumerate(zip(items, others, strict=False))
                    if pair[0] != pair[1]
                ),
                min(len(items), len(others)),
            )
            _require(
                False,
                promise,
                place,
                f"{len(items)} and {len(others)} items, item {at} differs",
                items[at : at + 1],
                others[at : at + 1],
            )


def _alert(value: bytes) -> Alert:
    return msgspec.msgpack.decode(value, type=Alert)
