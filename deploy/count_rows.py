"""Count sessions as rows for people; a blind one keeps its numbers from the counters. Pure."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from deploy.ledger_rows import Row
from streams.contracts.counts import CountSession
from streams.count_list import CountWorth

_COMPARED = frozenset({"waiting", "counted"})


def worth_rows(worth: Iterable[CountWorth]) -> list[Row]:
    """Return a row for each level that could be counted; what no sensor sees is unknown."""
    return [
        {
            **msgspec.structs.asdict(one),
            "shelf_units": "unknown" if one.shelf_units is None else one.shelf_units,
        }
        for one in worth
    ]


def newest_first(sessions: Iterable[CountSession]) -> list[CountSession]:
    """Return sessions, those opened last first."""
    return sorted(sessions, key=lambda one: (-one.opened_at_ms, one.session_id))


def session_rows(sessions: Iterable[CountSession]) -> list[Row]:
    """Return a row for each session: how many of its lines are in which state."""
    rows: list[Row] = []
    for session in sessions:
        states = Counter(line.state for line in session.lines.values())
        rows.append(
            {
                "session": session.session_id,
                "state": session.state,
                "opened_by": session.opened_by,
                "blind": session.blind,
                "lines": ", ".join(f"{number} {state}" for state, number in sorted(states.items())),
            }
        )
    return rows


def line_rows(session: CountSession, *, review: bool) -> list[Row]:
    """Return a row for each line; `review` also shows what a blind count compares with."""
    hidden = session.blind and session.state == "open" and not review
    rows: list[Row] = []
    for sku, line in session.lines.items():
        compared = line.state in _COMPARED
        shown = not hidden and line.state not in {"asked", "refused"}
        prefilled = line.sensed_units if line.state == "prefilled" else ""
        rows.append(
            {
                "sku": sku,
                "state": line.state,
                "counted": line.counted_units if compared else prefilled,
                "expected": line.expected_units if shown else "",
                "difference": line.difference_units if shown and compared else "",
                "value_minor": line.difference_minor if shown and compared else "",
                "counted_by": line.counted_by,
                "approved_by": line.approved_by,
                "reason": line.reason,
            }
        )
    return rows
