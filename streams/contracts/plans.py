"""Input and state of the planning fold: what spans SKUs is decided there.

`shelfstream.plans` holds frames of `PlanItem`, partitioned by the site a shipment leaves from, or
by what else they are about (a supplier, an order, an SSCC);
`shelfstream.plan-state` holds `Shipment` records.
"""

from typing import Final, Literal

import msgspec

from ingest.contracts.supply import LaneRecord
from ingest.frames import FrameCodec, ReferenceInput, TickInput
from streams.contracts.counts import CountAsked, CountLineAnswered
from streams.contracts.orders import OrderAsked, OrderLineAnswered
from streams.contracts.purchases import PurchaseCommand, PurchaseLine
from streams.contracts.units import UnitArrived, UnitPacked


class ShipmentLine(msgspec.Struct, frozen=True, array_like=True, tag=1, kw_only=True):
    """An approved transfer that wants a place in a shipment of its lane."""

    transfer_id: str
    sku: str
    from_site: str
    to_site: str
    quantity_units: int
    at_ms: int
    consolidation_ms: int = 0


class ShipmentLineWithdrawn(msgspec.Struct, frozen=True, array_like=True, tag=2, kw_only=True):
    """A transfer that no longer wants its place."""

    transfer_id: str
    from_site: str
    to_site: str
    at_ms: int


PlanItem = (
    ShipmentLine
    | ShipmentLineWithdrawn
    | PurchaseLine
    | PurchaseCommand
    | ReferenceInput
    | TickInput
    | CountLineAnswered
    | CountAsked
    | OrderLineAnswered
    | OrderAsked
    | UnitPacked
    | UnitArrived
)
"""A tick has tag 7 in every input log; reference data are the same items as in the inputs."""

PLAN_FRAMES: Final[FrameCodec[PlanItem]] = FrameCodec(PlanItem)


class Shipment(msgspec.Struct, array_like=True, kw_only=True):
    """Lines of one lane that travel together."""

    shipment_id: str
    """`shipment-{from}>{to}-{running number}`."""
    from_site: str
    to_site: str
    state: Literal["collecting", "closed"]
    opened_at_ms: int
    closes_at_ms: int
    lines: dict[str, int] = {}
    """Units by transfer id."""
    departs_at_ms: int = 0
    """When it may leave: within the lane's hours; 0 while it collects."""
    flags: list[str] = []
    """`full`: the next line did not fit; `over_capacity`: one line alone is more than it takes."""
    terms_version: int = 0
    """Number of the catalogue load that last changed its lane's terms; 0 where there is none."""


class LaneBook(msgspec.Struct, array_like=True, kw_only=True):
    """What the planning fold keeps of a lane."""

    from_site: str
    to_site: str
    next_number: int = 1
    open_shipment_id: str = ""
    terms: LaneRecord | None = None
    terms_version: int = 0


class PlanClock(msgspec.Struct, array_like=True, kw_only=True):
    """The planning fold's own record of a partition."""

    now_ms: int = 0


SHIPMENT: Final = "shipment"
LANE: Final = "lane"
"""Kinds of state keys beside `clock`; built by `streams.contracts.state.key`."""

SHIPMENT_STRUCTS: Final[dict[str, type[msgspec.Struct]]] = {
    SHIPMENT: Shipment,
    LANE: LaneBook,
}
"""The struct behind each kind of key."""
