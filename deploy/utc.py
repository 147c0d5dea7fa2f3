"""Times as people read them."""

import datetime as dt


def utc(at_ms: int) -> str:
    """Return UTC milliseconds as ISO 8601 with a Z, to the millisecond."""
    moment = dt.datetime.fromtimestamp(at_ms / 1_000, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
