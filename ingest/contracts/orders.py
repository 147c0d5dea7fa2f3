"""Customer orders as other systems send them: one line of one order at one site."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from ingest.contracts.events import QUANTITY_UNITS_MAX, Code, Identifier
from ingest.contracts.order_lines import OrderLineInput

LINES_MAX: Final = 10_000
PRIORITY_MAX: Final = 1_000


class OrderLine(BaseModel):
    """What is to happen to one line of a customer order."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    order_id: Code
    line: Annotated[int, Field(ge=1, le=LINES_MAX)]
    sku: Code
    site: Identifier
    action: Literal["reserve", "release", "fulfil", "accept"]
    quantity_units: Annotated[int, Field(ge=1, le=QUANTITY_UNITS_MAX)]
    """Base units of the SKU."""
    actor: Annotated[str, Field(max_length=200)] = ""
    priority: Annotated[int, Field(ge=0, le=PRIORITY_MAX)] = 0
    """Scarce stock goes to the highest."""
    need_by_ms: Annotated[int, Field(ge=0)] = 0
    """0: now."""
    when_short: Literal["", "reserve", "wait", "refuse"] = ""
    """Empty: as the policy `short_orders` says."""
    partial: bool = False
    """Where a short line is refused, it takes what there is."""


def order_line_input(line: OrderLine) -> OrderLineInput:
    """Return an order line as the stock fold reads it."""
    return OrderLineInput(
        order_id=line.order_id,
        line=line.line,
        sku=line.sku,
        site=line.site,
        action=line.action,
        quantity_units=line.quantity_units,
        actor=line.actor,
        priority=line.priority,
        need_by_ms=line.need_by_ms,
        when_short=line.when_short,
        partial=line.partial,
    )
