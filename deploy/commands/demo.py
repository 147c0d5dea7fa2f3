"""`shelfstream demo`: the whole pipeline on real parts, watched live, verified at the end."""

import asyncio
import logging
import os
import shutil
import signal
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table

from deploy.commands.simulate import (
    FaultsOption,
    RateOption,
    SecondsOption,
    SeedOption,
    SitesOption,
    SkusOption,
    SpeedOption,
    settings_given,
)
from deploy.commands.verify import compared, new_barrier_id
from deploy.simulated import load_network
from deploy.stack.home import HOME_NAME_DEFAULT, Home, is_locked
from deploy.stack.local import running_stack
from deploy.stack.plan import StackOptions
from deploy.stack.run import environment_of
from deploy.stack.state import read_state
from deploy.terminal import wall_ms
from ingest.contracts.errors import StackError
from simulators.board import Board
from simulators.checking import TIMEOUT_S_DEFAULT, barrier_passed
from simulators.compose import Surroundings, network_of, oracle_of, simulated, surroundings
from simulators.live import LiveRun
from simulators.screen import Surround, agreement_table, line, measured, picture
from simulators.settings import SimulatorSettings
from simulators.verification import Agreement
from streams.engine.logs import configure_logs

DEMO_HOME_NAME: Final = "demo"
PICTURE_S: Final = 0.5
LINE_S: Final = 5.0
INFLUX_PARTS: Final = ("influxdb-build", "influxdb", "sink")


def demo(
    *,
    seconds: SecondsOption = 0.0,
    sites: SitesOption = 20,
    skus: SkusOption = 200,
    seed: SeedOption = 1,
    speed: SpeedOption = 60.0,
    rate: RateOption = 500.0,
    faults: FaultsOption = "",
    influx: Annotated[bool, typer.Option(help="Build and fill InfluxDB too.")] = True,
) -> None:
    """Start everything, let a network of shops live, show it, and verify it at the end."""
    settings = settings_given(
        sites=sites,
        skus=skus,
        seed=seed,
        speed=speed,
        rate=rate,
        seconds=seconds,
        faults=faults,
    )
    console = Console(soft_wrap=True)
    environ = dict(os.environ)  # noqa: TID251 - a command is a main
    home = Home((Path.cwd() / HOME_NAME_DEFAULT / DEMO_HOME_NAME).resolve())
    begun_s = time.monotonic()
    signal.signal(signal.SIGTERM, _interrupt)
    configure_logs(logging.WARNING)
    _empty(home)
    options = StackOptions(time="driven", influx=influx)
    exact = None
    try:
        with running_stack(home, options, environ, say=console.print):
            whole = _Demo(settings, home, environ, console, begun_s)
            outcome = asyncio.run(whole.run())
            exact = outcome.exact
            whole.tell(outcome)
    except KeyboardInterrupt:
        # In the simulation a signal only ends the demand. One that comes while the stack ends
        # changes no verdict: the kernel sees to it that the stack does end.
        if exact is None:
            typer.echo("ended before anything was verified", err=True)
    if not exact:
        raise typer.Exit(1)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _empty(home: Home) -> None:
    # A demo begins at the beginning; what is costly to make lies in the user's cache.
    if is_locked(home):
        raise StackError(f"a demo already runs in {home.path}: end it first")
    shutil.rmtree(home.path, ignore_errors=True)


@dataclass(slots=True)
class _Outcome:
    drained: bool
    found: Agreement
    seconds: float

    @property
    def exact(self) -> bool:
        return self.drained and self.found.exact


class _Demo:
    """One demo on a running stack."""

    def __init__(
        self,
        settings: SimulatorSettings,
        home: Home,
        environ: Mapping[str, str],
        console: Console,
        begun_s: float,
    ) -> None:
        self._settings = settings
        self._home = home
        self._place: Surroundings = surroundings(
            environment_of(home, environ), now_ms=wall_ms, clock=time.monotonic
        )
        self._console = console
        self._begun_s = begun_s
        self._live_s = 0.0
        self._run: LiveRun | None = None
        self._board = Board(
            self._place.kafka, clock=time.monotonic, name=lambda: f"probe-{uuid.uuid4()}"
        )

    async def run(self) -> _Outcome:
        """Simulate, show, verify; return what came out."""
        self._live_s = time.monotonic()
        watching = asyncio.create_task(self._board.run())
        simulating = asyncio.create_task(self._simulated())
        try:
            await self._show(watching, simulating)
            return await self._verified(await simulating)
        finally:
            for task in (simulating, watching):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def tell(self, outcome: _Outcome) -> None:
        """Print what was measured and what was verified."""
        self._console.print(self._summary())
        self._console.print(agreement_table(outcome.found, outcome.seconds))
        if not outcome.drained:
            self._console.print("not every event was accepted: see the logs of the demo's home")

    async def _simulated(self) -> bool:
        place = self._place
        version = await load_network(network_of(self._settings), place, now_ms=wall_ms())
        # A fold that is still starting would be measured as a slow one.
        await barrier_passed(place.kafka, new_barrier_id(), TIMEOUT_S_DEFAULT)
        self._board.probing = True
        return await simulated(
            self._settings, place, reference_version=version, on_run=self._started
        )

    def _started(self, run: LiveRun) -> None:
        self._run = run

    async def _show(self, watching: "asyncio.Task[None]", simulating: "asyncio.Task[bool]") -> None:
        async def shown_until_done(show: Callable[[], None], every_s: float) -> None:
            while not (simulating.done() or watching.done()):
                show()
                await asyncio.wait(
                    {simulating, watching}, timeout=every_s, return_when=asyncio.FIRST_COMPLETED
                )

        if sys.stdout.isatty():
            with Live(console=self._console, screen=True, auto_refresh=False) as live:
                await shown_until_done(
                    lambda: live.update(self._picture(), refresh=True), PICTURE_S
                )
        else:
            await shown_until_done(self._print_line, LINE_S)
        if watching.done():
            watching.result()

    def _picture(self) -> RenderableType:
        figures = self._run.figures() if self._run is not None else None
        return picture(self._board.view, figures, self._surround(), size=self._console.size)

    def _print_line(self) -> None:
        figures = self._run.figures() if self._run is not None else None
        text = line(self._board.view, figures, self._surround())
        self._console.print(text, highlight=False)

    def _surround(self) -> Surround:
        elapsed_s = time.monotonic() - self._live_s
        seconds = self._settings.seconds
        return Surround(
            lag_records=self._board.lag_records,
            influx=self._influx(),
            elapsed_s=elapsed_s,
            seconds_left=max(0.0, seconds - elapsed_s) if seconds else None,
        )

    def _influx(self) -> str:
        state = read_state(self._home)
        parts = [state.part(name) for name in INFLUX_PARTS] if state else []
        return ", ".join(f"{part.name}: {part.status}" for part in parts if part is not None)

    async def _verified(self, drained: bool) -> _Outcome:
        begun_s = time.monotonic()
        found = await compared(self._place, await oracle_of(self._place))
        return _Outcome(drained, found, time.monotonic() - begun_s)

    def _summary(self) -> RenderableType:
        assert self._run is not None  # noqa: S101 - the simulation has ended, so it began
        figures, view = self._run.figures(), self._board.view
        totals = view.totals()
        seconds = figures.seconds
        table = Table(title="What happened", title_justify="left", min_width=50)
        table.add_column("what")
        table.add_column("measured", justify="right")
        rows = (
            ("stack ready after", f"{self._live_s - self._begun_s:.1f} s"),
            ("simulated for", f"{seconds:.1f} s at {self._settings.speed:g} times"),
            ("events accepted", f"{figures.accepted_events:,}"),
            ("events a second", f"{figures.accepted_events / max(seconds, 0.001):,.0f}"),
            ("of them scans", f"{figures.scans:,}"),
            ("sent again", f"{figures.resent_events:,}"),
            ("publish to accepted p50", measured(figures.accepted_ms_p50)),
            ("publish to accepted p99", measured(figures.accepted_ms_p99)),
            ("barrier through the fold p50", measured(view.barrier_ms_percentile(0.5))),
            ("barrier through the fold p99", measured(view.barrier_ms_percentile(0.99))),
            ("breaches opened", f"{totals.breaches_opened:,}"),
            ("breaches open now", f"{totals.breaches_open:,}"),
            ("transfers received", f"{totals.transfers_received:,}"),
            ("transfers on the way", f"{totals.transfers_on_the_way:,}"),
            ("needs served", f"{totals.needs_closed:,}"),
            ("sales lost, units", f"{figures.lost_sales_units:,}"),
            ("InfluxDB", self._influx() or "left out"),
        )
        for row in rows:
            table.add_row(*row)
        return table
