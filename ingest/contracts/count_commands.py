"""Commands to count sessions, checked before they are sent to `shelfstream.plans`."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ingest.contracts.counts import (
    COUNT_LINES_MAX,
    SESSION_TTL_MS_DEFAULT,
    SESSION_TTL_MS_MAX,
    CountVerb,
)
from ingest.contracts.events import IDENTIFIER_LENGTH_MAX, QUANTITY_UNITS_MAX, Code


class CountCommand(BaseModel):
    """One command to a count session; the same `command_id` is carried out once."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    command_id: Code
    verb: CountVerb
    site: Code
    actor: Annotated[str, Field(min_length=1, max_length=200)]
    session_id: Annotated[str, Field(max_length=2 * IDENTIFIER_LENGTH_MAX)] = ""
    """`count-{site}-{running number}`; empty to open one."""
    skus: Annotated[tuple[Code, ...], Field(max_length=COUNT_LINES_MAX)] = ()
    """`open`: what is counted; `enter`, `approve`, `recount`: the one line."""
    quantity_units: Annotated[int, Field(ge=0, le=QUANTITY_UNITS_MAX)] = 0
    counted_at_ms: Annotated[int, Field(ge=0)] = 0
    blind: bool = False
    """`open`: counters are not shown what is expected."""
    ttl_ms: Annotated[int, Field(ge=1, le=SESSION_TTL_MS_MAX)] = SESSION_TTL_MS_DEFAULT
    """`open`: after so long the session expires, and what waits is not booked."""
    reason: Annotated[str, Field(max_length=1_000)] = ""

    @model_validator(mode="after")
    def _complete(self) -> "CountCommand":
        if (self.verb == "open") == bool(self.session_id):
            raise ValueError("a session is named, unless it is opened")
        if self.session_id and not self.session_id.startswith(f"count-{self.site}-"):
            raise ValueError(f"{self.session_id} is no session of {self.site}")
        if self.verb == "open" and not self.skus:
            raise ValueError("a count needs articles")
        if len(set(self.skus)) != len(self.skus):
            raise ValueError("an article is named twice")
        if self.verb in {"enter", "approve", "recount"} and len(self.skus) != 1:
            raise ValueError(f"{self.verb} is about one article")
        return self
