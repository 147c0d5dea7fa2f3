"""The parts of an InfluxDB line: escaped tags and fields, deterministic time stamps. Pure."""

from typing import Final
from zlib import crc32

_NS_PER_MS: Final = 1_000_000
_TAG_ESCAPES: Final = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\\": r"\\"})
_FIELD_ESCAPES: Final = str.maketrans({'"': r"\"", "\\": r"\\"})


def tag(value: str) -> str:
    """Return a tag value escaped; an empty one becomes `-`, for line protocol has no empty tags."""
    return value.translate(_TAG_ESCAPES) or "-"


def text(value: str) -> str:
    """Return a quoted string field."""
    return f'"{value.translate(_FIELD_ESCAPES)}"'


def number_of(entity_id: str) -> int:
    """Return the running number at the end of an id, folded into a millisecond's nanoseconds."""
    number = entity_id.rpartition("-")[2]
    return int(number) % _NS_PER_MS if number.isdigit() else 0


def stamp_ns(at_ms: int, entity_id: str = "") -> int:
    """Return a time stamp in nanoseconds: the millisecond, then the running number."""
    return at_ms * _NS_PER_MS + (number_of(entity_id) if entity_id else 0)


def named_stamp_ns(at_ms: int, name: str) -> int:
    """Return a time stamp in nanoseconds: the millisecond, then a number made of any name.

    For ids that other systems give, which may end in no number or in the same.
    """
    return at_ms * _NS_PER_MS + crc32(name.encode()) % _NS_PER_MS
