"""When something may go out: weekdays, hours of the day, closed dates. Days are UTC days."""

import datetime as dt
from typing import Final

from ingest.contracts.supply import LaneRecord
from streams.domain.days import WEEK_DAYS, day_of, start_ms, weekday_of

WEEKDAYS: Final = ("thu", "fri", "sat", "sun", "mon", "tue", "wed")
"""Names by `streams.domain.days.weekday_of`."""
_EPOCH_ORDINAL: Final = dt.date(1970, 1, 1).toordinal()


def next_time_ms(after_ms: int, weekdays: str, time_ms: int, closed_dates: str) -> int:
    """Return the first time after `after_ms` at this time of an open day, in milliseconds."""
    first = day_of(after_ms)
    days = _open_days(first, weekdays, closed_dates)
    times = (start_ms(day) + time_ms for day in days)
    return next(at_ms for at_ms in times if at_ms > after_ms)


def next_open_ms(at_ms: int, weekdays: str, from_ms: int, until_ms: int, closed_dates: str) -> int:
    """Return `at_ms`, or the next time at which an open day's hours begin, in milliseconds.

    Args:
        at_ms: The earliest time wanted, UTC milliseconds.
        weekdays: Names of open weekdays; empty for all.
        from_ms: When hours begin, since midnight.
        until_ms: When they end, since midnight, excluded; above `from_ms`.
        closed_dates: ISO dates that are closed.
    """
    first = day_of(at_ms)
    days = _open_days(first, weekdays, closed_dates)
    spans = ((start_ms(day) + from_ms, start_ms(day) + until_ms) for day in days)
    return next(max(begin, at_ms) for begin, end in spans if at_ms < end)


def departure_ms(lane: LaneRecord, at_ms: int) -> int:
    """Return when a shipment that is ready at a time may depart by its lane's days and hours."""
    from_ms, until_ms = lane.depart_from_ms, lane.depart_until_ms
    return next_open_ms(at_ms, lane.depart_weekdays, from_ms, until_ms, lane.closed_dates)


def _open_days(first: int, weekdays: str, closed_dates: str) -> list[int]:
    """Return open days from `first` on, two at least."""
    closed = {dt.date.fromisoformat(text).toordinal() for text in closed_dates.split()}
    named = set(weekdays.split())
    horizon = (len(closed) + 2) * WEEK_DAYS
    return [
        day
        for day in range(first, first + horizon)
        if (not named or WEEKDAYS[weekday_of(day)] in named)
        and day - 1 + _EPOCH_ORDINAL not in closed
    ]
