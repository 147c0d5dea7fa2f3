"""`shelfstream verify`: compares the live table and the ledger with the oracle.

Exit code 0: exact; 1: something is lost, doubled or different; 2: it could not be compared.
"""

import asyncio
import logging
import time
import uuid
from typing import Annotated

import typer
from rich.console import Console

from deploy.commands.simulate import OracleOption, place_here
from simulators.adapters.files import oracle_load
from simulators.checking import TIMEOUT_S_DEFAULT, verified
from simulators.compose import Surroundings
from simulators.oracle import Oracle
from simulators.screen import agreement_table
from simulators.verification import Agreement
from streams.engine.logs import configure_logs

TimeoutOption = Annotated[
    float, typer.Option(min=1, help="Seconds for a barrier to pass every partition.")
]


def verify(
    oracle: OracleOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    timeout: TimeoutOption = TIMEOUT_S_DEFAULT,
) -> None:
    """Compare stock, ledger and oracle; 1 if anything is lost, doubled or different."""
    configure_logs(logging.WARNING)
    place = place_here(oracle)
    truth = None
    if oracle is not None or place.oracle_file.is_file():
        truth = oracle_load(place.oracle_file)
    else:
        typer.echo(
            f"there is no oracle at {place.oracle_file}: table and ledger are compared with each "
            "other, and nobody knows of lost scans",
            err=True,
        )
    begun_s = time.monotonic()
    found = asyncio.run(compared(place, truth, timeout_s=timeout))
    show(found, time.monotonic() - begun_s, as_json=as_json)
    if not found.exact:
        raise typer.Exit(1)


async def compared(
    place: Surroundings, truth: Oracle | None, *, timeout_s: float = TIMEOUT_S_DEFAULT
) -> Agreement:
    """Return how far table and ledger agree with the truth; the errors are those of `verified`."""
    return await verified(place.kafka, truth, barrier_id=new_barrier_id(), timeout_s=timeout_s)


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
