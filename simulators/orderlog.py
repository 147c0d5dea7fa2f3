"""A real order log as scans of many sites: columns, lines, sites, and what must come out. Pure.

`survey` sums the file by itself and knows nothing of devices: it is what a replay is checked by.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple
from zlib import crc32
from zlib import error as zlib_error

from ingest.contracts.errors import ShelfstreamError
from ingest.contracts.events import IDENTIFIER_LENGTH_MAX, QUANTITY_UNITS_MAX, TIME_MS_MAX

COLUMNS_DEFAULT: Final[Mapping[str, str]] = {
    "invoiced_at": "invoiced_at",
    "quantity": "quantity",
    "sku": "stock_code",
    "customer": "customer_id",
    "invoice": "invoice",
}
"""What we read of a line, in this order, and what the file calls it."""
_TIMES_CACHED_MAX: Final = 4_096
_SITES_CACHED_MAX: Final = 65_536
_CONTROL_BELOW: Final = " "


class OrderLogError(ShelfstreamError):
    """The file is no order log by the given columns; the text says which line or column."""


class OrderLine(NamedTuple):
    """One line of the log that moves stock."""

    at_ms: int
    site_number: int
    """From 0."""
    sku: str
    quantity: int
    """Positive for a sale, negative for a return; never 0."""


@dataclass(slots=True, kw_only=True)
class Skipped:
    """Lines that can be no scan, by reason."""

    zero_quantity: int = 0
    bad_code: int = 0
    """Empty, too long, or with control characters."""
    absurd_quantity: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.zero_quantity + self.bad_code + self.absurd_quantity


@dataclass(slots=True, kw_only=True)
class Survey:
    """What the file says by itself."""

    stock: dict[tuple[int, str], int] = field(default_factory=dict)
    """Units by (site number, SKU), starting from nothing: what was returned minus what was sold."""
    lines_by_site: dict[int, int] = field(default_factory=dict)
    skus: dict[str, None] = field(default_factory=dict)
    """In order of appearance."""
    quantity_max: int = 1
    first_at_ms: int = TIME_MS_MAX
    last_at_ms: int = 0
    skipped: Skipped = field(default_factory=Skipped)

    @property
    def lines(self) -> int:
        """Lines that move stock."""
        return sum(self.lines_by_site.values())


def columns_read(text: str) -> dict[str, str]:
    """Return the columns in `name=column,…`; names not given keep their default.

    Raises:
        OrderLogError: A pair without `=`, or a name that is none of ours.
    """
    columns = dict(COLUMNS_DEFAULT)
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, equals, column = pair.partition("=")
        if not equals or name not in columns:
            raise OrderLogError(
                f"{pair!r} maps nothing: write NAME=COLUMN with {', '.join(columns)}"
            )
        columns[name] = column
    return columns


@lru_cache(maxsize=_SITES_CACHED_MAX)
def site_number_of(customer: str, invoice: str, site_count: int) -> int:
    """Return which site a line belongs to: its customer's, or its invoice's where none is named."""
    return crc32((customer or invoice).encode()) % site_count


@lru_cache(maxsize=_TIMES_CACHED_MAX)
def time_ms_of(text: str) -> int:
    """Return UTC milliseconds of an ISO 8601 time; one without a zone is taken as UTC.

    Raises:
        ValueError: It is no such time, or one that no device may send.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    at_ms = int(at.timestamp()) * 1_000 + at.microsecond // 1_000
    if not 0 <= at_ms <= TIME_MS_MAX:
        raise ValueError(f"{text!r} is before 1970 or after 2100")
    return at_ms


def order_lines(
    rows: Iterable[str],
    columns: Mapping[str, str],
    site_count: int,
    skipped: Skipped,
    *,
    limit: int | None = None,
) -> Iterator[OrderLine]:
    """Yield the lines of a CSV file that move stock; count the others in `skipped`.

    Args:
        rows: The file's text lines, the header first.
        columns: Our names to the file's column names.
        site_count: Over how many sites customers are spread.
        skipped: Counts what was passed over.
        limit: Read at most so many lines after the header.

    Raises:
        OrderLogError: A column is missing, a time or a quantity can't be read, or the file is no
            CSV in UTF-8, or ends in the middle of its compression.
    """
    reader = csv.reader(rows)
    try:
        at, quantity, sku, customer, invoice = _places(next(reader, []), columns)
        for row in islice(filter(None, reader), limit):  # a blank line is no line
            units = int(row[quantity])
            at_ms = time_ms_of(row[at])
            site_number = site_number_of(row[customer], row[invoice], site_count)
            if _moves(row[sku], units, skipped):
                yield OrderLine(at_ms, site_number, row[sku], units)
    except IndexError as error:
        raise OrderLogError(f"line {reader.line_num} has fewer columns than the first") from error
    except (ValueError, csv.Error, OSError, EOFError, zlib_error) as error:
        # The line is the last one read whole: what can't be decoded was not counted yet.
        raise OrderLogError(f"line {reader.line_num}: {error}") from error


def _places(header: Sequence[str], columns: Mapping[str, str]) -> list[int]:
    missing = sorted(set(columns.values()) - set(header))
    if missing:
        there = ", ".join(header) or "none: it is empty"
        raise OrderLogError(f"the file has no column {missing[0]!r}; it has {there}")
    return [header.index(columns[name]) for name in COLUMNS_DEFAULT]


def _moves(sku: str, units: int, skipped: Skipped) -> bool:
    if units == 0:
        skipped.zero_quantity += 1
    elif abs(units) > QUANTITY_UNITS_MAX:
        skipped.absurd_quantity += 1
    elif not 0 < len(sku) <= IDENTIFIER_LENGTH_MAX or min(sku) < _CONTROL_BELOW:
        skipped.bad_code += 1
    else:
        return True
    return False


def survey(
    rows: Iterable[str],
    columns: Mapping[str, str],
    site_count: int,
    *,
    limit: int | None = None,
) -> Survey:
    """Return the plain sum of a file; the arguments are those of `order_lines`.

    Raises:
        OrderLogError: As `order_lines`, or there is nothing to replay.
    """
    found = Survey()
    stock, by_site = found.stock, found.lines_by_site
    for line in order_lines(rows, columns, site_count, found.skipped, limit=limit):
        key = (line.site_number, line.sku)
        stock[key] = stock.get(key, 0) - line.quantity
        by_site[line.site_number] = by_site.get(line.site_number, 0) + 1
        found.skus[line.sku] = None
        found.quantity_max = max(found.quantity_max, abs(line.quantity))
        found.last_at_ms = max(found.last_at_ms, line.at_ms)
        found.first_at_ms = min(found.first_at_ms, line.at_ms)
    if not stock:
        raise OrderLogError("no line of the file moves stock")
    return found
