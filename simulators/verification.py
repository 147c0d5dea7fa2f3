"""Compares the live table and the ledger with the oracle. Pure: records in, an agreement out."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from simulators.oracle import Oracle
from streams.contracts.ledger import MOVEMENT_FRAMES, Movement
from streams.contracts.state import LEVEL, SEPARATOR, Level, decode

DIFFERENCES_SHOWN_MAX: Final = 20
_LEVEL_PREFIX: Final = f"{LEVEL}{SEPARATOR}".encode()
_COUNT_MAX: Final = 255

Key = tuple[str, str]
"""Site and SKU."""


@dataclass(slots=True, kw_only=True)
class Agreement:
    """What the comparison found; every figure is counted, none assumed."""

    keys: int = 0
    agree: int = 0
    differ: int = 0
    """Keys whose book, ledger sum or sensed units are not what they must be."""
    differ_book: int = 0
    """The table's book is not the oracle's stock."""
    differ_ledger: int = 0
    """The table's book is not the sum of the ledger's movements."""
    differ_sensed: int = 0
    """What the sensors say is not the oracle's stock, or is unknown."""
    extra: int = 0
    """Keys with stock of which the oracle knows nothing."""
    scans: int = 0
    lost: int = 0
    doubled: int = 0
    unexpected: int = 0
    """Movements of a simulated device for scans that were never emitted."""
    movements: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        """Tell whether nothing is lost, doubled, different, extra or unexpected.

        Where there was no key to compare, nothing was found out, and that is not exact.
        """
        wrong = self.differ or self.lost or self.doubled or self.unexpected or self.extra
        return self.keys > 0 and not wrong

    def to_json(self) -> dict[str, Any]:
        """Return the figures as one JSON object."""
        return {**asdict(self), "exact": self.exact}


class LiveTable:
    """The newest level of each key, out of the records of the stock topic."""

    def __init__(self) -> None:
        """Begin empty."""
        self._levels: dict[bytes, Level] = {}

    @property
    def levels(self) -> dict[Key, Level]:
        """The levels by site and SKU."""
        return {(level.site, level.sku): level for level in self._levels.values()}

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """Take one committed record, in log order; other kinds of state are passed over."""
        if key is None or not key.startswith(_LEVEL_PREFIX):
            return
        if value is None:
            self._levels.pop(key, None)
            return
        level = decode(key, value)
        assert isinstance(level, Level)  # noqa: S101 - the prefix says so
        self._levels[key] = level


class _Expected:
    """How often each scan of one boot was found in the ledger."""

    __slots__ = ("counts", "first", "site")

    def __init__(self, site: str, first: int, last: int) -> None:
        self.site = site
        self.first = first
        self.counts = bytearray(last - first + 1)

    def count(self, seq: int) -> bool:
        place = seq - self.first
        if not 0 <= place < len(self.counts):
            return False
        self.counts[place] = min(_COUNT_MAX, self.counts[place] + 1)
        return True


class LedgerTally:
    """Sums of the ledger by key, and a count for each scan the oracle knows of."""

    def __init__(self, oracle: Oracle) -> None:
        """Take the scans that must be found."""
        self.sums: dict[Key, int] = {}
        self.movements = 0
        self.unexpected: list[str] = []
        self.unexpected_count = 0
        self._expected = {
            (scan.source, scan.boot): _Expected(scan.site, scan.first, scan.last)
            for scan in oracle.scans
        }
        self._sources = {scan.source for scan in oracle.scans}

    def take(self, value: bytes | None) -> None:
        """Take one committed record of the movements topic.

        Raises:
            FrameError: The record is no frame of movements.
        """
        for movement in MOVEMENT_FRAMES.decode(value or b"").items:
            self._take_movement(movement)

    def _take_movement(self, movement: Movement) -> None:
        self.movements += 1
        if movement.bucket != "on_hand":
            return
        key = (movement.site, movement.sku)
        self.sums[key] = self.sums.get(key, 0) + movement.quantity_units
        source, _, rest = movement.cause.partition("/")
        if source not in self._sources:
            return
        boot, _, number = rest.rpartition("/")
        expected = self._expected.get((source, boot))
        if expected is not None and expected.site != movement.site:
            return  # the other end of a transfer; the scan's own site is what counts
        if expected is None or not number.isdigit() or not expected.count(int(number)):
            self._note_unexpected(movement.cause)

    def _note_unexpected(self, cause: str) -> None:
        self.unexpected_count += 1
        if len(self.unexpected) < DIFFERENCES_SHOWN_MAX:
            self.unexpected.append(cause)

    @property
    def scans(self) -> int:
        """How many scans were expected."""
        return sum(len(one.counts) for one in self._expected.values())

    @property
    def lost(self) -> int:
        """How many scans left no movement at their site."""
        return sum(one.counts.count(0) for one in self._expected.values())

    @property
    def doubled(self) -> int:
        """How many scans left more than one movement at their site."""
        return self.scans - self.lost - sum(one.counts.count(1) for one in self._expected.values())

    def wrong_scans(self) -> Iterator[str]:
        """Yield each lost or doubled scan in words."""
        for (source, boot), one in self._expected.items():
            for place, count in enumerate(one.counts):
                if count != 1:
                    word = "lost" if count == 0 else f"found {count} times"
                    yield f"scan {source}/{boot}/{one.first + place}: {word}"


def agreement(oracle: Oracle, table: LiveTable, tally: LedgerTally) -> Agreement:
    """Return how far the table and the ledger agree with the oracle."""
    found = Agreement(
        scans=tally.scans,
        lost=tally.lost,
        doubled=tally.doubled,
        unexpected=tally.unexpected_count,
        movements=tally.movements,
    )
    watched = set(oracle.watched)
    levels = table.levels
    for key in sorted({*oracle.stock, *levels, *tally.sums}):
        found.keys += 1
        level = levels.get(key)
        wrong = list(_wrongs(found, key, oracle, level, tally, sensed=key in watched))
        found.agree += not wrong
        found.differ += bool(wrong)
        _note(found, wrong)
    _note(found, tally.wrong_scans() if found.lost or found.doubled else ())
    _note(found, [f"scan {cause}: never emitted" for cause in tally.unexpected])
    _note(found, () if found.keys else ["there is no key to compare"])
    return found


def ledger_agreement(table: LiveTable, tally: LedgerTally) -> Agreement:
    """Return how far the table agrees with the ledger, where nobody knows the truth."""
    ledger = Oracle()
    ledger.stock = tally.sums
    return agreement(ledger, table, tally)


def _note(found: Agreement, sentences: Iterable[str]) -> None:
    for sentence in sentences:
        if len(found.differences) >= DIFFERENCES_SHOWN_MAX:
            return
        found.differences.append(sentence)


def _wrongs(
    found: Agreement,
    key: Key,
    oracle: Oracle,
    level: Level | None,
    tally: LedgerTally,
    *,
    sensed: bool,
) -> Iterator[str]:
    site, sku = key
    book = level.on_hand_units if level else 0
    true_units = oracle.stock.get(key, 0)
    ledger = tally.sums.get(key, 0)
    if key not in oracle.stock and (book or ledger):
        found.extra += 1
    if book != true_units:
        found.differ_book += 1
        yield f"{sku!r} at {site}: the book says {book}, truly {true_units}"
    if book != ledger:
        found.differ_ledger += 1
        yield f"{sku!r} at {site}: the book says {book}, the ledger sums to {ledger}"
    if sensed:
        units = _sensed_units(level)
        if units != true_units:
            found.differ_sensed += 1
            said = "nothing" if units is None else units
            yield f"{sku!r} at {site}: the sensors say {said}, truly {true_units}"


def _sensed_units(level: Level | None) -> int | None:
    if level is None or not level.sensed or any(one.blind for one in level.sensed):
        return None
    return sum(one.units for one in level.sensed)
