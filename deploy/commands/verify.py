"""`shelfstream verify`: compares the live table and the ledger with the oracle."""

import asyncio
import logging
import os
import time
import uuid
from pathlib import Path
from typing import Annotated

import typer
from aiokafka.errors import KafkaError
from rich.console import Console

from ingest.contracts.errors import ShelfstreamError
from ingest.contracts.settings import HOME_VARIABLE, KafkaSettings, load
from simulators.adapters.files import oracle_load
from simulators.checking import TIMEOUT_S_DEFAULT, verified
from simulators.screen import agreement_table
from simulators.settings import ORACLE_FILE_NAME
from simulators.verification import Agreement
from streams.engine.logs import configure_logs


def verify(
    oracle: Annotated[
        Path | None, typer.Option(help="The oracle's file; oracle.json in the stack's home.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds for a barrier to pass every partition.")
    ] = TIMEOUT_S_DEFAULT,
) -> None:
    """Compare stock and ledger with the oracle; 1 if anything is lost, doubled or different."""
    configure_logs(logging.WARNING)
    environ = os.environ  # noqa: TID251 - a command is a main
    home = Path(environ.get(HOME_VARIABLE, ".shelfstream"))
    begun_s = time.monotonic()
    try:
        found = asyncio.run(
            verified(
                load(KafkaSettings, environ),
                oracle_load(oracle or home / ORACLE_FILE_NAME),
                barrier_id=new_barrier_id(),
                timeout_s=timeout,
            )
        )
    except (ShelfstreamError, KafkaError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    show(found, time.monotonic() - begun_s, as_json=as_json)
    if not found.exact:
        raise typer.Exit(1)


def new_barrier_id() -> str:
    """Return an id that no barrier had before."""
    return f"verify-{uuid.uuid4()}"


def show(found: Agreement, seconds: float, *, as_json: bool) -> None:
    """Print what a verification found, on stdout."""
    console = Console(soft_wrap=True)
    if as_json:
        console.print_json(data=found.to_json())
    else:
        console.print(agreement_table(found, seconds))
