"""Days of event time: whole UTC days, numbered from 1 so that 0 can stand for none."""

from typing import Final

from ingest.contracts.durations import DAY_MS

WEEK_DAYS: Final = 7


def day_of(at_ms: int) -> int:
    """Return the day of a time; 1 is 1970-01-01."""
    return at_ms // DAY_MS + 1


def start_ms(day: int) -> int:
    """Return when a day begins, in UTC milliseconds."""
    return (day - 1) * DAY_MS


def weekday_of(day: int) -> int:
    """Return 0 to 6; 0 is a Thursday, as 1970-01-01 was one."""
    return (day - 1) % WEEK_DAYS
