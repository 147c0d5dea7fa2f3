"""Purchase orders: what the planning fold is told of supply, and what it keeps of it.

A request whose units come from a supplier is told as a `PurchaseLine`, in the partition of the
supplier, whenever it changes. `shelfstream.plan-state` holds `PurchaseOrder` records.
"""

from typing import Final, Literal

import msgspec

from ingest.contracts.supply import SupplierRecord

PurchaseState = Literal[
    "collecting", "proposed", "ordered", "partly_received", "received", "closed", "cancelled"
]
PURCHASE_PLACED: Final = frozenset({"ordered", "partly_received"})
"""States in which the supplier has the order and something of it is still to come."""
PURCHASE_UNPLACED: Final = frozenset({"collecting", "proposed"})

PurchaseVerb = Literal[
    "approve_purchase", "edit_purchase", "cancel_purchase", "close_purchase", "receive_purchase"
]


class PurchaseLine(msgspec.Struct, frozen=True, array_like=True, tag=31, kw_only=True):
    """A request of a supplier as it now stands, in base units."""

    need_id: str
    sku: str
    site: str
    """Where it is delivered to."""
    supplier: str
    open: bool
    quantity_units: int
    received_units: int
    version: int
    """Of the request: an older one says nothing."""
    at_ms: int
    unit_cost_minor: int = 0
    automatic: bool = False
    """The site's policy lets it go out without a person."""
    expedite: bool = False
    """The policy allows an express order."""
    runs_out_at_ms: int = 0
    """When stock runs out by the expected demand; 0 where that is unknown."""
    revision: int = 0
    """How many of purchasing's own changes of the request it contains."""
    reference_version: int = 0
    """Number of the catalogue load whose policies said `automatic` and `expedite`."""


class PurchaseCommand(msgspec.Struct, frozen=True, array_like=True, tag=32, kw_only=True):
    """What a person or the ERP wants of a purchase order; answered in `events`."""

    command_id: str
    verb: PurchaseVerb
    order_id: str
    actor: str
    reason: str = ""
    expected_version: int = -1
    """Refused when the order's version differs; -1 asks for no check."""
    need_id: str = ""
    """The line that is edited or received."""
    quantity_units: int = 0


class PurchaseOrderLine(msgspec.Struct, array_like=True, kw_only=True):
    """What an order asks for one request, in base units."""

    sku: str
    site: str
    quantity_units: int
    received_units: int = 0
    unit_cost_minor: int = 0
    automatic: bool = False
    reference_version: int = 0
    """Number of the catalogue load whose policies said so."""


class PurchaseOrder(msgspec.Struct, array_like=True, kw_only=True):
    """Lines of one supplier that are ordered together."""

    order_id: str
    """`purchase-{supplier}-{running number}`."""
    supplier: str
    state: PurchaseState
    opened_at_ms: int
    version: int = 0
    places_at_ms: int = 0
    """When it goes out, or is proposed, while it collects."""
    ordered_at_ms: int = 0
    expected_at_ms: int = 0
    closed_at_ms: int = 0
    expedited: bool = False
    flags: list[str] = []
    lines: dict[str, PurchaseOrderLine] = {}
    """By request."""
    decided_from: dict[str, int] = {}
    """The numbers by which it went out or waits, by name."""
    receipts: int = 0
    """How many receipts were booked by command."""
    alert_site: str = ""
    """Where its open alert was raised; empty for none."""


class PurchaseNeed(msgspec.Struct, array_like=True, kw_only=True):
    """A request as the planning fold knows it, and what has been ordered for it."""

    line: PurchaseLine
    placed: dict[str, int] = {}
    """Units by order that has gone out, oldest first."""
    settled_units: int = 0
    """Units of orders that are over and no longer in `placed`, or that came without an order."""
    waiting_id: str = ""
    """The order with its line that has not gone out; empty for none."""
    revision: int = 0
    """Changes of the request that were asked of the stock fold."""
    closed_at_ms: int = 0
    """When it was served in full; it is kept, for a voided receipt opens it again. 0: open."""


class SupplierBook(msgspec.Struct, array_like=True, kw_only=True):
    """What the planning fold keeps of a supplier."""

    supplier: str
    next_number: int = 1
    collecting_id: str = ""
    terms: SupplierRecord | None = None
    terms_version: int = 0
    day: int = 0
    """The UTC day whose orders are counted."""
    day_units: int = 0
    day_value_minor: int = 0


PURCHASE: Final = "purchase"
PURCHASE_NEED: Final = "purchase_need"
SUPPLIER: Final = "supplier"
"""Kinds of state keys."""

PURCHASE_STRUCTS: Final[dict[str, type[msgspec.Struct]]] = {
    PURCHASE: PurchaseOrder,
    PURCHASE_NEED: PurchaseNeed,
    SUPPLIER: SupplierBook,
}
"""The struct behind each kind of key."""
