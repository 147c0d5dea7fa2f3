"""Customer orders as other systems send them: one line of one order at one site."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from ingest.contracts.events import QUANTITY_UNITS_MAX, Code, Identifier
from ingest.frames import OrderLineInput

LINES_MAX: Final = 10_000


class OrderLine(BaseModel):
    """What is to happen to one line of a customer order."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    order_id: Code
    line: Annotated[int, Field(ge=1, le=LINES_MAX)]
    sku: Code
    site: Identifier
    action: Literal["reserve", "release", "fulfil"]
    quantity_units: Annotated[int, Field(ge=1, le=QUANTITY_UNITS_MAX)]
    """Base units of the SKU."""
    actor: Annotated[str, Field(max_length=200)] = ""


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
    )
