"""`shelfstream up`: starts the local stack, in the foreground or behind the terminal."""

import asyncio
import os
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.status import Status

from deploy.stack.home import Home, home_of
from deploy.stack.local import start_stack
from deploy.stack.parts import SETTLED, PartState
from deploy.stack.plan import StackOptions
from deploy.stack.run import install_parts, run_stack
from deploy.stack.state import Phase, read_state
from deploy.stack.tables import COLOURS, status_table
from deploy.terminal import wall_ms
from ingest.contracts.errors import StackError


def up(
    *,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when ready; `down` ends it.")
    ] = False,
    apps: Annotated[bool, typer.Option("--apps/--no-apps", help="Or only the brokers.")] = True,
    workers: Annotated[int, typer.Option(min=1, help="Workers of the stock fold.")] = 1,
    bridges: Annotated[int, typer.Option(min=1, help="Bridges that share the sites.")] = 1,
    time: Annotated[
        Literal["wall", "driven"] | None, typer.Option(help="Who says what time it is.")
    ] = None,
    partitions: Annotated[
        int | None, typer.Option(min=1, help="Partitions of a new installation.")
    ] = None,
) -> None:
    """Start Kafka, mosquitto, InfluxDB and every process; Ctrl-C ends them all."""
    console = Console()
    environ = dict(os.environ)  # noqa: TID251 - a command is a main
    home = home_of(environ, Path.cwd())
    options = StackOptions(
        apps=apps, workers=workers, bridges=bridges, time=time, partition_count=partitions
    )

    def say(sentence: str) -> None:
        console.print(escape(sentence))

    if detach:
        with console.status("starting the stack"):
            state = start_stack(home, options, environ, say=say)
        console.print(status_table(state))
        console.print("end it with `shelfstream down`")
        return
    with console.status("installing what is missing"):
        install_parts(say)
    with Status("starting the stack", console=console) as status:
        progress = _Progress(home, console, status)
        stack = run_stack(home, options, environ, observer=progress.observe, now_ms=wall_ms())
        failure = asyncio.run(stack)
    if failure:
        raise StackError(failure)
    console.print("everything has ended; data stays in", str(home.path))


class _Progress:
    """Prints each change of a process once, and turns a wheel while some are not ready."""

    def __init__(self, home: Home, console: Console, status: Status) -> None:
        self._home = home
        self._console = console
        self._status = status
        self._seen: dict[str, str] = {}
        self._phase: Phase = "starting"

    def observe(self, phase: Phase, part: PartState | None) -> None:
        """Take a change from the supervisor."""
        if part is not None and self._seen.get(part.name) != part.status:
            self._seen[part.name] = part.status
            note = f": {part.note}" if part.note else ""
            colour = COLOURS.get(part.status, "dim")
            self._console.print(f"{part.name} [{colour}]{part.status}[/]{escape(note)}")
        if phase == "ready" and self._phase != "ready":
            state = read_state(self._home)
            self._console.print(status_table(state) if state else "")
            self._console.print("ready; Ctrl-C ends everything")
        self._phase = phase
        busy = [name for name, status in self._seen.items() if status not in SETTLED]
        if busy:
            self._status.start()
            self._status.update(f"not ready yet: {', '.join(busy)}")
        else:
            self._status.stop()
