"""What the planning fold holds, by the id people know it by, and a shipment in words. Pure."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from deploy.utc import utc
from deploy.wording import counted
from streams.contracts.counts import COUNT_SESSION, CountSession
from streams.contracts.events import StreamEvent
from streams.contracts.ids import sku_of
from streams.contracts.orders import ORDER, CustomerOrder, OrderLineChanged
from streams.contracts.plans import SHIPMENT, Shipment
from streams.contracts.purchases import PURCHASE, PurchaseOrder
from streams.contracts.state import key

_ORDER_HEAD: Final = "order-"
_KINDS: Final[dict[str, tuple[str, type[msgspec.Struct]]]] = {
    "shipment": (SHIPMENT, Shipment),
    "purchase": (PURCHASE, PurchaseOrder),
    "count": (COUNT_SESSION, CountSession),
}


class Planned(NamedTuple):
    """Something that spans SKUs: where it is kept, and by whose name its partition is chosen."""

    state_key: bytes
    place: str
    """Site, supplier or order id."""
    struct: type[msgspec.Struct]

    def decoded(self, value: bytes | None) -> msgspec.Struct | None:
        """Return a record of the state; None where there is none.

        Raises:
            msgspec.MsgspecError: The value is no such record.
        """
        found: msgspec.Struct | None = None
        if value is not None:
            found = msgspec.msgpack.decode(value, type=self.struct)
        return found


def planned_of(entity_id: str) -> Planned | None:
    """Return where an entity of the planning fold is; None for what other folds decide.

    Shipments, purchase orders and count sessions have ids of the form kind-place-number; a
    customer order is `order-` and its own id, as in its alerts.

    Raises:
        ValueError: The id begins like one of them, but has not their form.
    """
    if entity_id.startswith(_ORDER_HEAD) and entity_id != _ORDER_HEAD:
        return planned_order(entity_id.removeprefix(_ORDER_HEAD))
    kind, struct = _KINDS.get(entity_id.partition("-")[0], ("", None))
    if struct is None:
        return None
    place = sku_of(entity_id).partition(">")[0] if kind == SHIPMENT else sku_of(entity_id)
    return Planned(key(kind, entity_id), place, struct)


def planned_order(order_id: str) -> Planned:
    """Return where a customer order is."""
    return Planned(key(ORDER, order_id), order_id, CustomerOrder)


def planning_events(events: Sequence[StreamEvent]) -> list[StreamEvent]:
    """Return what the planning fold itself told; the stock fold tells of the lines of orders."""
    return [event for event in events if not isinstance(event, OrderLineChanged)]


def contains(again: Sequence[StreamEvent], found: Sequence[StreamEvent]) -> bool:
    """Tell whether what is recorded stands in what was folded again, in one piece.

    The record may begin later, for its head is no longer kept, and may end earlier.
    """
    length = len(found)
    places = range(len(again) - length + 1)
    return any(list(again[place : place + length]) == list(found) for place in places)


def explained_shipment(shipment: Shipment) -> list[str]:
    """Return the lines that explain a shipment, from its record: it has no events."""
    units = counted(sum(shipment.lines.values()), "unit")
    lines = [
        (
            f"{shipment.shipment_id}: {shipment.state}, {units} from"
            f" {shipment.from_site} to {shipment.to_site}"
        ),
        f"opened {utc(shipment.opened_at_ms)} by the first of its lines",
    ]
    if shipment.terms_version:
        lines.append(f"by the lane's terms of catalogue load {shipment.terms_version}")
    if shipment.state == "collecting":
        lines.append(f"takes more until {utc(shipment.closes_at_ms)}, or until it is full")
    else:
        lines.append(
            f"closed {utc(shipment.closes_at_ms)}, may depart {utc(shipment.departs_at_ms)}"
        )
    lines += [_FLAGS[flag] for flag in shipment.flags if flag in _FLAGS]
    return [*lines, *(f"  {units} by {name}" for name, units in sorted(shipment.lines.items()))]


_FLAGS: Final = {
    "full": "it closed early: the next line did not fit",
    "over_capacity": "one line alone is more than the lane takes",
}
