"""`shelfstream simulate`: sensors, gateways, shoppers and staff of a made-up network, over MQTT."""

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from aiokafka.errors import KafkaError
from rich.console import Console

from deploy.simulated import load_network
from ingest.contracts.errors import ShelfstreamError
from simulators.compose import network_of, simulated, surroundings
from simulators.live import LiveRun
from simulators.settings import SimulatorSettings
from streams.engine.logs import configure_logs


def simulate(
    *,
    sites: Annotated[int, typer.Option(min=2, help="Sites, the warehouse among them.")] = 20,
    skus: Annotated[int, typer.Option(min=1, help="Articles.")] = 200,
    seed: Annotated[int, typer.Option(help="The same seed gives the same network.")] = 1,
    speed: Annotated[
        float, typer.Option(min=0.001, help="World seconds a second, where time is driven.")
    ] = 60.0,
    rate: Annotated[float, typer.Option(min=0, help="Wanted events a second.")] = 300.0,
    seconds: Annotated[float, typer.Option(min=0, help="How long; 0 until Ctrl-C.")] = 0.0,
    faults: Annotated[str, typer.Option(help="Of dup,disorder,offline,restart.")] = "",
    oracle: Annotated[Path | None, typer.Option(help="Where the truth is kept.")] = None,
) -> None:
    """Simulate a network against the running stack, and keep the truth for `verify`."""
    settings = SimulatorSettings(
        sites=sites,
        skus=skus,
        seed=seed,
        speed=speed,
        rate=rate,
        seconds=seconds,
        faults=faults,
        oracle_file=oracle,
    )
    configure_logs()
    runs: list[LiveRun] = []
    try:
        drained = asyncio.run(_simulate(settings, os.environ, runs))  # noqa: TID251 - a command is a main
    except (ShelfstreamError, KafkaError, ValueError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    Console(soft_wrap=True).print_json(data=runs[0].figures_json())
    if not drained:
        typer.echo("not every event was accepted in time: see `shelfstream status`", err=True)
        raise typer.Exit(1)


def now_ms() -> int:
    """Return the wall clock, UTC milliseconds."""
    return time.time_ns() // 1_000_000  # noqa: TID251 - a command is a main


async def _simulate(
    settings: SimulatorSettings, environ: Mapping[str, str], runs: list[LiveRun]
) -> bool:
    place = surroundings(
        environ, now_ms=now_ms, clock=time.monotonic, oracle_file=settings.oracle_file
    )

    def stoppable(run: LiveRun) -> None:
        runs.append(run)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, run.stop)

    version = await load_network(network_of(settings), place, now_ms=now_ms())
    return await simulated(settings, place, reference_version=version, on_run=stoppable)
