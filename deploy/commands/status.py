"""`shelfstream status`: what runs, as the supervisor last wrote it."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.stack.home import home_of
from deploy.stack.state import read_state
from deploy.stack.tables import status_table
from ingest.contracts.errors import StackError


def status(
    as_json: Annotated[bool, typer.Option("--json", help="The state file's object.")] = False,
) -> None:
    """Show every process; 1 unless the stack is ready and none has failed."""
    home = home_of(os.environ, Path.cwd())  # noqa: TID251 - a command is a main
    state = read_state(home)
    if state is None:
        raise StackError(f"there is no stack in {home.path}: `shelfstream up` makes one")
    if as_json:
        typer.echo(state.model_dump_json(indent=1))
    else:
        console = Console()
        console.print(status_table(state))
        if state.failure:
            console.print(state.failure, style="bold red", markup=False)
    failed = any(part.status == "failed" for part in state.parts)
    raise typer.Exit(1 if failed or state.phase != "ready" else 0)
