"""Reference data of supply: lanes between sites, and the terms of suppliers."""

from typing import Annotated

from pydantic import Field, model_validator

from ingest.contracts.durations import DAY_MS
from ingest.contracts.events import QUANTITY_UNITS_MAX, Identifier
from ingest.contracts.fields import (
    Dates,
    DayTimeMs,
    DurationMs,
    Money,
    Name,
    ReferenceModel,
    Units,
    Weekdays,
    check_dates,
)


class Lane(ReferenceModel):
    """A way from one site to another on which stock may be transferred."""

    from_site: Identifier
    to_site: Identifier
    lead_time_ms: DurationMs
    cost_minor: Money = 0
    """Fixed cost of one transfer, in minor units of the network's currency."""
    cooldown_ms: DurationMs = 0
    """A site that received over it gives nothing back for so long."""
    quantity_units_min: Annotated[int, Field(ge=1, le=QUANTITY_UNITS_MAX)] = 1
    consolidation_ms: DurationMs = 0
    """How long a shipment waits for more lines."""
    unit_cost_minor: Money = 0
    """Cost of one base unit beside the fixed cost."""
    capacity_units: Units = 0
    """Base units of all lines that one shipment takes; 0 for no limit."""
    depart_weekdays: Weekdays = ""
    """Days on which shipments depart, such as `mon thu`; empty for every day."""
    depart_from_ms: DayTimeMs = 0
    """When departures begin, since midnight UTC."""
    depart_until_ms: Annotated[int, Field(ge=1, le=DAY_MS)] = DAY_MS
    """When they end, since midnight UTC, excluded."""
    closed_dates: Dates = ""
    """Days without departures, such as `2026-12-25 2026-12-26`."""

    @model_validator(mode="after")
    def _has_times(self) -> "Lane":
        check_dates(self.closed_dates)
        if self.depart_until_ms <= self.depart_from_ms:
            raise ValueError("depart_until is not after depart_from")
        return self


class Supplier(ReferenceModel):
    """Who delivers what no site can give."""

    supplier: Identifier
    name: Name = ""
    lead_time_ms: DurationMs = 0
    order_cost_minor: Money = 0
    """Fixed cost of one order."""
    order_value_minor_min: Money = 0
    """An order worth less waits for the next cut-off, or for a person's approval."""
    order_units_min: Units = 0
    """The same of an order's base units together."""
    order_wait_ms: DurationMs = 0
    """How long an order collects lines where no days or time of day are said."""
    order_weekdays: Weekdays = ""
    """Days on which orders go out, such as `mon thu`; with neither days nor time, any time."""
    order_time_ms: DayTimeMs | None = None
    """Time of day (UTC, since midnight) at which orders go out; with days alone, midnight."""
    closed_dates: Dates = ""
    """Days on which no order goes out, such as `2026-12-25 2026-12-26`."""
    units_day_max: Units = 0
    """What is ordered of it in a UTC day without a person's approval; 0 for no limit."""
    value_minor_day_max: Money = 0
    """The same in money."""
    expedite_lead_time_ms: DurationMs = 0
    """Lead time of an express order; 0: it takes none."""
    expedite_cost_minor: Money = 0
    """What an express order costs beside `order_cost_minor`."""

    @model_validator(mode="after")
    def _has_dates(self) -> "Supplier":
        check_dates(self.closed_dates)
        return self
