"""Counts: records of the stock fold and of the planning fold, and what they tell each other."""

from typing import Final, Literal

import msgspec

from ingest.contracts.counts import CountVerb

COUNT: Final = "count"
"""Kind of state key in `shelfstream.stock`: `count`, SKU, site."""
COUNT_LINE: Final = "count_line"
"""Kind of state key in `shelfstream.stock`: `count_line`, SKU, site."""
COUNT_SESSION: Final = "count_session"
"""Kind of state key in `shelfstream.plan-state`: `count_session`, session id."""
COUNT_BOOK: Final = "count_book"
"""Kind of state key in `shelfstream.plan-state`: `count_book`, site."""

LineState = Literal["open", "waiting", "recount", "counted"]
"""Of a line in the stock fold."""
SessionLineState = Literal[
    "asked",
    "open",
    "prefilled",
    "entered",
    "skipped",
    "refused",
    "waiting",
    "recount",
    "counted",
    "missed",
]
SessionState = Literal["open", "closed", "expired", "cancelled"]


class CountRecord(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """How true the record of one SKU at one site was, by all counts so far."""

    counted: int = 0
    within_tolerance: int = 0
    """Of `counted`; where no tolerance is set, those that agreed exactly."""
    counted_at_ms: int = 0
    """When somebody last looked."""
    error_units: int = 0
    """Sum of the differences, all taken as positive."""
    difference_units: int = 0
    """Of the newest count, signed."""


class CountMove(msgspec.Struct, array_like=True, gc=False):
    """A change of the book while a line is open."""

    effective_at_ms: int
    quantity_units: int


class CountLine(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """One SKU at one site in a count session, from its opening until late facts are over."""

    session_id: str
    sku: str
    site: str
    state: LineState = "open"
    opened_at_ms: int = 0
    blind: bool = False
    moves: list[CountMove] = []
    """What moved since it was opened, until it is counted; the newest ones."""
    moves_from_ms: int = 0
    """A count of before then can't be compared: what moved since is no longer known."""
    counted_units: int = 0
    counted_at_ms: int = 0
    counted_by: str = ""
    moved_after_units: int = 0
    """What moved since it was counted, by the time at which it happened."""
    anchor_at_ms: int = 0
    """The newest booked count: what happened before is in it, whenever it is told. 0 for none."""
    anchor_session_id: str = ""
    anchored_now_ms: int = 0
    """When that count was booked; late facts are awaited from then on."""


class CountLineAnswered(msgspec.Struct, frozen=True, array_like=True, tag=21, kw_only=True):
    """What the stock fold tells a session of one of its lines."""

    session_id: str
    sku: str
    site: str
    state: SessionLineState
    at_ms: int
    expected_units: int = 0
    """The book as it stood when it was counted; where it is not counted yet, as it is now."""
    counted_units: int = 0
    counted_at_ms: int = 0
    counted_by: str = ""
    difference_units: int = 0
    difference_minor: int = 0
    sensed_units: int = -1
    """What sensors see; -1 where nobody knows."""
    within_tolerance: bool = False
    tolerance: dict[str, int] = {}
    """The limits that were set, by name."""
    actor: str = ""
    """Who counted, or who approved."""
    reason: str = ""
    """Why it was refused, or has to be counted again."""
    reference_version: int = 0
    """Number of the catalogue load whose policies held."""


class CountAsked(msgspec.Struct, frozen=True, array_like=True, tag=22, kw_only=True):
    """A command to a count session; fields as in `CountCommand`."""

    command_id: str
    verb: CountVerb
    site: str
    actor: str
    session_id: str = ""
    skus: list[str] = []
    quantity_units: int = 0
    counted_at_ms: int = 0
    blind: bool = False
    ttl_ms: int = 0
    reason: str = ""


class SessionLine(msgspec.Struct, array_like=True, kw_only=True):
    """One line as its session knows it; fields as in `CountLineAnswered`."""

    state: SessionLineState = "asked"
    expected_units: int = 0
    counted_units: int = 0
    counted_at_ms: int = 0
    counted_by: str = ""
    difference_units: int = 0
    difference_minor: int = 0
    sensed_units: int = -1
    within_tolerance: bool = False
    approved_by: str = ""
    reason: str = ""


class CountSession(msgspec.Struct, array_like=True, kw_only=True):
    """A count of some SKUs at one site."""

    session_id: str
    """`count-{site}-{running number}`."""
    site: str
    state: SessionState
    opened_by: str
    opened_at_ms: int
    expires_at_ms: int
    blind: bool = False
    closed_at_ms: int = 0
    version: int = 1
    lines: dict[str, SessionLine] = {}
    """By SKU."""
    reason: str = ""


class CountBook(msgspec.Struct, array_like=True, kw_only=True):
    """What the planning fold keeps of a site's counts."""

    site: str
    next_number: int = 1


class CountLineChanged(msgspec.Struct, frozen=True, array_like=True, tag=20, kw_only=True):
    """A line was counted, waits for approval, has to be counted again, or a late fact met it."""

    session_id: str
    sku: str
    site: str
    state: SessionLineState
    at_ms: int
    actor: str
    decided_from: dict[str, int] = {}
    reason: str = ""
    within_tolerance: bool = False
    """Of what was counted; where no tolerance is set, it agreed exactly."""
    reference_version: int = 0
    """Number of the catalogue load whose policies held."""


class CountSessionChanged(msgspec.Struct, frozen=True, array_like=True, tag=21, kw_only=True):
    """A count session was opened or ended."""

    session_id: str
    site: str
    state: SessionState
    at_ms: int
    actor: str
    lines: dict[str, int] = {}
    """How many lines are in each state."""


COUNT_STRUCTS: Final[dict[str, type[msgspec.Struct]]] = {
    COUNT: CountRecord,
    COUNT_LINE: CountLine,
}
SESSION_STRUCTS: Final[dict[str, type[msgspec.Struct]]] = {
    COUNT_SESSION: CountSession,
    COUNT_BOOK: CountBook,
}
"""The struct behind each kind of key, of the stock fold and of the planning fold."""
