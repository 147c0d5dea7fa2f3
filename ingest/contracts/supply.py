"""How supply travels: lanes between sites and the terms of suppliers, as the folds are told."""

from typing import Literal

import msgspec

from ingest.contracts.durations import DAY_MS

SupplyFrom = Literal["parent", "supplier", "cheapest"]
Replenishment = Literal["threshold", "kanban"]
TransferRule = Literal["always", "worth"]


class LaneRecord(msgspec.Struct, frozen=True, array_like=True, tag=3, gc=False):
    """A way from one site to another on which stock may be transferred."""

    from_site: str
    to_site: str
    lead_time_ms: int
    cost_minor: int = 0
    cooldown_ms: int = 0
    quantity_units_min: int = 1
    consolidation_ms: int = 0
    """How long the planning fold waits for more lines before it closes a shipment."""
    unit_cost_minor: int = 0
    capacity_units: int = 0
    depart_weekdays: str = ""
    depart_from_ms: int = 0
    depart_until_ms: int = DAY_MS
    closed_dates: str = ""


class SupplierRecord(msgspec.Struct, frozen=True, array_like=True, tag=6, gc=False):
    """Who delivers what no site can give."""

    supplier: str
    lead_time_ms: int = 0
    """What is reckoned with until it is measured."""
    order_cost_minor: int = 0
    order_value_minor_min: int = 0
    order_units_min: int = 0
    order_wait_ms: int = 0
    order_weekdays: str = ""
    order_time_ms: int | None = None
    closed_dates: str = ""
    units_day_max: int = 0
    value_minor_day_max: int = 0
    expedite_lead_time_ms: int = 0
    expedite_cost_minor: int = 0
