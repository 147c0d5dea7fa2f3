"""Commands to customer orders, checked before they are sent to `shelfstream.plans`."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ingest.contracts.durations import DAY_MS
from ingest.contracts.events import QUANTITY_UNITS_MAX, Code, Identifier
from ingest.contracts.orders import PRIORITY_MAX

ORDER_LINES_MAX: Final = 200
ORDER_TTL_MS_DEFAULT: Final = 7 * DAY_MS
ORDER_TTL_MS_MAX: Final = 366 * DAY_MS


class OrderCommandLine(BaseModel):
    """One line of an order."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    sku: Code
    site: Identifier
    quantity_units: Annotated[int, Field(ge=1, le=QUANTITY_UNITS_MAX)]
    """Base units of the SKU."""


class OrderCommand(BaseModel):
    """One command to a customer order; the same `command_id` is carried out once."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    command_id: Code
    verb: Literal["place", "fulfil", "cancel", "accept"]
    order_id: Code
    actor: Annotated[str, Field(min_length=1, max_length=200)]
    lines: Annotated[tuple[OrderCommandLine, ...], Field(max_length=ORDER_LINES_MAX)] = ()
    """`place` alone."""
    fulfilment: Literal["whole", "partial"] = "whole"
    """`whole`: all lines in full or nothing; `partial`: what there is."""
    back_order: bool = False
    """Short lines wait for stock, in turn; otherwise they are refused."""
    priority: Annotated[int, Field(ge=0, le=PRIORITY_MAX)] = 0
    """Scarce stock goes to the highest."""
    need_by_ms: Annotated[int, Field(ge=0)] = 0
    """0: now."""
    ttl_ms: Annotated[int, Field(ge=1, le=ORDER_TTL_MS_MAX)] = ORDER_TTL_MS_DEFAULT
    """So long after it was placed, or is needed, it stops waiting."""
    reason: Annotated[str, Field(max_length=1_000)] = ""

    @model_validator(mode="after")
    def _complete(self) -> "OrderCommand":
        if (self.verb == "place") != bool(self.lines):
            raise ValueError("place, and nothing else, takes lines")
        return self
