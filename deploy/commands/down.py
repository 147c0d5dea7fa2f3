"""`shelfstream down`: ends the stack of this home."""

import os
from pathlib import Path

import typer

from deploy.stack.home import home_of
from deploy.stack.local import stop_stack


def down() -> None:
    """End the stack and wait until every process is gone; data stays."""
    home = home_of(os.environ, Path.cwd())  # noqa: TID251 - a command is a main
    typer.echo("everything has ended" if stop_stack(home) else f"no stack runs in {home.path}")
