"""Catalogue files in CSV: one file a section, one line an entity. Pure.

`gtins` of a SKU are written `4006381333931;4006381333948:12` (units a pack behind the colon), other
lists as `a;b`. The channels of devices stand in `assignments.csv`, with the device beside them.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from ingest.catalog_faults import Mark
from ingest.catalog_tree import SECTIONS, Draft, Tree

ASSIGNMENTS: Final = "assignments"
CSV_SECTIONS: Final = (*SECTIONS, ASSIGNMENTS)
_LIST_COLUMNS: Final = {("rules", "channels"), ("rules", "kinds"), ("rules", "sites")}
_SEPARATOR: Final = re.compile(r"\s*;\s*")


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One line of a CSV file by column; empty cells are left out."""

    line: int
    cells: dict[str, str]
    surplus: bool
    """It has more cells than there are columns."""


def csv_rows(text: str) -> Iterator[CsvRow]:
    """Yield the lines under the header line.

    Raises:
        csv.Error: It can't be read as CSV.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    header = [name.strip() for name in next(reader, [])]
    line = reader.line_num + 1
    for row in reader:
        cells = {name: cell.strip() for name, cell in zip(header, row, strict=False)}
        given = {name: cell for name, cell in cells.items() if cell}
        if any(cell.strip() for cell in row):
            yield CsvRow(line, given, len(row) > len(header))
        line = reader.line_num + 1


def read_csv(draft: Draft, name: str, section: str, text: str) -> None:
    """Add the lines of one CSV file to a draft; faults are noted in it.

    Args:
        draft: The catalogue so far; `devices` come before `assignments`.
        name: The file's name, for the marks.
        section: What it holds: a section, or `assignments`.
        text: Its content.
    """
    try:
        for row in csv_rows(text):
            _add(draft, name, section, row)
    except csv.Error as error:
        draft.marks[name,] = Mark(name, 1)
        draft.fault((name,), f"this is no CSV: {error}")


def _add(draft: Draft, name: str, section: str, row: CsvRow) -> None:
    mark = Mark(name, row.line)
    if row.surplus:
        draft.marks[name, row.line] = mark
        draft.fault((name, row.line), "the line has more cells than the header has columns")
        return
    entity: Tree = {column: _cell(section, column, cell) for column, cell in row.cells.items()}
    if section == ASSIGNMENTS:
        _assign(draft, mark, entity)
    elif section == "network":
        if section in draft.tree:
            draft.marks[name, row.line] = mark
            draft.fault((name, row.line), "there is one network only")
        draft.tree[section] = entity
        draft.marks[section,] = mark
    else:
        draft.add(section, entity, mark)


def _assign(draft: Draft, mark: Mark, entity: Tree) -> None:
    device = entity.pop("device", "")
    for number, known in enumerate(draft.tree.get("devices", ())):
        if known.get("device") == device:
            channels = known.setdefault("channels", [])
            draft.marks["devices", number, "channels", len(channels)] = mark
            channels.append(entity)
            return
    draft.marks[mark.file, mark.line] = mark
    draft.fault((mark.file, mark.line), f"there is no device {device!r}")


def _cell(section: str, column: str, cell: str) -> Any:
    if (section, column) == ("skus", "gtins"):
        pairs = (part.partition(":") for part in _SEPARATOR.split(cell) if part)
        return [{"gtin": gtin, "units": units or "1"} for gtin, _, units in pairs]
    if (section, column) in _LIST_COLUMNS:
        return [part for part in _SEPARATOR.split(cell) if part]
    return cell
