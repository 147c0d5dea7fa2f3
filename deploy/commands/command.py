"""`shelfstream command`: what a person decides about transfers and requests.

Exit code 0: accepted; 1: refused; 3: no answer yet, the command stands in the log and is pending.
"""

import asyncio
import getpass
import os
import time
import uuid
from typing import Annotated, Final

import typer
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from deploy.command_send import send_command
from ingest.contracts.commands import Command
from ingest.contracts.errors import ShelfstreamError
from ingest.contracts.settings import KafkaSettings, load
from ingest.frames import CommandVerb
from streams.contracts.events import CommandAccepted

REFUSED_CODE: Final = 1
PENDING_CODE: Final = 3

app = typer.Typer(no_args_is_help=True, help="Approve, reject and change transfers, as a person.")

TransferArgument = Annotated[str, typer.Argument(help="Such as transfer-SKU-12.")]
ActorOption = Annotated[str, typer.Option("--actor", help="Who decides; the login name if empty.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept with the command.")]
VersionOption = Annotated[
    int | None,
    typer.Option("--expected-version", min=0, help="Refuse if it has changed since this version."),
]


@app.callback()
def command() -> None:
    """Commands to the stock fold; each is answered in the log of events."""


@app.command()
def approve(
    transfer_id: TransferArgument,
    actor: ActorOption = "",
    reason: ReasonOption = "",
    expected_version: VersionOption = None,
) -> None:
    """Approve a proposed, held or reopened transfer."""
    _send(
        "approve_transfer",
        actor,
        reason,
        entity_id=transfer_id,
        expected_version=expected_version,
    )


@app.command()
def reject(
    transfer_id: TransferArgument,
    actor: ActorOption = "",
    reason: ReasonOption = "",
    expected_version: VersionOption = None,
) -> None:
    """Reject a proposed transfer."""
    _send(
        "reject_transfer",
        actor,
        reason,
        entity_id=transfer_id,
        expected_version=expected_version,
    )


@app.command()
def hold(
    transfer_id: TransferArgument,
    actor: ActorOption = "",
    reason: ReasonOption = "",
    expected_version: VersionOption = None,
) -> None:
    """Hold a transfer: it does not expire, and nobody carries it out."""
    _send(
        "hold_transfer",
        actor,
        reason,
        entity_id=transfer_id,
        expected_version=expected_version,
    )


@app.command()
def edit(
    transfer_id: TransferArgument,
    units: Annotated[int, typer.Argument(min=1, help="The new quantity, base units.")],
    actor: ActorOption = "",
    reason: ReasonOption = "",
    expected_version: VersionOption = None,
) -> None:
    """Change the quantity of a transfer of which nothing has left."""
    _send(
        "edit_transfer",
        actor,
        reason,
        entity_id=transfer_id,
        expected_version=expected_version,
        quantity_units=units,
    )


@app.command()
def cancel(
    transfer_id: TransferArgument,
    actor: ActorOption = "",
    reason: ReasonOption = "",
    expected_version: VersionOption = None,
) -> None:
    """Cancel a transfer, or what of it has not left."""
    _send(
        "cancel_transfer",
        actor,
        reason,
        entity_id=transfer_id,
        expected_version=expected_version,
    )


@app.command()
def lose(
    transfer_id: TransferArgument,
    actor: ActorOption = "",
    reason: ReasonOption = "",
    expected_version: VersionOption = None,
) -> None:
    """Give up what is on its way."""
    _send(
        "lose_transfer",
        actor,
        reason,
        entity_id=transfer_id,
        expected_version=expected_version,
    )


@app.command()
def reopen(
    transfer_id: TransferArgument,
    actor: ActorOption = "",
    reason: ReasonOption = "",
    expected_version: VersionOption = None,
) -> None:
    """Reopen a transfer that was refused, had expired or was lost."""
    _send(
        "reopen_transfer",
        actor,
        reason,
        entity_id=transfer_id,
        expected_version=expected_version,
    )


@app.command("close-need")
def close_need(
    need_id: Annotated[str, typer.Argument(help="Such as need-SKU-7.")],
    actor: ActorOption = "",
    reason: ReasonOption = "",
    expected_version: VersionOption = None,
) -> None:
    """Close a replenishment request."""
    _send(
        "close_need",
        actor,
        reason,
        entity_id=need_id,
        expected_version=expected_version,
    )


@app.command("order-transfer")
def order_transfer(  # noqa: PLR0917 - typer makes arguments of them
    sku: str,
    from_site: str,
    to_site: str,
    units: Annotated[int, typer.Argument(min=1, help="Base units.")],
    actor: ActorOption = "",
    reason: ReasonOption = "",
) -> None:
    """Order a transfer that nobody proposed; it is approved at once."""
    _send(
        "order_transfer",
        actor,
        reason,
        sku=sku,
        site=from_site,
        to_site=to_site,
        quantity_units=units,
    )


@app.command("release-buffer")
def release_buffer(
    sku: str,
    site: str,
    units: Annotated[int, typer.Argument(min=0, help="Base units; 0 for all of it.")] = 0,
    actor: ActorOption = "",
    reason: ReasonOption = "",
) -> None:
    """Release the emergency buffer of an article at a site."""
    _send("release_buffer", actor, reason, sku=sku, site=site, quantity_units=units)


def _send(verb: CommandVerb, actor: str, reason: str, **fields: str | int | None) -> None:
    command_id = str(uuid.uuid4())
    given = {"command_id": command_id, "verb": verb, "reason": reason, **fields}
    try:
        kafka = load(KafkaSettings, os.environ)  # noqa: TID251 - a command is a main
        asked = Command.model_validate({**given, "actor": actor or getpass.getuser()})
        now_ms = time.time_ns() // 1_000_000  # noqa: TID251 - the same
        answer = asyncio.run(send_command(kafka, asked, now_ms=now_ms))
    except ValidationError as error:
        typer.echo(str(error.errors()[0]["msg"]).removeprefix("Value error, "), err=True)
        raise typer.Exit(REFUSED_CODE) from error
    except (ShelfstreamError, KafkaError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(REFUSED_CODE) from error
    if answer is None:
        typer.echo(f"pending: no answer to command {command_id} yet")
        raise typer.Exit(PENDING_CODE)
    if isinstance(answer, CommandAccepted):
        typer.echo(f"accepted: {answer.entity_id}, version {answer.version}")
        return
    state = f" (it is {answer.current_state}, version {answer.current_version})"
    typer.echo(f"refused: {answer.reason}{state if answer.current_state else ''}", err=True)
    raise typer.Exit(REFUSED_CODE)
