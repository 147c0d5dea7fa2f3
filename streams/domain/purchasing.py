"""Purchasing: requests of one supplier are collected, ordered together and followed.

An order collects lines until its cut-off. Then it goes out, or waits for a person where a site's
policy or the supplier's daily limit asks for one, or collects on where it is below the supplier's
minimum. Receipts are told by the requests themselves; they belong to the oldest order first.
"""

from collections.abc import Mapping
from typing import Final

from ingest.contracts.durations import DAY_MS
from ingest.contracts.supply import SupplierRecord
from streams.contracts.purchases import (
    PURCHASE,
    PURCHASE_NEED,
    PURCHASE_PLACED,
    PurchaseLine,
    PurchaseNeed,
    PurchaseOrder,
    PurchaseOrderLine,
    SupplierBook,
)
from streams.contracts.state import key
from streams.domain.purchase_orders import (
    NEED_TIMER,
    PurchaseOrders,
    placed_units,
    terms_of,
    totals,
)

PURCHASE_LINES_MAX: Final = 500
"""An order with so many lines is cut off at once, and takes no more."""


class Purchasing(PurchaseOrders):
    """What collects lines and lets orders go out."""

    def take(self, line: PurchaseLine) -> None:
        """Take a request as it now stands; an older state of it says nothing."""
        need = self.need(line.need_id)
        if need is None:
            if not line.open:
                return
            need = PurchaseNeed(line=line)
        elif line.version <= need.line.version:
            return
        if need.closed_at_ms and line.open:
            need.closed_at_ms = 0
            self.fold.timers.cancel(NEED_TIMER + line.need_id)
        need.line = line
        self._spread(need)
        if not line.open:
            self._drop(need)
        elif line.revision >= need.revision:  # or it does not know yet what was just ordered
            self._collect(need)

    def wake(self, order_id: str) -> None:
        """Cut an order off, tell that it is late, or forget it; or forget a request."""
        if order_id.startswith(NEED_TIMER):
            self.table.delete(key(PURCHASE_NEED, order_id.removeprefix(NEED_TIMER)))
            return
        order = self.order(order_id)
        if order is None:
            return
        if order.state == "collecting":
            self._cut_off(order)
        elif order.state in PURCHASE_PLACED:
            order.flags.append("late")
            self.alert(order, "purchase_late")
            self.changed(order, f"timer/{order_id}")
        elif order.state != "proposed":
            self.table.delete(key(PURCHASE, order_id))

    def set_terms(self, record: SupplierRecord, version: int, *, removed: bool) -> None:
        """Take a supplier's terms; a collecting order gets its cut-off anew."""
        book = self.book(record.supplier)
        if version < book.terms_version:
            return
        book.terms, book.terms_version = None if removed else record, version
        self.put_book(book)
        order = self.order(book.collecting_id) if book.collecting_id else None
        if order is not None:
            order.places_at_ms = max(self.cut_off_ms(book), self.fold.now_ms)
            self.changed(order, f"catalog/{version}")

    def _spread(self, need: PurchaseNeed) -> None:
        """Let orders have what came, the oldest first; what a void took, the newest miss again.

        What no order misses, because a person has ended it, is ordered anew.
        """
        need_id, received_units = need.line.need_id, need.line.received_units
        need.settled_units = min(need.settled_units, received_units)
        left_units = received_units - need.settled_units
        for order_id, units in list(need.placed.items()):
            order = self.order(order_id)
            got_units = min(units, max(0, left_units))
            left_units -= got_units
            if order is not None and order.state in PURCHASE_PLACED | {"received"}:
                self._get(order, need_id, got_units, f"{need_id}/{need.line.version}")
                continue
            need.placed[order_id] = got_units
            if next(iter(need.placed)) == order_id:
                need.settled_units += got_units
                del need.placed[order_id]
        self.put_need(need)

    def _get(self, order: PurchaseOrder, need_id: str, units: int, cause: str) -> None:
        line = order.lines[need_id]
        if units == line.received_units:
            return
        if order.state == "received":
            self.reopen(order)
        line.received_units = units
        self.progress(order, cause)

    def _collect(self, need: PurchaseNeed) -> None:
        line = need.line
        rest_units = line.quantity_units - max(placed_units(need), line.received_units)
        if rest_units <= 0:
            self._leave(need)
            return
        order = self.order(need.waiting_id) if need.waiting_id else None
        if order is None:
            order = self._collecting(line.supplier)
        need.waiting_id = order.order_id
        self.put_need(need)
        order.lines[line.need_id] = PurchaseOrderLine(
            sku=line.sku,
            site=line.site,
            quantity_units=rest_units,
            unit_cost_minor=line.unit_cost_minor,
            automatic=line.automatic,
            reference_version=line.reference_version,
        )
        if order.state == "collecting" and self._in_a_hurry(order, need):
            self._expedite(order, need)
            return
        if len(order.lines) >= PURCHASE_LINES_MAX and order.state == "collecting":
            order.places_at_ms = self.fold.now_ms
        self.changed(order, f"{line.need_id}/{line.version}")

    def _in_a_hurry(self, order: PurchaseOrder, need: PurchaseNeed) -> bool:
        line, terms = need.line, terms_of(self.book(order.supplier))
        if not (line.expedite and line.runs_out_at_ms and terms.expedite_lead_time_ms):
            return False
        normal_ms = order.places_at_ms + terms.lead_time_ms
        express_ms = self.fold.now_ms + terms.expedite_lead_time_ms
        coming = [self.order(order_id) for order_id in need.placed]
        if any(o and o.state in PURCHASE_PLACED and o.expected_at_ms < normal_ms for o in coming):
            return False  # an earlier order comes before
        return line.runs_out_at_ms < normal_ms and express_ms < normal_ms

    def _expedite(self, order: PurchaseOrder, need: PurchaseNeed) -> None:
        need_id = need.line.need_id
        terms = terms_of(self.book(order.supplier))
        express = self.open(order.supplier)
        express.expedited = True
        express.flags.append("expedited")
        express.lines[need_id] = order.lines.pop(need_id)
        express.decided_from = {
            "runs_out_at_ms": need.line.runs_out_at_ms,
            "normal_supply_at_ms": order.places_at_ms + terms.lead_time_ms,
            "express_supply_at_ms": self.fold.now_ms + terms.expedite_lead_time_ms,
            "expedite_cost_minor": terms.expedite_cost_minor,
        }
        need.waiting_id = express.order_id
        self.put_need(need)
        self._keep_or_cancel(order, f"{need_id}/{need.line.version}")
        self._place_or_propose(express, f"{need_id}/{need.line.version}")

    def _leave(self, need: PurchaseNeed) -> None:
        order = self.order(need.waiting_id) if need.waiting_id else None
        need.waiting_id = ""
        self.put_need(need)
        if order is not None and order.lines.pop(need.line.need_id, None) is not None:
            self._keep_or_cancel(order, f"{need.line.need_id}/{need.line.version}")

    def _keep_or_cancel(self, order: PurchaseOrder, cause: str) -> None:
        if order.lines:
            self.changed(order, cause)
        elif order.version:
            self.become(order, "cancelled", cause)
        else:  # nobody has heard of it
            self.leave_collecting(order)
            self.table.delete(key(PURCHASE, order.order_id))
            self.fold.timers.cancel(order.order_id)

    def _drop(self, need: PurchaseNeed) -> None:
        self._leave(need)
        need_id = need.line.need_id
        for order_id in need.placed:
            order = self.order(order_id)
            if order is None or order.state not in PURCHASE_PLACED:
                continue
            line = order.lines[need_id]
            if line.received_units < line.quantity_units:
                line.quantity_units = need.placed[order_id] = line.received_units
                if "not_needed" not in order.flags:
                    order.flags.append("not_needed")
                self.progress(order, f"{need_id}/{need.line.version}")
        if need.line.received_units < need.line.quantity_units:  # ended by somebody: it stays so
            self.table.delete(key(PURCHASE_NEED, need_id))
            return
        need.closed_at_ms = self.fold.now_ms
        self.put_need(need)
        self.set_need_timer(need)

    def _cut_off(self, order: PurchaseOrder) -> None:
        book = self.book(order.supplier)
        numbers, now_ms = _numbers(order, book), self.fold.now_ms
        if is_enough(numbers):
            self._place_or_propose(order, f"timer/{order.order_id}")
            return
        if "below_minimum" not in order.flags:
            order.flags.append("below_minimum")
        order.decided_from = numbers
        next_ms = self.cut_off_ms(book)
        order.places_at_ms = next_ms if next_ms > now_ms else now_ms + DAY_MS
        self.changed(order, f"timer/{order.order_id}")

    def _place_or_propose(self, order: PurchaseOrder, cause: str) -> None:
        book = self.book(order.supplier)
        self.roll_day(book)
        order.decided_from = {**order.decided_from, **_numbers(order, book)}
        within = is_within_day(order.decided_from)
        if not within:
            order.flags.append("over_day_limit")
        if within and all(line.automatic for line in order.lines.values()):
            self.place(order, cause)
        else:
            self.become(order, "proposed", cause)

    def _collecting(self, supplier: str) -> PurchaseOrder:
        book = self.book(supplier)
        order = self.order(book.collecting_id) if book.collecting_id else None
        if order is not None and len(order.lines) < PURCHASE_LINES_MAX:
            return order
        order = self.open(supplier)
        book = self.book(supplier)
        book.collecting_id = order.order_id
        self.put_book(book)
        return order


def is_enough(numbers: Mapping[str, int]) -> bool:
    """Tell whether an order reaches its supplier's minimum, by the numbers it is judged by."""
    return (
        numbers["units"] >= numbers["order_units_min"]
        and numbers["value_minor"] >= numbers["order_value_minor_min"]
    )


def is_within_day(numbers: Mapping[str, int]) -> bool:
    """Tell whether an order keeps its supplier's limits of a day, 0 for none."""
    return all(
        not numbers[f"{name}_day_max"]
        or numbers[f"day_{name}"] + numbers[name] <= numbers[f"{name}_day_max"]
        for name in ("units", "value_minor")
    )


def _numbers(order: PurchaseOrder, book: SupplierBook) -> dict[str, int]:
    terms = terms_of(book)
    units, value_minor = totals(order)
    return {
        "units": units,
        "value_minor": value_minor,
        "order_units_min": terms.order_units_min,
        "order_value_minor_min": terms.order_value_minor_min,
        "day_units": book.day_units,
        "day_value_minor": book.day_value_minor,
        "units_day_max": terms.units_day_max,
        "value_minor_day_max": terms.value_minor_day_max,
    }
