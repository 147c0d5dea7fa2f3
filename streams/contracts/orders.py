"""Customer orders: lines in the stock fold, whole orders in the planning fold, and their events."""

from typing import Final, Literal

import msgspec

from ingest.contracts.order_lines import ShortOrders

ORDER_LINE: Final = "order_line"
"""Kind of state key in `shelfstream.stock`: `order_line`, order id, line, SKU, site."""
ORDER_QUEUE: Final = "order_queue"
"""Kind of state key in `shelfstream.stock`: `order_queue`, SKU, site."""
ORDER: Final = "order"
"""Kind of state key in `shelfstream.plan-state`: `order`, order id."""

LineState = Literal["reserved", "released", "fulfilled", "waiting", "scheduled", "refused", "held"]
OrderState = Literal[
    "reserving",
    "held",
    "scheduled",
    "back_ordered",
    "confirmed",
    "fulfilling",
    "fulfilled",
    "refused",
    "expired",
    "cancelled",
]
OrderVerb = Literal["place", "fulfil", "cancel", "accept"]
Fulfilment = Literal["whole", "partial"]


class Outlier(msgspec.Struct, array_like=True, gc=False):
    """That a line asks for far more than is usual."""

    breach_id: str
    opened_at_ms: int
    limit_units: int
    """The most that would have been usual."""


class OrderLine(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """One line of a customer order at one site; each action happens once a line."""

    order_id: str
    line: int
    sku: str
    site: str
    state: LineState
    quantity_units: int
    at_ms: int
    """When it came into its state."""
    reserved_units: int = 0
    """Of `quantity_units`: what is held for it. A waiting line gathers what comes."""
    priority: int = 0
    need_by_ms: int = 0
    wake_at_ms: int = 0
    """`scheduled`: when it begins to ask for stock."""
    when_short: ShortOrders = "reserve"
    partial: bool = False
    answered: bool = False
    """Its order is followed in the planning fold, which hears of every change."""
    outlier: Outlier | None = None
    """While it counts as an order outlier: until it ends, or a person accepts it."""
    owed_units: int = 0
    """What it still lacks while it waits: it lowers the position."""


class OrderWaiting(msgspec.Struct, array_like=True, gc=False):
    """A line's place in the queue for one SKU at one site."""

    priority: int
    at_ms: int
    name: str
    """Key of the line."""


class OrderQueue(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """Lines that wait for stock of one SKU at one site: highest priority first, then by time."""

    sku: str
    site: str
    waiting: list[OrderWaiting] = []


class OrderLineChanged(msgspec.Struct, frozen=True, array_like=True, tag=80, kw_only=True):
    """A line was reserved, has to wait, was served, refused or ended, and from which numbers."""

    order_id: str
    line: int
    sku: str
    site: str
    state: LineState
    at_ms: int
    quantity_units: int
    reserved_units: int
    priority: int = 0
    need_by_ms: int = 0
    decided_from: dict[str, int] = {}
    reason: str = ""
    outlier_id: str = ""
    """Its open `order_outlier` breach."""
    reference_version: int = 0
    """Number of the catalogue load whose policies held."""


class BufferReleased(msgspec.Struct, frozen=True, array_like=True, tag=84, kw_only=True):
    """Units of an emergency buffer became available, on purpose."""

    command_id: str
    sku: str
    site: str
    at_ms: int
    released_units: int
    left_units: int
    """What the buffer still holds."""
    actor: str
    reason: str


class OrderLineAnswered(msgspec.Struct, frozen=True, array_like=True, tag=82, kw_only=True):
    """What the stock fold tells an order of one of its lines."""

    changed: OrderLineChanged


class LineAsked(msgspec.Struct, frozen=True, array_like=True):
    """One line of an order as it is placed."""

    sku: str
    site: str
    quantity_units: int


class OrderAsked(msgspec.Struct, frozen=True, array_like=True, tag=83, kw_only=True):
    """A command to an order; fields as in `OrderCommand`."""

    command_id: str
    verb: OrderVerb
    order_id: str
    actor: str
    lines: list[LineAsked] = []
    fulfilment: Fulfilment = "whole"
    back_order: bool = False
    priority: int = 0
    need_by_ms: int = 0
    ttl_ms: int = 0
    reason: str = ""


class SagaLine(msgspec.Struct, array_like=True, kw_only=True):
    """One line as its order knows it."""

    sku: str
    site: str
    quantity_units: int
    state: LineState | Literal["asked"] = "asked"
    reserved_units: int = 0
    decided_from: dict[str, int] = {}
    reason: str = ""
    outlier_id: str = ""
    """Its open `order_outlier` breach."""


class CustomerOrder(msgspec.Struct, array_like=True, kw_only=True):
    """An order of one or more lines, from placing to its end."""

    order_id: str
    state: OrderState
    fulfilment: Fulfilment
    back_order: bool
    priority: int
    need_by_ms: int
    placed_by: str
    placed_at_ms: int
    expires_at_ms: int
    """When it stops waiting for stock."""
    closed_at_ms: int = 0
    version: int = 0
    lines: list[SagaLine] = []
    """Line 1 is the first."""
    reason: str = ""


class OrderChanged(msgspec.Struct, frozen=True, array_like=True, tag=81, kw_only=True):
    """An order came into another state; the whole of it as it now is."""

    at_ms: int
    actor: str
    order: CustomerOrder


ORDER_LINE_STRUCTS: Final[dict[str, type[msgspec.Struct]]] = {
    ORDER_LINE: OrderLine,
    ORDER_QUEUE: OrderQueue,
}
"""The struct behind each kind of key, of the stock fold."""
