"""How well breaches tell of true shortages: labelled shelves through the real stock fold. Pure.

In memory, with no broker: the simulator knows how many units there truly are, the fold only what
the sensors say. A breach that opened is right if the shelf was short shortly before; a shortage is
found if a breach stood open during it. Shortages that nobody could have seen for long enough (too
short, or the device was dark) are left out, and counted as such.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Final

from ingest.contracts.durations import HOUR_MS, MINUTE_MS, SECOND_MS
from ingest.contracts.policies import PolicyRecord
from ingest.contracts.topics import EVENTS
from ingest.frames import (
    INPUT_FRAMES,
    InputItem,
    ReferenceInput,
    TickInput,
)
from simulators.shelves import FAULTS, INTERVAL_MS, MIN_UNITS, Fault, Shelf, ShelfKind
from streams.contracts.events import EVENT_FRAMES, BreachCleared, BreachOpened
from streams.domain.fold import StockFold

SHELVES: Final = 24
HOURS: Final = 8
BEGIN_MS: Final = 1_760_000_000_000
DWELL_MS: Final = 10 * SECOND_MS
GRACE_MS: Final[dict[ShelfKind, int]] = {
    "scale": MINUTE_MS,
    "distance": MINUTE_MS,
    "rfid": 4 * MINUTE_MS,
}
"""How long a shortage must be seen before it has to be told."""
_DRAIN_MS: Final = MINUTE_MS


@dataclass(slots=True)
class Shortage:
    """A time during which a shelf truly held too little."""

    begin_ms: int
    end_ms: int = 0
    seen_ms: int = 0
    """How long its device was there to see it."""


@dataclass(slots=True)
class Score:
    """Breaches held against shortages."""

    shortages: int = 0
    found: int = 0
    unseen: int = 0
    """Shortages left out: too short, or dark."""
    opened: int = 0
    right: int = 0
    missed_keys: list[str] = field(default_factory=list)
    false_keys: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        """Share of the breaches that were right; 1 where there was none."""
        return self.right / self.opened if self.opened else 1.0

    @property
    def recall(self) -> float:
        """Share of the shortages that were found; 1 where there was none."""
        return self.found / self.shortages if self.shortages else 1.0

    def to_json(self) -> dict[str, object]:
        """Return the figures as plain data."""
        return {
            "precision": round(self.precision, 4),
            "recall": round(self.recall, 4),
            "breaches": self.opened,
            "breaches_right": self.right,
            "shortages": self.shortages,
            "shortages_found": self.found,
            "shortages_unseen": self.unseen,
            "false_at": self.false_keys,
            "missed_at": self.missed_keys,
        }


@dataclass(frozen=True, slots=True)
class Cost:
    """What the shelves come to with one fault alone."""

    fault: Fault
    score: Score


@dataclass(frozen=True, slots=True)
class Report:
    """The scores of one seed."""

    seed: int
    shelves: int
    hours: float
    every: Score
    """With all faults."""
    none: Score
    """With none: noise, drift, hands and missed tags only."""
    costs: list[Cost]

    def to_json(self) -> dict[str, object]:
        """Return all as plain data; a cost is what is lost against no faults."""
        return {
            "seed": self.seed,
            "shelves": self.shelves,
            "hours": self.hours,
            "score": self.every.to_json(),
            "without_faults": self.none.to_json(),
            "costs": {
                cost.fault: {
                    "precision_lost": round(self.none.precision - cost.score.precision, 4),
                    "recall_lost": round(self.none.recall - cost.score.recall, 4),
                }
                for cost in self.costs
            },
        }


class ShelfRun:
    """Shelves of one seed, and the fold that watches them."""

    def __init__(self, seed: int, *, faults: frozenset[Fault], shelves: int = SHELVES) -> None:
        """Fill the shelves; each has chance of its own, so one fault changes no other shelf."""
        self.now_ms = BEGIN_MS
        self.shelves = [
            Shelf(number, Random(f"{seed}/{number}"), faults, BEGIN_MS)  # noqa: S311 - chance, no secret
            for number in range(shelves)
        ]
        self.shortages: dict[str, list[Shortage]] = {shelf.sku: [] for shelf in self.shelves}
        self.breaches: dict[str, list[tuple[int, int]]] = {shelf.sku: [] for shelf in self.shelves}
        """Opened and cleared (0 while open) by SKU."""
        self._fold = StockFold(0, 1)
        self._fold.start({})
        self._tell([ReferenceInput(1, _policy())])

    def run(self, hours: float) -> Score:
        """Let time pass, second by second, and return the score."""
        end_ms = self.now_ms + int(hours * HOUR_MS)
        while self.now_ms < end_ms:
            self.now_ms += SECOND_MS
            items: list[InputItem] = [TickInput(self.now_ms)]
            for shelf in self.shelves:
                shelf.live(self.now_ms)
                self._label(shelf)
                if self.now_ms % INTERVAL_MS[shelf.kind] == 0:
                    items += shelf.sent(self.now_ms)
            self._tell(items)
            if self.now_ms % _DRAIN_MS == 0:
                self._listen()
        self._listen()
        return self._scored()

    def _tell(self, items: list[InputItem]) -> None:
        self._fold.fold(INPUT_FRAMES.encode(items, received_at_ms=self.now_ms))

    def _label(self, shelf: Shelf) -> None:
        told = self.shortages[shelf.sku]
        open_one = told[-1] if told and not told[-1].end_ms else None
        if shelf.units < MIN_UNITS:
            if open_one is None:
                open_one = Shortage(self.now_ms)
                told.append(open_one)
            if not shelf.is_dark(self.now_ms):
                open_one.seen_ms += SECOND_MS
        elif open_one is not None:
            open_one.end_ms = self.now_ms

    def _listen(self) -> None:
        for output in self._fold.drain().outputs:
            if output.topic != EVENTS.name:
                continue
            for event in EVENT_FRAMES.decode(output.value).items:
                if isinstance(event, BreachOpened) and event.kind == "low_stock":
                    self.breaches[event.sku].append((event.at_ms, 0))
                elif isinstance(event, BreachCleared) and event.kind == "low_stock":
                    opened_ms, _ = self.breaches[event.sku][-1]
                    self.breaches[event.sku][-1] = (opened_ms, event.at_ms)

    def _scored(self) -> Score:
        score = Score()
        for shelf in self.shelves:
            grace_ms, sku = GRACE_MS[shelf.kind], shelf.sku
            for opened_ms, _ in self.breaches[sku]:
                score.opened += 1
                if any(_meets(one, opened_ms - grace_ms, opened_ms) for one in self.shortages[sku]):
                    score.right += 1
                else:
                    score.false_keys.append(f"{shelf.kind}-{sku}@{opened_ms - BEGIN_MS}")
            for one in self.shortages[sku]:
                if one.seen_ms < grace_ms:
                    score.unseen += 1
                    continue
                score.shortages += 1
                if any(_meets(one, opened, cleared) for opened, cleared in self.breaches[sku]):
                    score.found += 1
                else:
                    score.missed_keys.append(f"{shelf.kind}-{sku}@{one.begin_ms - BEGIN_MS}")
        return score


def scored(
    seed: int, *, shelves: int = SHELVES, hours: float = HOURS, faults: frozenset[Fault]
) -> Score:
    """Return the score of one seed with these faults."""
    return ShelfRun(seed, faults=faults, shelves=shelves).run(hours)


def report(seed: int, *, shelves: int = SHELVES, hours: float = HOURS) -> Report:
    """Return the scores of one seed with all faults, with none, and with each alone."""

    def one(*faults: Fault) -> Score:
        return scored(seed, shelves=shelves, hours=hours, faults=frozenset(faults))

    costs = [Cost(fault, one(fault)) for fault in FAULTS]
    return Report(seed, shelves, hours, one(*FAULTS), one(), costs)


def _policy() -> PolicyRecord:
    return PolicyRecord(
        scope="network",
        min_units=MIN_UNITS,
        hysteresis_units=1,
        dwell_ms=DWELL_MS,
        autonomy="observe",
        lead_witness="shelf",
        blind_after_ms=MINUTE_MS,
    )


def _meets(one: Shortage, from_ms: int, to_ms: int) -> bool:
    """Tell whether a shortage and a time share a moment; an end of 0 is not over."""
    return (not to_ms or one.begin_ms <= to_ms) and (not one.end_ms or one.end_ms >= from_ms)
