"""What a supplier is shown of its articles, and its orders, as rows. Pure.

Everything is taken from committed topics: the plan state and the live table, which holds policies
and articles too. Rules are resolved by the fold's own code: the feed says what the fold acts by.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from deploy.ledger_rows import Row
from streams.contracts.demand import PROMOTION_NEED, Demand, PromotionNeed
from streams.contracts.purchases import (
    PURCHASE,
    PURCHASE_PLACED,
    PURCHASE_UNPLACED,
    PurchaseOrder,
)
from streams.contracts.state import (
    DEMAND,
    LEVEL,
    REFERENCE,
    SKU,
    Level,
    SkuBook,
    decode,
    key_parts,
)
from streams.domain.arithmetic import round_up
from streams.domain.catalogue import Catalogue, Rules
from streams.domain.positions import position_units, wanted_units
from streams.domain.sensing import available_units, is_unknown
from streams.domain.thresholds import overlaid

_KINDS: Final = frozenset({LEVEL, SKU, DEMAND, PROMOTION_NEED, REFERENCE})
_OPEN: Final = PURCHASE_PLACED | PURCHASE_UNPLACED


class SupplyView:
    """The live table and the purchase orders, as far as they concern supply."""

    def __init__(self) -> None:
        """Begin with empty tables."""
        self._levels: dict[tuple[str, str], Level] = {}
        self._books: dict[str, SkuBook] = {}
        self._demands: dict[tuple[str, str], Demand] = {}
        self._promotions: dict[tuple[str, str], PromotionNeed] = {}
        self._orders: dict[str, PurchaseOrder] = {}
        self._catalogue = Catalogue()
        self._references: dict[bytes, bytes] = {}

    def take_stock(self, raw_key: bytes, value: bytes | None) -> None:
        """Take one committed record of `shelfstream.stock`, in log order."""
        kind, *names = key_parts(raw_key)
        if kind not in _KINDS:
            return
        if kind == REFERENCE:
            self._references.pop(raw_key, None)
            if value is not None:
                self._references[raw_key] = value
            return
        record = None if value is None else decode(raw_key, value)
        if kind == SKU:
            _keep(self._books, names[0], record)
        else:
            tables: dict[str, dict[Any, Any]] = {
                LEVEL: self._levels,
                DEMAND: self._demands,
                PROMOTION_NEED: self._promotions,
            }
            _keep(tables[kind], (names[0], names[1]), record)

    def take_plan(self, raw_key: bytes, value: bytes | None) -> None:
        """Take one committed record of `shelfstream.plan-state`, in log order."""
        kind, *names = key_parts(raw_key)
        if kind == PURCHASE:
            order = None if value is None else msgspec.msgpack.decode(value, type=PurchaseOrder)
            _keep(self._orders, names[0], order)

    def feed_rows(self, supplier: str) -> Iterator[Row]:
        """Yield stock, position and what is wanted of each of its articles at each site."""
        self._catalogue.load(self._references)
        waiting = self._waiting_units(supplier)
        for (sku, site), level in sorted(self._levels.items()):
            book = self._books.get(sku)
            record = book.record if book is not None else None
            if record is None or record.supplier != supplier:
                continue
            rules = overlaid(
                self._catalogue.resolve(sku, site, record),
                self._demands.get((sku, site)),
                self._promotions.get((sku, site)),
            )
            row = {"supplier": supplier, "sku": sku, "name": record.name, "site": site}
            numbers = _numbers(level, rules)
            multiple_units = max(1, record.order_multiple_units)
            suggested = max(numbers["wanted_units"], record.order_units_min)
            numbers["suggested_units"] = (
                round_up(suggested, multiple_units) if numbers["wanted_units"] else 0
            )
            yield {**row, **numbers, "not_sent_units": waiting.get((sku, site), 0)}

    def order_rows(self, supplier: str, *, ended: bool) -> Iterator[Row]:
        """Yield a row a line of each order, oldest order first; an empty name means all."""
        for order in sorted(self._orders.values(), key=_age):
            if supplier not in {"", order.supplier} or (order.state not in _OPEN and not ended):
                continue
            for need_id, line in sorted(order.lines.items()):
                yield {
                    "order_id": order.order_id,
                    "supplier": order.supplier,
                    "state": order.state,
                    "need_id": need_id,
                    "sku": line.sku,
                    "site": line.site,
                    "quantity_units": line.quantity_units,
                    "received_units": line.received_units,
                    "value_minor": line.quantity_units * line.unit_cost_minor,
                    "places_at_ms": order.places_at_ms,
                    "ordered_at_ms": order.ordered_at_ms,
                    "expected_at_ms": order.expected_at_ms,
                    "version": order.version,
                    "flags": " ".join(order.flags),
                }

    def _waiting_units(self, supplier: str) -> dict[tuple[str, str], int]:
        sums: dict[tuple[str, str], int] = {}
        for order in self._orders.values():
            if order.supplier == supplier and order.state in PURCHASE_UNPLACED:
                for line in order.lines.values():
                    place = (line.sku, line.site)
                    sums[place] = sums.get(place, 0) + line.quantity_units
        return sums


def _numbers(level: Level, rules: Rules) -> dict[str, int]:
    position = position_units(level, rules)
    short = not is_unknown(level, rules) and position < rules.shortage_units
    return {
        "on_hand_units": level.on_hand_units,
        "available_units": available_units(level, rules),
        "in_transit_units": level.in_transit_in_units,
        "on_order_units": level.on_order_units,
        "position_units": position,
        "min_units": rules.min_units or 0,
        "max_units": rules.order_up_to_units,
        "demand_milli_day": rules.demand_milli_day,
        "wanted_units": wanted_units(position, rules) if short else 0,
    }


def _age(order: PurchaseOrder) -> tuple[int, str]:
    return order.opened_at_ms, order.order_id


def _keep(table: dict[Any, Any], name: object, record: object) -> None:
    if record is None:
        table.pop(name, None)
    else:
        table[name] = record
