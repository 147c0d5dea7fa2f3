"""`shelfstream doctor`: what is installed, what is missing, and what to do about it."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.stack.findings import findings
from deploy.stack.home import home_of

MARKS = {"good": "[green]good[/]", "optional": "[yellow]missing[/]", "bad": "[bold red]bad[/]"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="A list of findings.")] = False,
) -> None:
    """Look at tools, disk, ports, credentials and leftovers; 1 if something stands in the way."""
    home = home_of(os.environ, Path.cwd())  # noqa: TID251 - a command is a main
    found = list(findings(home))
    console = Console(soft_wrap=True)
    if as_json:
        console.print_json(data=[vars(finding) for finding in found])
    else:
        table = Table("what", "", "")
        for finding in found:
            table.add_row(finding.subject, MARKS[finding.verdict], escape(finding.sentence))
        console.print(table)
    raise typer.Exit(1 if any(finding.verdict == "bad" for finding in found) else 0)
