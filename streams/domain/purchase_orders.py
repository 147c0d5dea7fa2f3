"""Purchase orders: their records, states, alerts and what the stock fold is told of them."""

from typing import Final

import msgspec

from ingest.contracts.durations import DAY_MS
from ingest.contracts.supply import SupplierRecord
from ingest.contracts.topics import ALERT_INPUTS, EVENTS, INPUTS
from ingest.frames import INPUT_FRAMES, CommandInput, CommandVerb, InputItem
from ingest.partitions import partition_of
from streams.contracts.alerts import ALERT_INPUT_FRAMES, AlertEnded, AlertItem, AlertRaised
from streams.contracts.events import EVENT_FRAMES, PurchaseChanged, StreamEvent
from streams.contracts.plans import PlanItem
from streams.contracts.purchases import (
    PURCHASE,
    PURCHASE_NEED,
    PURCHASE_PLACED,
    PURCHASE_UNPLACED,
    SUPPLIER,
    PurchaseNeed,
    PurchaseOrder,
    PurchaseState,
    SupplierBook,
)
from streams.contracts.state import key
from streams.domain.calendars import next_time_ms
from streams.domain.days import day_of
from streams.engine.timed import TimedFold

ACTOR: Final = "purchasing"
PURCHASE_KEPT_MS: Final = 35 * DAY_MS
"""An ended order leaves the state so long after its end."""
NEED_TIMER: Final = f"{PURCHASE_NEED}/"
LATE_AFTER_MS: Final = DAY_MS
"""An order is late so long after it was expected."""


class PurchaseOrders:
    """The purchase orders of a partition; the fold owns table, timers, outbox and time."""

    def __init__(self, fold: TimedFold[PlanItem], partition_count: int) -> None:
        """Take the fold whose table, timers, outbox and time are used."""
        self.fold = fold
        self.table = fold.table
        self._partition_count = partition_count

    def order(self, order_id: str) -> PurchaseOrder | None:
        """Return an order, or None."""
        found: PurchaseOrder | None = self.table.get(key(PURCHASE, order_id))
        return found

    def need(self, need_id: str) -> PurchaseNeed | None:
        """Return what is known of a request, or None."""
        found: PurchaseNeed | None = self.table.get(key(PURCHASE_NEED, need_id))
        return found

    def put_need(self, need: PurchaseNeed) -> None:
        """Keep a changed request."""
        self.table.put(key(PURCHASE_NEED, need.line.need_id), need)

    def book(self, supplier: str) -> SupplierBook:
        """Return what is kept of a supplier."""
        found: SupplierBook | None = self.table.get(key(SUPPLIER, supplier))
        return found or SupplierBook(supplier=supplier)

    def ask(
        self, need: PurchaseNeed, verb: CommandVerb, quantity_units: int, order: PurchaseOrder
    ) -> None:
        """Ask the stock fold to let a request follow its orders."""
        need.revision += 1
        self.put_need(need)
        line = need.line
        command = CommandInput(
            command_id=f"{order.order_id}/{line.need_id}/{need.revision}",
            verb=verb,
            sku=line.sku,
            entity_id=line.need_id,
            actor=ACTOR,
            quantity_units=quantity_units,
        )
        self.send(line.sku, command)

    def send(self, sku: str, item: InputItem) -> None:
        """Write an input of the stock fold."""
        partition = partition_of(sku, self._partition_count)
        self.fold.outbox.add(INPUTS.name, partition, INPUT_FRAMES, item, self.fold.now_ms)

    def say(self, supplier: str, event: StreamEvent) -> None:
        """Write an event, in the partition of the supplier."""
        partition = partition_of(supplier, self._partition_count)
        self.fold.outbox.add(EVENTS.name, partition, EVENT_FRAMES, event, self.fold.now_ms)

    def changed(self, order: PurchaseOrder, cause: str) -> None:
        """Keep and tell a changed order."""
        order.version += 1
        self.table.put(key(PURCHASE, order.order_id), order)
        self._set_timer(order)
        copied = msgspec.msgpack.decode(msgspec.msgpack.encode(order), type=PurchaseOrder)
        version = self.book(order.supplier).terms_version
        event = PurchaseChanged(
            at_ms=self.fold.now_ms, order=copied, cause=cause, terms_version=version
        )
        self.say(order.supplier, event)

    def place(self, order: PurchaseOrder, cause: str) -> None:
        """Let an order go out, and tell each request how much of it is ordered."""
        book, now_ms = self.leave_collecting(order), self.fold.now_ms
        terms = terms_of(book)
        lead_ms = terms.expedite_lead_time_ms if order.expedited else terms.lead_time_ms
        units, value_minor = totals(order)
        self.roll_day(book)
        book.day_units += units
        book.day_value_minor += value_minor
        self.put_book(book)
        order.ordered_at_ms, order.expected_at_ms = now_ms, now_ms + lead_ms
        for need_id, line in sorted(order.lines.items()):
            need = self.need(need_id)
            if need is None:
                continue
            # What came without an order must not be taken for this one's.
            need.settled_units = max(need.settled_units, need.line.received_units - _sum(need))
            need.placed[order.order_id] = line.quantity_units
            need.waiting_id = ""
            self.ask(need, "order_need", placed_units(need), order)
        self.become(order, "ordered", cause)

    def become(self, order: PurchaseOrder, state: PurchaseState, cause: str) -> None:
        """Bring an order into a state and tell of it; what alerted is over."""
        order.state = state
        if state not in PURCHASE_UNPLACED | PURCHASE_PLACED:
            order.closed_at_ms = self.fold.now_ms
            self.leave_collecting(order)
        if order.alert_site and not (state in PURCHASE_PLACED and "late" in order.flags):
            self._end_alert(order)
        if state == "proposed":
            self.leave_collecting(order)
            self.alert(order, "purchase_proposed")
        self.changed(order, cause)

    def progress(self, order: PurchaseOrder, cause: str) -> None:
        """Bring an order that has gone out into the state that its lines mean."""
        lines = order.lines.values()
        received = any(line.received_units for line in lines)
        if any(line.received_units < line.quantity_units for line in lines):
            self.become(order, "partly_received" if received else "ordered", cause)
        else:
            self.become(order, "received" if received else "cancelled", cause)

    def reopen(self, order: PurchaseOrder) -> None:
        """Let an order that was received be awaited again; if it comes late, that is told anew."""
        order.closed_at_ms = 0
        order.flags = [flag for flag in order.flags if flag not in {"late", "reopened"}]
        order.flags.append("reopened")

    def rebuild(self) -> None:
        """Set a timer for each order in the table, and for each request that is over."""
        for _, order in self.table.of_kind(PURCHASE):
            self._set_timer(order)
        for _, need in self.table.of_kind(PURCHASE_NEED):
            if need.closed_at_ms:
                self.set_need_timer(need)

    def set_need_timer(self, need: PurchaseNeed) -> None:
        """Let a request that is over be forgotten in its time."""
        name = NEED_TIMER + need.line.need_id
        self.fold.timers.set(name, need.closed_at_ms + PURCHASE_KEPT_MS)

    def cut_off_ms(self, book: SupplierBook) -> int:
        """Return when an order that is opened now goes out, in UTC milliseconds."""
        terms, now_ms = terms_of(book), self.fold.now_ms
        if terms.order_time_ms is None and not terms.order_weekdays:
            return now_ms + terms.order_wait_ms
        time_ms = terms.order_time_ms or 0
        return next_time_ms(now_ms, terms.order_weekdays, time_ms, terms.closed_dates)

    def open(self, supplier: str) -> PurchaseOrder:
        """Return a new order that nobody has heard of yet."""
        book = self.book(supplier)
        order = PurchaseOrder(
            order_id=f"{PURCHASE}-{supplier}-{book.next_number}",
            supplier=supplier,
            state="collecting",
            opened_at_ms=self.fold.now_ms,
            places_at_ms=self.cut_off_ms(book),
        )
        book.next_number += 1
        self.put_book(book)
        return order

    def leave_collecting(self, order: PurchaseOrder) -> SupplierBook:
        """Let an order collect no more; return what is kept of its supplier."""
        book = self.book(order.supplier)
        if book.collecting_id == order.order_id:
            book.collecting_id = ""
            self.put_book(book)
        return book

    def roll_day(self, book: SupplierBook) -> None:
        """Begin to count anew where the day is another."""
        day = day_of(self.fold.now_ms)
        if book.day != day:
            book.day, book.day_units, book.day_value_minor = day, 0, 0

    def put_book(self, book: SupplierBook) -> None:
        """Keep what changed of a supplier."""
        self.table.put(key(SUPPLIER, book.supplier), book)

    def _set_timer(self, order: PurchaseOrder) -> None:
        if order.state == "collecting":
            self.fold.timers.set(order.order_id, order.places_at_ms)
        elif order.state in PURCHASE_PLACED and "late" not in order.flags:
            self.fold.timers.set(order.order_id, order.expected_at_ms + LATE_AFTER_MS)
        elif order.closed_at_ms:
            self.fold.timers.set(order.order_id, order.closed_at_ms + PURCHASE_KEPT_MS)
        else:
            self.fold.timers.cancel(order.order_id)

    def alert(self, order: PurchaseOrder, kind: str) -> None:
        """Raise the alert of an order at the site of its first line."""
        first = order.lines[min(order.lines)]
        order.alert_site = first.site
        late = kind == "purchase_late"
        raised = AlertRaised(
            alert_key=order.order_id,
            kind="purchase_late" if late else "purchase_proposed",
            site=first.site,
            sku=first.sku,
            severity="warning" if late else "info",
            at_ms=self.fold.now_ms,
            facts={"quantity_units": totals(order)[0], "lines": len(order.lines)},
            text=order.order_id,
        )
        self._tell_alerting(first.site, raised)

    def _end_alert(self, order: PurchaseOrder) -> None:
        site, order.alert_site = order.alert_site, ""
        ended = AlertEnded(alert_key=order.order_id, site=site, at_ms=self.fold.now_ms)
        self._tell_alerting(site, ended)

    def _tell_alerting(self, site: str, item: AlertItem) -> None:
        partition = partition_of(site, self._partition_count)
        now_ms = self.fold.now_ms
        self.fold.outbox.add(ALERT_INPUTS.name, partition, ALERT_INPUT_FRAMES, item, now_ms)


def terms_of(book: SupplierBook) -> SupplierRecord:
    """Return a supplier's terms; none are known of one that the catalogue does not name."""
    return book.terms or SupplierRecord(book.supplier)


def totals(order: PurchaseOrder) -> tuple[int, int]:
    """Return units and value (minor units) of an order's lines."""
    lines = order.lines.values()
    return (
        sum(line.quantity_units for line in lines),
        sum(line.quantity_units * line.unit_cost_minor for line in lines),
    )


def placed_units(need: PurchaseNeed) -> int:
    """Return what has been ordered for a request, or came for it without an order."""
    return need.settled_units + _sum(need)


def _sum(need: PurchaseNeed) -> int:
    return sum(need.placed.values())
