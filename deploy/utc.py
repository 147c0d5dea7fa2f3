"""Times as people read and write them."""

import datetime as dt

from ingest.contracts.errors import SettingsError


def utc(at_ms: int) -> str:
    """Return UTC milliseconds as ISO 8601 with a Z, to the millisecond."""
    moment = dt.datetime.fromtimestamp(at_ms / 1_000, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_ms(text: str) -> int:
    """Return an ISO 8601 date or time in milliseconds; UTC where it names no zone.

    Raises:
        SettingsError: The text is neither.
    """
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"{text!r} is no date or time such as 2026-11-01T08:00") from error
    zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
    since = zoned - dt.datetime.fromtimestamp(0, dt.UTC)
    return since // dt.timedelta(milliseconds=1)
