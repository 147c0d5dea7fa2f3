"""Building blocks of planning stories."""

from typing import Any

from streams.contracts.plans import ShipmentLine, ShipmentLineWithdrawn
from streams.contracts.purchases import PurchaseLine


def line(transfer_id: str, at_ms: int, **fields: Any) -> ShipmentLine:
    """A line from the hub to Berlin that may wait a minute."""
    return ShipmentLine(
        **{
            "transfer_id": transfer_id,
            "sku": transfer_id.split("-")[1],
            "from_site": "hub",
            "to_site": "berlin",
            "quantity_units": 4,
            "at_ms": at_ms,
            "consolidation_ms": 60_000,
            **fields,
        }
    )


def withdrawn(transfer_id: str, **fields: Any) -> ShipmentLineWithdrawn:
    """Its withdrawal."""
    return ShipmentLineWithdrawn(
        **{
            "transfer_id": transfer_id,
            "from_site": "hub",
            "to_site": "berlin",
            "at_ms": 0,
            **fields,
        }
    )


def purchase_line(need_id: str, version: int, **fields: Any) -> PurchaseLine:
    """A request for ten of the mill, open and automatic."""
    said = {"open": True, "quantity_units": 10, "received_units": 0, "automatic": True, **fields}
    return PurchaseLine(
        need_id=need_id,
        sku=need_id.split("-")[1],
        site="berlin",
        supplier="mill",
        version=version,
        at_ms=0,
        **said,
    )
