"""What a fold of one partition holds: decoded records over the live state, timers, outputs.

The records of each kind are in `streams.domain.records`.
"""

from bisect import insort
from collections.abc import Callable, Mapping
from sys import intern
from typing import Any, Final, TypeVar

import msgspec

from ingest.frames import SkuRecord
from streams.contracts.counts import COUNT, COUNT_LINE, CountLine, CountRecord
from streams.contracts.demand import (
    ORDER_SIZES,
    PROMOTION_NEED,
    Demand,
    LeadTime,
    OrderSizes,
    PromotionNeed,
)
from streams.contracts.kpis import KPI, Kpi
from streams.contracts.lots import CARRIED, LOTS, RECALLS, CarriedLots, LotBook, SkuRecalls
from streams.contracts.orders import ORDER_LINE, ORDER_QUEUE, OrderLine, OrderQueue
from streams.contracts.planogram import PLANOGRAM, Planogram
from streams.contracts.serials import SERIALS, SerialBook
from streams.contracts.state import (
    CLOCK,
    COMMAND,
    DEMAND,
    DEVICE,
    LEAD_TIME,
    LEVEL,
    NEED,
    NUMBER,
    SEPARATOR,
    SKU,
    SOURCE,
    TRANSFER,
    AnsweredCommand,
    Clock,
    DeviceState,
    Level,
    Need,
    SensedChannel,
    SkuBook,
    SkuNumber,
    Transfer,
    key,
)
from streams.contracts.voids import VOIDED, Voided
from streams.contracts.witnesses import WITNESS, WitnessRecord
from streams.domain.catalogue import Catalogue, Rules
from streams.domain.days import day_of
from streams.domain.outbox import Outbox
from streams.domain.records import NEVER_CALM, Entry, Records
from streams.domain.restored import RestoredLevels
from streams.domain.shares import Shares
from streams.domain.thresholds import follows_demand, overlaid
from streams.domain.timers import Timers
from streams.domain.windows import SourceLanes, decode_lanes, encode_lanes

LEVELS_CACHED_MAX: Final = 1 << 18
"""Decoded levels, some 500 bytes each: decoding one costs more than all else that a scan does."""
SECONDS_UNTIL_2020: Final = 1_577_836_800

StructT = TypeVar("StructT")

_ENCODER = msgspec.msgpack.Encoder()
_CLOCK_KEY: Final = key(CLOCK)
_CLOCK_DECODER = msgspec.msgpack.Decoder(Clock)


def second_of(at_ms: int) -> int:
    """Return a time in whole seconds since 2020; small, so that units times seconds stay so."""
    return at_ms // 1_000 - SECONDS_UNTIL_2020


def _named(kind: str) -> Callable[[str], bytes]:
    prefix = kind + SEPARATOR
    return lambda name: (prefix + name).encode()


def _level_key(sku_site: tuple[str, str]) -> bytes:
    return f"{LEVEL}{SEPARATOR}{sku_site[0]}{SEPARATOR}{sku_site[1]}".encode()


def _parts(kind: str) -> Callable[[tuple[str, ...]], bytes]:
    return lambda parts: key(kind, *parts)


def _decoder(struct: type[StructT]) -> Callable[[bytes], StructT]:
    return msgspec.msgpack.Decoder(struct).decode


def _records_of(kind: str, struct: type[StructT]) -> Records[str, StructT]:
    return Records(_named(kind), _decoder(struct))


class Levels(Records[tuple[str, str], Level]):
    """Levels by SKU and site. A million of them share the texts of few sites, and of their SKUs."""

    def enter(
        self, key: tuple[str, str], raw_key: bytes, record: Level
    ) -> Entry[tuple[str, str], Level]:
        """Keep a decoded level, with texts that others have too."""
        shared = record.sku, record.site = intern(key[0]), intern(key[1])
        return super().enter(shared, raw_key, record)


class Store:
    """All that the fold of one partition knows."""

    def __init__(self, partition: int, partition_count: int) -> None:
        """Take the place of this fold in the installation."""
        self.partition = partition
        self.partition_count = partition_count
        self.clock = Clock()
        self.observed_at_ms = 0
        """Device time of the input in hand; 0 for ticks, commands and the like."""
        self.resolved_by_version = 0
        """The catalogue load by which the frame in hand was resolved."""
        self.levels = Levels(
            _level_key,
            _decoder(Level),
            cached_max=LEVELS_CACHED_MAX,
            forget=self._forget_channels,
        )
        self.books = _records_of(SKU, SkuBook)
        self.numbers = _records_of(NUMBER, SkuNumber)
        self.transfers = _records_of(TRANSFER, Transfer)
        self.needs = _records_of(NEED, Need)
        self.sources: Records[str, SourceLanes] = Records(
            _named(SOURCE), decode_lanes, encode=encode_lanes
        )
        self.devices = _records_of(DEVICE, DeviceState)
        self.commands = _records_of(COMMAND, AnsweredCommand)
        self._begin_records()
        self._clock_written = Clock()
        self.now_s = 0
        """`second_of` the fold's now: set with it, for every movement asks for it."""
        self.catalogue = Catalogue()
        self.timers = Timers()
        self.restored = RestoredLevels()
        self.outbox = Outbox(partition, partition_count)
        self.touched: dict[tuple[str, str], None] = {}
        """Levels to be assessed once the input in hand is applied, in the order touched."""
        self.channels: dict[str, SensedChannel] = {}
        """Channels of decoded levels, by SKU, site and name; only an aid, no part of the state."""
        self.fresher: dict[str, None] = {}
        """Those that said again what was known since the last drain: their levels are changed."""
        self.counting: dict[tuple[str, str], list[tuple[int, int, str]]] = {}
        """Counted levels, and what the input in hand moved there: when, how much, by which cause;
        only an aid."""
        self.waiting: dict[tuple[str, str], None] = {}
        """Levels that order lines wait for; only an aid."""
        self.gained: dict[tuple[str, str], int] = {}
        """Levels that owe units, and how many more of them the input in hand gave; only an aid."""
        self.skus: dict[str, None] = {}
        """SKUs that have a book in this partition."""
        self.shares = Shares()
        """The same SKUs by when in the day the round comes to them."""

    def _begin_records(self) -> None:
        """Make the kinds of records that most levels have none of."""
        self.order_lines = _records_of(ORDER_LINE, OrderLine)
        self.order_queues: Records[tuple[str, ...], OrderQueue] = Records(
            _parts(ORDER_QUEUE), _decoder(OrderQueue)
        )
        self.order_sizes: Records[tuple[str, str], OrderSizes] = Records(
            _parts(ORDER_SIZES), _decoder(OrderSizes)
        )
        self.demands: Records[tuple[str, str], Demand] = Records(_parts(DEMAND), _decoder(Demand))
        self.lead_times: Records[tuple[str, ...], LeadTime] = Records(
            _parts(LEAD_TIME), _decoder(LeadTime)
        )
        self.promotion_needs: Records[tuple[str, ...], PromotionNeed] = Records(
            _parts(PROMOTION_NEED), _decoder(PromotionNeed)
        )
        self.voided = _records_of(VOIDED, Voided)
        self.counts = _records_of(COUNT, CountRecord)
        self.count_lines = _records_of(COUNT_LINE, CountLine)
        self.lot_books = _records_of(LOTS, LotBook)
        self.carried = _records_of(CARRIED, CarriedLots)
        self.serials = _records_of(SERIALS, SerialBook)
        self.recalls = _records_of(RECALLS, SkuRecalls)
        self.kpis: Records[tuple[str, str], Kpi] = Records(_parts(KPI), _decoder(Kpi))
        self.witnesses = _records_of(WITNESS, WitnessRecord)
        self.planograms = _records_of(PLANOGRAM, Planogram)

    @property
    def now_ms(self) -> int:
        """The fold's now, in UTC milliseconds."""
        return self.clock.now_ms

    def load(self, state: Mapping[bytes, bytes]) -> None:
        """Read from this live mapping; timers and the reference set are the caller's to rebuild."""
        for records in self._all_records():
            records.load(state)
        written = state.get(_CLOCK_KEY)
        self.clock = Clock() if written is None else _CLOCK_DECODER.decode(written)
        self._clock_written = msgspec.structs.replace(self.clock)
        self.now_s = second_of(self.clock.now_ms)
        self.touched = {}
        self.channels = {}
        self.fresher = {}
        self.counting = {}
        self.waiting = {}
        self.gained = {}
        self.skus = {}
        self.shares = Shares()

    def level(self, sku: str, site: str) -> Level:
        """Return the level of a SKU at a site; a new one begins at zero."""
        found = self.levels.get((sku, site))
        if found is not None:
            return found
        made = Level(sku=sku, site=site, updated_at_ms=self.clock.now_ms)
        # Its first day is no whole one.
        made.issued_day = made.gap_from_day = made.gap_until_day = day_of(self.clock.now_ms)
        self.levels.put((sku, site), made)
        self.kpis.put((sku, site), Kpi(from_ms=self.clock.now_ms, since_ms=self.clock.now_ms))
        book = self.book(sku)
        if site not in book.sites:
            insort(book.sites, site)
            self.books.touch(sku)
        if self.catalogue.foresees_promotions:
            self.foresee((sku, site), PromotionNeed(due_ms=max(1, self.clock.now_ms)))
        made.buffer_units = made.buffer_policy_units = self.rules(sku, site).buffer_units
        asked = (self.needs.get(need_id) for need_id in book.needs)
        made.backordered_units = sum(
            need.quantity_units - need.received_units
            for need in asked
            if need is not None and need.owed and need.from_site == site
        )
        return made

    def book(self, sku: str) -> SkuBook:
        """Return the book of a SKU; a new one has no record yet."""
        found = self.books.get(sku)
        if found is None:
            found = SkuBook(sku=sku)
            self.books.put(sku, found)
            self.skus[sku] = None
            self.shares.add(sku)
        return found

    def category(self, sku: str) -> str:
        """Return the category of a SKU; empty where the catalogue says none."""
        book = self.books.get(sku)
        return book.record.category if book is not None and book.record is not None else ""

    def foresee(self, sku_site: tuple[str, str], need: PromotionNeed) -> None:
        """Keep what promotions need of a level, and when that has to be looked at again."""
        self.promotion_needs.put(sku_site, need)
        self.timers.arm((PROMOTION_NEED, SEPARATOR.join(sku_site)), need.due_ms)

    def next_id(self, kind: str, sku: str) -> str:
        """Return `{kind}-{sku}-{running number}` and count on."""
        return f"{kind}-{sku}-{self.next_number(sku)}"

    def next_number(self, sku: str) -> int:
        """Return the running number of a SKU and count on."""
        numbers = self.numbers
        entry = numbers.entries.get(sku) or numbers.fetch(sku)
        if entry is None:
            entry = numbers.put(sku, SkuNumber())
        if not entry.is_changed:
            numbers.change(entry)
        counter = entry.record
        number = counter.next_number
        counter.next_number = number + 1
        return number

    def rules(self, sku: str, site: str) -> Rules:
        """Return what the policies say for a SKU at a site."""
        found = self.catalogue.cached_rules.get((sku, site))
        if found is not None:
            return found
        book = self.books.get(sku)
        record = book.record if book is not None else None
        rules = self.catalogue.resolve(sku, site, record or SkuRecord(sku))
        if rules.promotion_lead_ms or follows_demand(rules):
            place = (sku, site)
            rules = overlaid(rules, self.demands.get(place), self.promotion_needs.get(place))
            self.catalogue.cached_rules[sku, site] = rules
        return rules

    def touch_level(self, level: Level) -> None:
        """Say that a level changed and has to be assessed."""
        sku_site = (level.sku, level.site)
        self.levels.touch(sku_site)
        self.touched[sku_site] = None

    def is_calm(self, sku_site: tuple[str, str]) -> bool:
        """Tell whether some books of a level are known to call for nothing."""
        return self.levels.entries[sku_site].calm is not NEVER_CALM

    def stir_level(self, sku: str, site: str) -> None:
        """Forget that a level is calm: the next movement there has to be looked at."""
        entry = self.levels.entries.get((sku, site))
        if entry is not None:
            entry.calm = NEVER_CALM

    def trim(self) -> None:
        """Drop the oldest decoded structs above each kind's limit; only while none is changed."""
        for records in self._all_records():
            records.trim()

    def drain_state(self) -> dict[bytes, bytes | None]:
        """Return the changed state records, and forget that they changed."""
        changes: dict[bytes, bytes | None] = {}
        if self.clock != self._clock_written:
            self._clock_written = msgspec.structs.replace(self.clock)
            changes[_CLOCK_KEY] = _ENCODER.encode(self.clock)
        for place in self.fresher:
            sku, site, _ = place.split(SEPARATOR, 2)
            self.levels.touch((sku, site))
        self.fresher.clear()
        for records in self._all_records():
            records.drain(changes)
        changes.update(self.catalogue.drain())
        return changes

    def _forget_channels(self, level: Level) -> None:
        for channel in level.sensed:
            place = SEPARATOR.join((level.sku, level.site, channel.channel))
            self.channels.pop(place, None)

    def _all_records(self) -> tuple[Records[Any, Any], ...]:
        return (
            self.levels,
            self.books,
            self.numbers,
            self.transfers,
            self.needs,
            self.sources,
            self.devices,
            self.commands,
            self.order_lines,
            self.order_queues,
            self.order_sizes,
            self.demands,
            self.lead_times,
            self.promotion_needs,
            self.voided,
            self.counts,
            self.count_lines,
            self.lot_books,
            self.carried,
            self.recalls,
            self.kpis,
            self.serials,
            self.witnesses,
            self.planograms,
        )
