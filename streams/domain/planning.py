"""The planning fold: what spans SKUs. Transfers of a lane travel together, and purchase orders.

A line joins the collecting shipment of its lane, or opens one. A shipment closes when its
consolidation time is over, within its lane's hours, or when it is full; then each line's transfer
is told which shipment it is in, by a command to the stock fold. Requests of a supplier become
purchase orders: `streams.domain.purchasing`. What spans SKUs is decided here, never there.
"""

from collections.abc import Callable
from typing import Any, Final

from ingest.contracts.durations import DAY_MS
from ingest.contracts.supply import LaneRecord, SupplierRecord
from ingest.contracts.topics import INPUTS
from ingest.frames import INPUT_FRAMES, CommandInput, ReferenceInput
from ingest.partitions import partition_of
from streams.command_answers import CommandAnswers
from streams.contracts.counts import SESSION_STRUCTS, CountAsked, CountLineAnswered
from streams.contracts.ids import sku_of
from streams.contracts.orders import ORDER, CustomerOrder, OrderAsked, OrderLineAnswered
from streams.contracts.plans import (
    LANE,
    PLAN_FRAMES,
    SHIPMENT,
    SHIPMENT_STRUCTS,
    LaneBook,
    PlanClock,
    PlanItem,
    Shipment,
    ShipmentLine,
    ShipmentLineWithdrawn,
)
from streams.contracts.purchases import (
    PURCHASE,
    PURCHASE_STRUCTS,
    PurchaseCommand,
    PurchaseLine,
)
from streams.contracts.state import CLOCK, COMMAND, SEPARATOR, AnsweredCommand, key
from streams.contracts.units import UNIT_STRUCTS, UnitArrived, UnitPacked
from streams.domain.calendars import departure_ms
from streams.domain.count_sessions import CountSessions
from streams.domain.logistic_units import LogisticUnits
from streams.domain.order_sagas import OrderSagas
from streams.domain.purchase_commands import apply_purchase_command
from streams.domain.purchasing import Purchasing
from streams.engine.table import RecordTable
from streams.engine.timed import TimedFold

ACTOR: Final = "planning"
SHIPMENT_LINES_MAX: Final = 500
"""A shipment with so many lines closes at once."""
SHIPMENT_KEPT_MS: Final = 7 * DAY_MS
"""A closed shipment leaves the state so long after its closing time."""

_STRUCTS: Final = {
    CLOCK: PlanClock,
    COMMAND: AnsweredCommand,
    ORDER: CustomerOrder,
    **SHIPMENT_STRUCTS,
    **PURCHASE_STRUCTS,
    **SESSION_STRUCTS,
    **UNIT_STRUCTS,
}
_CLOCK_KEY: Final = key(CLOCK)


class PlanningFold(TimedFold[PlanItem]):
    """Shipments of the lanes whose leaving site is in this partition."""

    def __init__(self, partition_count: int) -> None:
        """Take the installation's partition count: commands go to the partition of their SKU."""
        super().__init__(PLAN_FRAMES, RecordTable(_STRUCTS, SEPARATOR), _CLOCK_KEY)
        self._partition_count = partition_count
        self._answers = CommandAnswers(self, partition_count)
        self._counts = CountSessions(self, self._answers, partition_count)
        self._purchasing = Purchasing(self, partition_count)
        self._orders = OrderSagas(self, self._answers, partition_count)
        self._units = LogisticUnits(self, partition_count)
        self._appliers: dict[type, Callable[[Any], None]] = {
            ShipmentLine: self._join,
            ShipmentLineWithdrawn: self._leave,
            CountAsked: self._counts.ask,
            CountLineAnswered: self._counts.note,
            PurchaseLine: self._purchasing.take,
            PurchaseCommand: self._command_purchase,
            OrderLineAnswered: self._note_order_line,
            OrderAsked: self._orders.ask,
            ReferenceInput: self._know,
            UnitPacked: self._units.pack,
            UnitArrived: self._units.arrive,
        }

    def apply(self, item: PlanItem) -> None:
        """Let a line join or leave the collecting shipment of its lane; count sessions go on."""
        self._appliers[type(item)](item)

    def wake(self, name: str) -> None:
        """Close the shipment whose time has come, or drop one that closed long ago."""
        if self._answers.wake(name) or self._counts.wake(name) or self._orders.wake(name):
            return
        if self._units.wake(name):
            return
        if name.startswith(PURCHASE):
            self._purchasing.wake(name)
            return
        shipment: Shipment = self.table.get(key(SHIPMENT, name))
        if shipment.state == "collecting":
            self._close(shipment)
        else:
            self.table.delete(key(SHIPMENT, name))

    def rebuild(self) -> None:
        """Set a timer for whatever in the table has one."""
        for _, shipment in self.table.of_kind(SHIPMENT):
            self._set_timer(shipment)
        self._answers.rebuild()
        self._counts.rebuild()
        self._purchasing.rebuild()
        self._orders.rebuild()
        self._units.rebuild()

    def clock_record(self) -> PlanClock:
        """Return the record that keeps this partition's now."""
        return PlanClock(now_ms=self.now_ms)

    def _command_purchase(self, command: PurchaseCommand) -> None:
        apply_purchase_command(self._purchasing, self._answers, command)

    def _note_order_line(self, answered: OrderLineAnswered) -> None:
        self._orders.note(answered.changed)

    def _know(self, reference: ReferenceInput) -> None:
        entity = reference.entity
        if isinstance(entity, SupplierRecord):
            version = reference.version
            self._purchasing.set_terms(entity, version, removed=reference.removed)
        elif isinstance(entity, LaneRecord):
            self._know_lane(entity, reference.version, removed=reference.removed)

    def _know_lane(self, record: LaneRecord, version: int, *, removed: bool) -> None:
        book = self._lane_book(record.from_site, record.to_site)
        if version < book.terms_version:
            return
        book.terms, book.terms_version = None if removed else record, version
        self.table.put(key(LANE, record.from_site, record.to_site), book)
        shipment = self._collecting(record.from_site, record.to_site)
        if shipment is not None:
            terms = self._terms(record.from_site, record.to_site)
            shipment.closes_at_ms = departure_ms(terms, max(shipment.closes_at_ms, self.now_ms))
            self._put(shipment)

    def _lane_book(self, from_site: str, to_site: str) -> LaneBook:
        found: LaneBook | None = self.table.get(key(LANE, from_site, to_site))
        return found or LaneBook(from_site=from_site, to_site=to_site)

    def _terms(self, from_site: str, to_site: str) -> LaneRecord:
        return self._lane_book(from_site, to_site).terms or LaneRecord(from_site, to_site, 0)

    def _join(self, line: ShipmentLine) -> None:
        terms = self._terms(line.from_site, line.to_site)
        closes_at_ms = departure_ms(terms, line.at_ms + line.consolidation_ms)
        shipment = self._collecting(line.from_site, line.to_site)
        if shipment is not None and not _takes(shipment, line, terms):
            shipment.flags.append("full")
            self._close(shipment)
            shipment = None
        if shipment is None:
            shipment = self._open(line, closes_at_ms)
        shipment.closes_at_ms = min(shipment.closes_at_ms, closes_at_ms)
        shipment.lines[line.transfer_id] = line.quantity_units
        if 0 < terms.capacity_units < line.quantity_units:
            shipment.flags.append("over_capacity")
        self._put(shipment)
        full = 0 < terms.capacity_units <= sum(shipment.lines.values())
        if full or len(shipment.lines) >= SHIPMENT_LINES_MAX:
            self._close(shipment)

    def _leave(self, withdrawn: ShipmentLineWithdrawn) -> None:
        shipment = self._collecting(withdrawn.from_site, withdrawn.to_site)
        if shipment is None or withdrawn.transfer_id not in shipment.lines:
            return  # it has left already, and the stock fold knows the shipment of its transfer
        del shipment.lines[withdrawn.transfer_id]
        if shipment.lines:
            self._put(shipment)
            return
        self.timers.cancel(shipment.shipment_id)
        self.table.delete(key(SHIPMENT, shipment.shipment_id))
        self._end_collecting(shipment)

    def _collecting(self, from_site: str, to_site: str) -> Shipment | None:
        book: LaneBook | None = self.table.get(key(LANE, from_site, to_site))
        if book is None or not book.open_shipment_id:
            return None
        shipment: Shipment = self.table.get(key(SHIPMENT, book.open_shipment_id))
        return shipment

    def _open(self, line: ShipmentLine, closes_at_ms: int) -> Shipment:
        lane_key = key(LANE, line.from_site, line.to_site)
        book = self._lane_book(line.from_site, line.to_site)
        shipment = Shipment(
            shipment_id=f"shipment-{line.from_site}>{line.to_site}-{book.next_number}",
            from_site=line.from_site,
            to_site=line.to_site,
            state="collecting",
            opened_at_ms=line.at_ms,
            closes_at_ms=closes_at_ms,
            terms_version=book.terms_version,
        )
        book.next_number += 1
        book.open_shipment_id = shipment.shipment_id
        self.table.put(lane_key, book)
        return shipment

    def _close(self, shipment: Shipment) -> None:
        book = self._lane_book(shipment.from_site, shipment.to_site)
        terms = self._terms(shipment.from_site, shipment.to_site)
        shipment.terms_version = book.terms_version
        shipment.state = "closed"
        shipment.departs_at_ms = departure_ms(terms, self.now_ms)
        shipment.closes_at_ms = self.now_ms
        self._put(shipment)
        self._end_collecting(shipment)
        for transfer_id in sorted(shipment.lines):
            self._assign(transfer_id, shipment.shipment_id)

    def _assign(self, transfer_id: str, shipment_id: str) -> None:
        sku = sku_of(transfer_id)
        command = CommandInput(
            command_id=f"{shipment_id}/{transfer_id}",
            verb="assign_shipment",
            sku=sku,
            entity_id=transfer_id,
            actor=ACTOR,
            shipment_id=shipment_id,
        )
        partition = partition_of(sku, self._partition_count)
        self.outbox.add(INPUTS.name, partition, INPUT_FRAMES, command, self.now_ms)

    def _end_collecting(self, shipment: Shipment) -> None:
        lane_key = key(LANE, shipment.from_site, shipment.to_site)
        book: LaneBook = self.table.get(lane_key)
        book.open_shipment_id = ""
        self.table.put(lane_key, book)

    def _put(self, shipment: Shipment) -> None:
        self.table.put(key(SHIPMENT, shipment.shipment_id), shipment)
        self._set_timer(shipment)

    def _set_timer(self, shipment: Shipment) -> None:
        kept_ms = SHIPMENT_KEPT_MS if shipment.state == "closed" else 0
        self.timers.set(shipment.shipment_id, shipment.closes_at_ms + kept_ms)


def _takes(shipment: Shipment, line: ShipmentLine, lane: LaneRecord) -> bool:
    others = (units for name, units in shipment.lines.items() if name != line.transfer_id)
    fits = not lane.capacity_units or sum(others) + line.quantity_units <= lane.capacity_units
    return fits or not shipment.lines
