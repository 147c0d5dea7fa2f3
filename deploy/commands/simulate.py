"""`shelfstream simulate`: sensors, gateways, shoppers and staff of a made-up network, over MQTT."""

import asyncio
import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from deploy.simulated import load_network
from deploy.terminal import wall_ms
from ingest.contracts.errors import SettingsError
from simulators.compose import Surroundings, network_of, oracle_of, simulated, surroundings
from simulators.live import LiveRun
from simulators.settings import SimulatorSettings
from streams.engine.logs import configure_logs

SitesOption = Annotated[int, typer.Option(min=2, help="Sites, the warehouse among them.")]
SkusOption = Annotated[int, typer.Option(min=1, help="Articles.")]
SeedOption = Annotated[int, typer.Option(help="The same seed gives the same network.")]
SpeedOption = Annotated[
    float, typer.Option(min=0.001, help="World seconds a second, where time is driven.")
]
RateOption = Annotated[float, typer.Option(min=0, help="Wanted events a second.")]
SecondsOption = Annotated[float, typer.Option(min=0, help="How long; 0 until Ctrl-C.")]
FaultsOption = Annotated[str, typer.Option(help="Of dup,disorder,offline,restart.")]
OracleOption = Annotated[
    Path | None, typer.Option(help="The truth's file; oracle.json in the stack's home.")
]


def simulate(
    *,
    sites: SitesOption = 20,
    skus: SkusOption = 200,
    seed: SeedOption = 1,
    speed: SpeedOption = 60.0,
    rate: RateOption = 300.0,
    seconds: SecondsOption = 0.0,
    faults: FaultsOption = "",
    oracle: OracleOption = None,
) -> None:
    """Simulate a network against the running stack, and keep the truth for `verify`."""
    settings = settings_given(
        sites=sites,
        skus=skus,
        seed=seed,
        speed=speed,
        rate=rate,
        seconds=seconds,
        faults=faults,
    )
    configure_logs()
    runs: list[LiveRun] = []
    drained = asyncio.run(_simulate(settings, place_here(oracle), runs))
    Console(soft_wrap=True).print_json(data=runs[0].figures_json())
    if not drained:
        typer.echo("not every event was accepted: see `shelfstream status`", err=True)
        raise typer.Exit(1)


def settings_given(**given: Any) -> SimulatorSettings:
    """Return the settings of a command's options.

    Raises:
        SettingsError: An option is out of its range.
    """
    try:
        return SimulatorSettings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"--{first['loc'][0]}: {message}") from error


def place_here(oracle_file: Path | None = None) -> Surroundings:
    """Return the stack that the environment names."""
    return surroundings(
        os.environ,  # noqa: TID251 - a command is a main
        now_ms=wall_ms,
        clock=time.monotonic,
        oracle_file=oracle_file,
    )


async def _simulate(settings: SimulatorSettings, place: Surroundings, runs: list[LiveRun]) -> bool:
    # A truth that can't be gone on with is refused before anything is loaded.
    await oracle_of(place)
    version = await load_network(network_of(settings), place, now_ms=wall_ms())
    return await simulated(settings, place, reference_version=version, on_run=runs.append)
