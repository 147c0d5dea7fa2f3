"""Known events that change demand, as a catalogue file has them."""

from typing import Annotated

from pydantic import Field, model_validator

from ingest.contracts.events import Identifier, TimeMs
from ingest.contracts.fields import OptionalCode, ReferenceModel, Units


class Promotion(ReferenceModel):
    """A known event that changes demand for a while; names that are left out match all."""

    promotion: Identifier
    valid_from_ms: TimeMs
    """A file may give `valid_from`, a date, instead."""
    valid_until_ms: TimeMs
    """A file may give `valid_until`, a date, instead."""
    uplift_permille: Annotated[int, Field(ge=0, le=100_000)]
    """Demand during it, in thousandths of what it is otherwise: 1800 is 1.8 times, 0 is closed."""
    site: OptionalCode = ""
    category: OptionalCode = ""
    sku: OptionalCode = ""
    planned_units: Units = 0
    """Sales planned at each of its sites for all of it: they are then its demand, and the uplift is
    not asked. 0: the uplift of what is learned."""

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "Promotion":
        if self.valid_until_ms <= self.valid_from_ms:
            raise ValueError("valid_until is not after valid_from")
        return self
