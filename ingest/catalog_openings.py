"""Opening stock from a CSV file: site, sku, quantity, unit_cost_minor, effective_at. Pure."""

import csv
import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ingest.catalog import Catalog
from ingest.catalog_csv import CsvRow, csv_rows
from ingest.catalog_faults import Fault, Mark, faults_of, refusal
from ingest.contracts.events import Code, Identifier, TimeMs
from ingest.contracts.fields import Money
from ingest.frames import OpeningInput

OPENING_UNITS_MAX: Final = 10**12
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Opening(BaseModel):
    """One line of an opening stock file."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    site: Identifier
    sku: Code
    quantity: Annotated[int, Field(ge=-OPENING_UNITS_MAX, le=OPENING_UNITS_MAX)]
    """Base units; negative where a book was below zero."""
    unit_cost_minor: Money = 0
    effective_at_ms: TimeMs = 0
    """0: when it is imported. A file may give `effective_at`, a date, instead."""


@dataclass(frozen=True, slots=True)
class StockFile:
    """A valid opening stock file."""

    import_id: str
    openings: tuple[OpeningInput, ...]


def read_openings(name: str, content: bytes, catalog: Catalog, *, import_id: str = "") -> StockFile:
    """Read and validate an opening stock file whole.

    Args:
        name: The file's name, for the errors.
        content: Its bytes, UTF-8.
        catalog: The sites and SKUs there are.
        import_id: Names the import; without one it is a hash of the content, so that the same
            file twice is the same import.

    Raises:
        CatalogError: It is refused: a line for each fault.
    """
    import_id = import_id or f"import-{hashlib.sha256(content).hexdigest()[:24]}"
    openings: list[Opening] = []
    faults: list[Fault] = []
    seen: set[tuple[str, str]] = set()
    try:
        for row in csv_rows(content.decode()):
            read = _opening(name, row, catalog)
            if not isinstance(read, Opening):
                faults += read
            elif (read.site, read.sku) in seen:
                text = f"SKU {read.sku} at {read.site} is there twice"
                faults.append(Fault((name, row.line), text))
            else:
                seen.add((read.site, read.sku))
                openings.append(read)
    except (csv.Error, UnicodeDecodeError) as error:
        faults.append(Fault((name, 1), f"this is no CSV in UTF-8: {error}"))
    if not faults and not openings:
        faults = [Fault((name, 1), "the file holds no line under its header")]
    if faults:
        raise refusal(faults, {fault.place: Mark(name, int(fault.place[1])) for fault in faults})
    return StockFile(import_id, tuple(_input(opening, import_id) for opening in openings))


def _opening(name: str, row: CsvRow, catalog: Catalog) -> Opening | list[Fault]:
    place = (name, row.line)
    cells: dict[str, str | int] = dict(row.cells)
    if "effective_at" in cells:
        try:
            moment = dt.datetime.fromisoformat(str(cells.pop("effective_at")))
            cells["effective_at_ms"] = int((moment - _EPOCH) // dt.timedelta(milliseconds=1))
        except (ValueError, TypeError):
            return [Fault(place, "effective_at is no date such as 2026-03-01T06:00:00Z")]
    if row.surplus:
        return [Fault(place, "the line has more cells than the header has columns")]
    try:
        opening = Opening.model_validate(cells)
    except ValidationError as error:
        return [Fault(place, f"{'.'.join(map(str, f.place))}: {f.text}") for f in faults_of(error)]
    faults = []
    if opening.site not in catalog.sites():
        faults.append(Fault(place, f"the catalogue has no site {opening.site}"))
    if catalog.sku(opening.sku) is None:
        faults.append(Fault(place, f"the catalogue has no SKU {opening.sku}"))
    return faults or opening


def _input(opening: Opening, import_id: str) -> OpeningInput:
    return OpeningInput(
        import_id=import_id,
        sku=opening.sku,
        site=opening.site,
        quantity_units=opening.quantity,
        unit_cost_minor=opening.unit_cost_minor,
        effective_at_ms=opening.effective_at_ms,
    )
