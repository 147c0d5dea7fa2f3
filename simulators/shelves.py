"""Shelves with shoppers before them and sensors on them: the truth, and what is sent of it. Pure.

Units differ in weight, cells are noisy and drift, hands press and lift, tags are missed: that is
the default. Faults come on top, each by its name in `FAULTS`. Same generator, same bytes.
"""

from dataclasses import dataclass
from hashlib import blake2b
from math import pi, sin
from typing import TYPE_CHECKING, Final, Literal

from ingest.contracts.durations import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from ingest.frames import TAG_DIGEST_BYTES, InputItem, ReadingInput, ReadingKind, StatusInput

if TYPE_CHECKING:
    from random import Random

ShelfKind = Literal["scale", "distance", "rfid"]
Fault = Literal[
    "tare_jump", "foreign_thing", "resting_hand", "outage", "repeats", "disorder", "bad_tags"
]
FAULTS: Final[tuple[Fault, ...]] = (
    "tare_jump",
    "foreign_thing",
    "resting_hand",
    "outage",
    "repeats",
    "disorder",
    "bad_tags",
)

SITE: Final = "shop-01"
SETTLE_MS: Final = 5 * SECOND_MS
INTERVAL_MS: Final[dict[ShelfKind, int]] = {
    "scale": 2 * SECOND_MS,
    "distance": 2 * SECOND_MS,
    "rfid": 20 * SECOND_MS,
}
MIN_UNITS: Final = 4
"""Fewer on a shelf are a shortage."""

_KINDS: Final[tuple[ShelfKind, ...]] = ("scale", "scale", "distance", "rfid")
_READING_KINDS: Final[dict[ShelfKind, ReadingKind]] = {
    "scale": "weight_g",
    "distance": "distance_mm",
    "rfid": "tags",
}
_VISIT_MS_MEAN: Final = 4 * MINUTE_MS
_TAKES_SHARE: Final = 0.7
"""So many visits end with something taken; the others touch, press and lift only."""
_REFILL_MS: Final = (10 * MINUTE_MS, 40 * MINUTE_MS)
_UNIT_WEIGHT_G: Final = (80, 1_500)
_UNIT_SPREAD: Final = 0.015
_NOISE_G: Final = 1.5
_NOISE_MM: Final = 2.0
_DRIFT_G_MAX: Final = 60
_MISSED_SHARE: Final = 0.12
_MISSED_SHARE_BAD: Final = 0.51
_TARE_G: Final = 2_000
_FAULT_MS_MEAN: Final = 4 * HOUR_MS
"""Between two faults of one kind on one shelf."""
_FOREIGN_MS: Final = (2 * MINUTE_MS, 20 * MINUTE_MS)
_OUTAGE_MS: Final = (2 * MINUTE_MS, 15 * MINUTE_MS)
_RESTING_MS: Final = (20 * SECOND_MS, 60 * SECOND_MS)
_REPEATS_SHARE: Final = 0.05
_DISORDER_SHARE: Final = 0.05


@dataclass(slots=True)
class Spell:
    """Something that comes now and then and lasts for a while."""

    next_ms: int
    until_ms: int = 0

    def begins(self, now_ms: int, rng: "Random", lasts_ms: tuple[int, int], mean_ms: int) -> bool:
        """Tell whether it begins now; it then lasts until `until_ms`."""
        if now_ms < self.next_ms:
            return False
        self.until_ms = now_ms + rng.randint(*lasts_ms)
        self.next_ms = self.until_ms + int(rng.expovariate(1 / mean_ms))
        return True


class Shelf:
    """One shelf of one SKU: how many there are, and what its sensor says."""

    def __init__(self, number: int, rng: "Random", faults: frozenset[Fault], now_ms: int) -> None:
        """Fill the shelf; `faults` may befall it."""
        self.sku = f"sku-{number:03}"
        self.kind: ShelfKind = _KINDS[number % len(_KINDS)]
        self._rng, self._faults = rng, faults
        self._unit_g = rng.randint(*_UNIT_WEIGHT_G)
        self._depth_mm = rng.randint(50, 90)
        self._full_units = rng.randint(8, 16)
        self._pieces_g: list[float] = []
        self._tags_given = 0
        self._tags: list[bytes] = []
        self._fill()
        self._drift_g = rng.uniform(0, _DRIFT_G_MAX) if self.kind == "scale" else 0.0
        self._phase = rng.uniform(0, 2 * pi)
        self._begun_ms = now_ms
        self._tare_jump_g = 0.0
        self._foreign_g = 0.0
        self._hand = Spell(now_ms + int(rng.expovariate(1 / _VISIT_MS_MEAN)))
        self._press_g = 0.0
        self._refill_ms = 0
        self._spells = {
            fault: Spell(now_ms + int(rng.expovariate(1 / _FAULT_MS_MEAN))) for fault in FAULTS
        }
        self._seq = 0
        self._spool: list[ReadingInput] = []
        bad = "bad_tags" in faults and number % (2 * len(_KINDS)) < len(_KINDS)
        self._missed_share = _MISSED_SHARE_BAD if bad else _MISSED_SHARE

    @property
    def units(self) -> int:
        """How many there truly are."""
        return len(self._pieces_g)

    def is_dark(self, now_ms: int) -> bool:
        """Tell whether nobody can see the shelf at present."""
        return now_ms < self._spells["outage"].until_ms

    def live(self, now_ms: int) -> None:
        """Let shoppers, staff and faults act up to now."""
        self._shoppers(now_ms)
        if self.units < MIN_UNITS and not self._refill_ms:
            self._refill_ms = now_ms + self._rng.randint(*_REFILL_MS)
        if self._refill_ms and now_ms >= self._refill_ms:
            self._refill_ms = 0
            self._fill()
        if self._befalls("tare_jump", now_ms, (0, 0)):
            self._tare_jump_g += self._rng.choice((-1, 1)) * self._rng.uniform(20, 60)
        if self._befalls("foreign_thing", now_ms, _FOREIGN_MS):
            self._foreign_g = self._unit_g * (self._rng.randint(0, 3) + self._rng.uniform(0.3, 0.7))
        if now_ms >= self._spells["foreign_thing"].until_ms:
            self._foreign_g = 0.0
        if self._befalls("resting_hand", now_ms, _RESTING_MS):
            self._press_g = self._rng.uniform(300, 2_500)
        self._befalls("outage", now_ms, _OUTAGE_MS)

    def sent(self, now_ms: int) -> list[InputItem]:
        """Return what the sensor says now: repeats, disorder and what was buffered included."""
        items: list[InputItem] = []
        outage = self._spells["outage"]
        if self.is_dark(now_ms):
            if not self._spool:
                items.append(self._status(online=False))
            self._spool.append(self._reading(now_ms, historical=True))
            return items
        if self._spool:
            outage.until_ms = 0
            items += [self._status(online=True), *self._spool]
            self._spool = []
        items.append(self._reading(now_ms, historical=False))
        if "repeats" in self._faults and self._rng.random() < _REPEATS_SHARE:
            items.append(items[-1])
        if "disorder" in self._faults and self._rng.random() < _DISORDER_SHARE:
            items.insert(0, self._reading(now_ms, historical=False))
        return items

    def _shoppers(self, now_ms: int) -> None:
        hand, rng = self._hand, self._rng
        if hand.until_ms and now_ms >= hand.until_ms:
            hand.until_ms = 0
            if rng.random() < _TAKES_SHARE:
                for _ in range(min(self.units, rng.choice((1, 1, 1, 2, 3)))):
                    place = rng.randrange(self.units)
                    del self._pieces_g[place]
                    del self._tags[place]
        elif not hand.until_ms:
            lasts_ms = (2 * SECOND_MS, 15 * SECOND_MS)
            if hand.begins(now_ms, rng, lasts_ms, _VISIT_MS_MEAN):
                self._press_g = rng.uniform(200, 3_000) * rng.choice((-1, 1))

    def _befalls(self, fault: Fault, now_ms: int, lasts_ms: tuple[int, int]) -> bool:
        if fault not in self._faults:
            return False
        return self._spells[fault].begins(now_ms, self._rng, lasts_ms, _FAULT_MS_MEAN)

    def _fill(self) -> None:
        while len(self._pieces_g) < self._full_units:
            self._pieces_g.append(self._rng.gauss(self._unit_g, _UNIT_SPREAD * self._unit_g))
            self._tags_given += 1
            code = f"{self.sku}/{self._tags_given}".encode()
            self._tags.append(blake2b(code, digest_size=TAG_DIGEST_BYTES).digest())

    def _reading(self, now_ms: int, *, historical: bool) -> ReadingInput:
        self._seq += 1
        value, tag_digests = self._seen(now_ms)
        return ReadingInput(
            sku=self.sku,
            site=SITE,
            location="shelf",
            source=f"{self.kind}-{self.sku}",
            channel="0",
            boot="b1",
            seq=self._seq,
            observed_at_ms=now_ms,
            historical=historical,
            kind=_READING_KINDS[self.kind],
            value=value,
            unit_weight_mg=self._unit_g * 1_000 if self.kind == "scale" else 0,
            tare_g=_TARE_G,
            span_mm=self._span_mm,
            unit_depth_mm=self._depth_mm,
            settle_ms=SETTLE_MS,
            report_interval_ms=INTERVAL_MS[self.kind],
            tag_digests=tag_digests,
        )

    def _seen(self, now_ms: int) -> tuple[int, bytes]:
        rng = self._rng
        if self.kind == "rfid":
            read = sorted(tag for tag in self._tags if rng.random() >= self._missed_share)
            return len(read), b"".join(read)
        touched = now_ms < max(self._hand.until_ms, self._spells["resting_hand"].until_ms)
        if self.kind == "distance":
            if touched and self._hand.until_ms:
                return rng.randint(10, self._span_mm), b""
            distance = self._span_mm - self.units * self._depth_mm + rng.gauss(0, _NOISE_MM)
            return max(0, round(distance)), b""
        turned = 2 * pi * (now_ms - self._begun_ms) / DAY_MS  # the tare was measured at the start
        drift_g = self._drift_g * (sin(turned + self._phase) - sin(self._phase))
        weight_g = _TARE_G + sum(self._pieces_g) + drift_g + self._tare_jump_g + self._foreign_g
        if touched:  # a hand at work wavers, one that only rests does so little
            wavers_g = 0.25 * abs(self._press_g) if self._hand.until_ms else 15
            weight_g += self._press_g + rng.gauss(0, wavers_g)
        return round(weight_g + rng.gauss(0, _NOISE_G)), b""

    @property
    def _span_mm(self) -> int:
        return (self._full_units + 1) * self._depth_mm

    def _status(self, *, online: bool) -> StatusInput:
        device = f"{self.kind}-{self.sku}"
        return StatusInput(device, SITE, online, "b1", sku=self.sku, channel="0")
