"""What the stack's commands print: rich tables out of state and findings."""

from pathlib import Path
from typing import Final

from rich.markup import escape
from rich.table import Table

from deploy.stack.state import StackState

COLOURS: Final = {
    "running": "green",
    "done": "green",
    "failed": "bold red",
    "backing off": "yellow",
    "starting": "yellow",
    "waiting": "dim",
    "left out": "dim",
    "stopped": "dim",
}


def status_table(state: StackState) -> Table:
    """Return one row a process."""
    folders = sorted({str(Path(part.log).parent) for part in state.parts})
    table = Table(
        title=f"stack: {state.phase}",
        caption=f"logs are in {', '.join(folders)}",
        title_justify="left",
        caption_justify="left",
    )
    for name in ("process", "pid", "state", "restarts", "port", "log", "note"):
        table.add_column(name, overflow="fold")
    for part in state.parts:
        colour = COLOURS.get(part.status, "")
        table.add_row(
            part.name,
            str(part.pid or ""),
            f"[{colour}]{part.status}[/]" if colour else part.status,
            str(part.restarts),
            str(part.port or ""),
            Path(part.log).name,
            escape(part.note),
        )
    return table
