"""`shelfstream sensors`: how well what sensors say is turned into breaches."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from simulators.sensing_score import HOURS, SHELVES, Report, Score, report

app = typer.Typer(no_args_is_help=True, help="Sensors: score.")


@app.callback()
def sensors() -> None:
    """What sensors say, held against the truth."""


@app.command()
def score(
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same figures.")] = 1,
    shelves: Annotated[int, typer.Option(min=1, max=1_000, help="How many shelves.")] = SHELVES,
    hours: Annotated[float, typer.Option(min=0.1, max=1_000, help="Hours simulated.")] = HOURS,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Run labelled shelves through the stock fold, in memory: precision and recall of breaches."""
    found = report(seed, shelves=shelves, hours=hours)
    console = Console(soft_wrap=True)
    if as_json:
        console.print_json(data=found.to_json())
    else:
        console.print(_table(found))


def _table(found: Report) -> Table:
    table = Table(title=f"seed {found.seed}: {found.shelves} shelves, {found.hours:g} h")
    for name in ("faults", "precision", "recall", "breaches", "shortages"):
        table.add_column(name, justify="left" if name == "faults" else "right")
    _add(table, "all", found.every)
    _add(table, "none", found.none)
    for cost in found.costs:
        _add(table, f"{cost.fault} alone", cost.score)
    return table


def _add(table: Table, name: str, row: Score) -> None:
    figures = (f"{row.precision:.4f}", f"{row.recall:.4f}", str(row.opened), str(row.shortages))
    table.add_row(name, *figures)
