"""Fields that entities of the catalogue share, and their base."""

import datetime as dt
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from ingest.contracts import patterns
from ingest.contracts.durations import DAY_MS
from ingest.contracts.events import IDENTIFIER_LENGTH_MAX

DURATION_MS_MAX: Final = 366 * DAY_MS

Units = Annotated[int, Field(ge=0, le=2**53 - 1)]
Money = Annotated[int, Field(ge=0, le=2**53 - 1)]
DurationMs = Annotated[int, Field(ge=0, le=DURATION_MS_MAX)]
Name = Annotated[str, Field(max_length=200)]
OptionalCode = Annotated[str, Field(max_length=IDENTIFIER_LENGTH_MAX, pattern=patterns.NO_CONTROLS)]
GtinText = Annotated[str, Field(pattern=patterns.GTIN)]
Weekdays = Annotated[str, Field(pattern=patterns.WEEKDAYS)]
"""Such as `mon thu`; empty for every day. Days are UTC days."""
Dates = Annotated[str, Field(max_length=1_099, pattern=patterns.DATES)]
"""Such as `2026-12-25 2026-12-26`; a hundred at most."""
DayTimeMs = Annotated[int, Field(ge=0, lt=DAY_MS)]
"""Time since midnight, UTC."""


class ReferenceModel(BaseModel):
    """An entity: frozen, with no field that is not its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def check_dates(text: str) -> None:
    """Refuse a list of dates that names a day no calendar has.

    Raises:
        ValueError: It names the date.
    """
    for date in text.split():
        try:
            dt.date.fromisoformat(date)
        except ValueError as error:
            raise ValueError(f"{date} is no date") from error
