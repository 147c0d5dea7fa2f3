"""What a benchmark is asked for and what it tells: as JSON, as a Markdown table, as a picture."""

import json
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self, TypeAlias

from deploy.bench.plot import Bar, bar_chart
from ingest.contracts.errors import BenchError


def say_on_stderr(text: str) -> None:
    """Print one line of progress; stdout is for results."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """What a benchmark is asked for."""

    quick: bool
    """End within 50 s, with peers' environments already made."""
    rounds: int
    """How often each engine runs; at least 1."""
    folder: Path
    """Where results are written."""
    only: tuple[str, ...] = ()
    """The engines to measure, by their keys, where a benchmark has several; empty for all."""
    say: Callable[[str], None] = say_on_stderr
    """Takes one line of progress."""


class Spread(NamedTuple):
    """The smallest, middle and largest figure of several rounds."""

    min: float
    median: float
    max: float

    @classmethod
    def of(cls, figures: Iterable[float]) -> Self:
        """Return the spread of at least one figure.

        Raises:
            BenchError: There is no figure.
        """
        found = list(figures)
        if not found:
            raise BenchError("no round was measured")
        return cls(min(found), statistics.median(found), max(found))


Cell: TypeAlias = str | int | float | Spread | None
Value: TypeAlias = str | int | float | Mapping[str, str] | None
"""A figure of the headline; a mapping says why figures are absent. None: not measured."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The result of one benchmark."""

    name: str
    headline: Mapping[str, Value]
    """What `--json` prints as the last line."""
    rows: Sequence[Mapping[str, Cell]]
    """The table; columns appear in the order in which rows first name them."""
    notes: Sequence[str] = ()
    """What one must know to judge the figures: guarantees, what is absent and why, commands."""
    plot: str = ""
    """The column that is drawn, labelled by the row's text cells but the longest; empty: none."""
    failures: Sequence[str] = field(default=())
    """Results that were found to be wrong; the command then ends with code 1."""


def json_line(report: Report) -> str:
    """Return the headline as one JSON object on one line."""
    return json.dumps(dict(report.headline))


def markdown(report: Report) -> str:
    """Return headline, table and notes as Markdown."""
    parts = [f"# {report.name}", _table([("figure", "value"), *_headline_rows(report.headline)])]
    columns = columns_of(report.rows)
    if columns:
        body = [[cell_text(row.get(column)) for column in columns] for row in report.rows]
        parts.append(_table([columns, *body]))
    parts += [f"* {note}" for note in [*report.failures, *report.notes]]
    return "\n\n".join(parts) + "\n"


def columns_of(rows: Sequence[Mapping[str, Cell]]) -> list[str]:
    """Return every column that a row names, in the order of first mention."""
    return list(dict.fromkeys(column for row in rows for column in row))


def cell_text(cell: Cell) -> str:
    """Return a cell as text; a spread as its median with the extremes in brackets."""
    if isinstance(cell, Spread):
        low, middle, high = (_number(figure) for figure in cell)
        return middle if low == high else f"{middle} ({low} - {high})"
    if isinstance(cell, float):
        return _number(cell)
    return "-" if cell is None else f"{cell:,}" if isinstance(cell, int) else cell


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write `{name}.json`, `{name}.md` and, with a plot, `{name}.svg`; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"json": _document(report), "md": markdown(report)}
    if report.plot:
        texts["svg"] = bar_chart(f"{report.name}: {report.plot}", _bars(report))
    paths = []
    for ending, text in texts.items():
        path = folder / f"{report.name}.{ending}"
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


def _document(report: Report) -> str:
    rows = [
        {name: c._asdict() if isinstance(c, Spread) else c for name, c in row.items()}
        for row in report.rows
    ]
    document = {
        "name": report.name,
        "headline": dict(report.headline),
        "rows": rows,
        "notes": list(report.notes),
        "failures": list(report.failures),
    }
    return json.dumps(document, indent=1) + "\n"


def _headline_rows(headline: Mapping[str, Value]) -> list[list[str]]:
    rows = []
    for name, value in headline.items():
        if isinstance(value, Mapping):
            rows += [[f"{name}: {what}", why] for what, why in value.items()]
        else:
            rows.append([name, cell_text(value)])
    return rows


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *body])


def _bars(report: Report) -> list[Bar]:
    bars = []
    for row in report.rows:
        cell = row.get(report.plot)
        texts = [c for name, c in row.items() if isinstance(c, str) and name != "guarantee"]
        if isinstance(cell, Spread):
            bars.append(Bar(", ".join(texts), cell.median, cell.min, cell.max))
        elif isinstance(cell, (int, float)):
            bars.append(Bar(", ".join(texts), cell, cell, cell))
    return bars


def _number(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.3g}"  # noqa: PLR2004 - three digits
