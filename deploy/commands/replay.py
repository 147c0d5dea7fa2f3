"""`shelfstream replay`: a real order log through MQTT, as scans of many sites' gateways."""

import asyncio
import gzip
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console

from deploy.commands.simulate import OracleOption, place_here
from deploy.commands.verify import TimeoutOption, compared, show
from deploy.simulated import load_replay
from deploy.wording import counted
from ingest.contracts.errors import InstallationError
from simulators.adapters.files import oracle_save
from simulators.checking import TIMEOUT_S_DEFAULT
from simulators.compose import Surroundings, oracle_of
from simulators.greeting import greeted
from simulators.oracle import Oracle
from simulators.orderlog import (
    OrderLogError,
    Skipped,
    Survey,
    columns_read,
    order_lines,
    survey,
)
from simulators.replay_run import ReplayFigures, ReplayRun
from simulators.replaying import Replay, expect_replay, replay_sites
from simulators.simulation import time_message
from streams.engine.logs import configure_logs

SPEED_MAX = "max"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlan:
    """What a replay is asked for."""

    file: Path
    columns: Mapping[str, str]
    site_count: int
    speed: float | None
    """File seconds a second; None for as fast as receipts allow."""
    limit: int | None


def replay(
    file: Annotated[Path, typer.Argument(help="CSV, also gzipped.")],
    *,
    columns: Annotated[
        str, typer.Option("--map", help="NAME=COLUMN pairs: invoiced_at,quantity,sku,customer.")
    ] = "",
    sites: Annotated[int, typer.Option(min=1, max=1_000, help="Customers' sites.")] = 20,
    speed: Annotated[str, typer.Option(help="max, or file seconds a second.")] = SPEED_MAX,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many lines.")] = None,
    oracle: OracleOption = None,
    verify: Annotated[bool, typer.Option("--verify", help="Verify at the end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON objects.")] = False,
    timeout: TimeoutOption = TIMEOUT_S_DEFAULT,
) -> None:
    """Play an order log: positive quantities are sales, negative ones returns."""
    configure_logs(logging.WARNING)
    place = place_here(oracle)
    plan = ReplayPlan(
        file=file,
        columns=columns_read(columns),
        site_count=sites,
        speed=_speed(speed),
        limit=limit,
    )
    figures, truth = asyncio.run(replayed(plan, place, as_json=as_json))
    _finish(figures, as_json=as_json)
    if verify:
        _verify(place, truth, timeout, as_json=as_json)


def _speed(text: str) -> float | None:
    if text == SPEED_MAX:
        return None
    with suppress(ValueError):
        if float(text) > 0:
            return float(text)
    raise OrderLogError(f"{text!r} is no speed: write max, or a number above 0")


def opened(path: Path) -> TextIO:
    """Open an order log as text, gzipped or not, with or without a byte order mark.

    Raises:
        OrderLogError: There is no such file, or it may not be read.
    """
    try:
        if path.suffix == ".gz":
            return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
        return path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise OrderLogError(f"{path}: {error.strerror}") from error


async def replayed(
    plan: ReplayPlan, place: Surroundings, *, as_json: bool
) -> tuple[ReplayFigures, Oracle]:
    """Sum the file, load its catalogue, play it; return what was measured and what must come out.

    Raises:
        OrderLogError: The file is no order log by the given columns.
        InstallationError: The installation's time is not driven, or its topics are not there.
        KafkaError: Kafka can't be read or written.
    """
    if not place.driven:
        raise InstallationError(
            "a replay brings its own time: start the stack with `shelfstream up --time driven`"
        )
    with opened(plan.file) as rows:
        found = survey(rows, plan.columns, plan.site_count, limit=plan.limit)
    _tell_survey(found, quiet=as_json)
    sites = replay_sites(plan.site_count)
    truth = await oracle_of(place)
    version = await load_replay(found, sites, place, now_ms=found.first_at_ms)
    return await _played(plan, place, found, truth=truth, version=version), truth


async def _played(
    plan: ReplayPlan, place: Surroundings, found: Survey, *, truth: Oracle, version: int
) -> ReplayFigures:
    sites = replay_sites(plan.site_count)
    boot = f"replay-{place.now_ms():x}"
    with opened(plan.file) as rows, place.link("replay") as link:
        lines = order_lines(rows, plan.columns, plan.site_count, Skipped(), limit=plan.limit)
        replay_ = Replay(lines, sites, boot, driven=True)
        await greeted(
            place.kafka,
            link,
            replay_.fleet,
            reference_version=version,
            clock=place.clock,
            first=[time_message(found.first_at_ms)],
        )
        # Not before: a replay that never began must not be expected in the table.
        expect_replay(truth, found, sites, boot)
        oracle_save(place.oracle_file, truth)
        run = ReplayRun(
            replay_,
            link,
            clock=place.clock,
            speed=plan.speed,
            first_at_ms=found.first_at_ms,
            on_progress=_tell_progress,
        )
        return await asyncio.to_thread(run.run)


def _tell_survey(found: Survey, *, quiet: bool) -> None:
    skipped = found.skipped
    typer.echo(
        f"{counted(found.lines, 'line')} of {counted(len(found.skus), 'article')} at "
        f"{counted(len(found.lines_by_site), 'site')}, {counted(len(found.stock), 'key')}; "
        f"skipped {skipped.total:,} (quantity 0: {skipped.zero_quantity:,}, "
        f"bad code: {skipped.bad_code:,}, absurd quantity: {skipped.absurd_quantity:,})",
        err=quiet,
    )


def _tell_progress(figures: ReplayFigures) -> None:
    typer.echo(
        f"{figures.accepted_events:,} accepted in {figures.seconds:.1f} s, "
        f"{figures.events_per_s:,.0f} events/s, "
        f"accepted p50 {figures.accepted_ms_p50} ms, p99 {figures.accepted_ms_p99} ms",
        err=True,
    )


def _finish(figures: ReplayFigures, *, as_json: bool) -> None:
    if as_json:
        Console(soft_wrap=True).print_json(data=asdict(figures))
    else:
        _tell_progress(figures)
    if not figures.complete:
        typer.echo("receipts stopped coming: see `shelfstream status`", err=True)
        raise typer.Exit(1)


def _verify(place: Surroundings, truth: Oracle, timeout_s: float, *, as_json: bool) -> None:
    begun_s = time.monotonic()
    found = asyncio.run(compared(place, truth, timeout_s=timeout_s))
    show(found, time.monotonic() - begun_s, as_json=as_json)
    if not found.exact:
        raise typer.Exit(1)
