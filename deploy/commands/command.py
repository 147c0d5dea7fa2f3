"""`shelfstream command`: what a person decides about transfers and requests.

Exit code 0: accepted; 1: refused; 2: it could not be asked; 3: no answer yet, the command stands in
the log and is pending.
"""

import asyncio
import getpass
import os
import time
import uuid
from typing import Annotated, Final

import msgspec
import typer
from pydantic import ValidationError

from deploy.command_send import Answer, send_command
from deploy.ledger_lookup import scans_of
from ingest.contracts.commands import Command
from ingest.contracts.errors import SettingsError
from ingest.contracts.settings import KafkaSettings, load
from ingest.frames import CommandVerb
from streams.contracts.events import CommandAccepted
from streams.scan_movements import lead_of, voided_movement

REFUSED_CODE: Final = 1
PENDING_CODE: Final = 3

app = typer.Typer(no_args_is_help=True, help="Approve, reject and change transfers, as a person.")

TransferArgument = Annotated[str, typer.Argument(help="Such as transfer-SKU-12.")]
ActorOption = Annotated[str, typer.Option("--actor", help="Who decides; the login name if empty.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept with the command.")]
LotOption = Annotated[str, typer.Option("--lot", help="Only units of this lot.")]
HeldArgument = Annotated[int, typer.Argument(min=0, help="Base units; 0 for all.")]
VersionOption = Annotated[
    int | None,
    typer.Option("--expected-version", min=0, help="Refuse if it has changed since this version."),
]

TRANSFER_WORDS: Final[dict[str, tuple[CommandVerb, str]]] = {
    "approve": ("approve_transfer", "Approve a proposed, held or reopened transfer."),
    "reject": ("reject_transfer", "Reject a proposed transfer."),
    "hold": ("hold_transfer", "Hold a transfer: it does not expire, and nobody carries it out."),
    "cancel": ("cancel_transfer", "Cancel a transfer, or what of it has not left."),
    "lose": ("lose_transfer", "Give up what is on its way."),
    "reopen": ("reopen_transfer", "Reopen a transfer that was refused, had expired or was lost."),
}
"""What takes nothing but a transfer's id: the word, the verb and the help."""
HOLD_WORDS: Final[dict[str, tuple[CommandVerb, str]]] = {
    "quarantine": (
        "quarantine",
        "Keep units, or a lot, of an article at a site out of available stock.",
    ),
    "release-quarantine": ("release_quarantine", "Let quarantined units be sold again."),
}
RECALL_WORDS: Final[dict[str, tuple[CommandVerb, str]]] = {
    "recall-lot": (
        "recall_lot",
        "Recall a lot: it is quarantined at every site, also where it arrives later.",
    ),
    "lift-recall": (
        "lift_recall",
        "End a recall, and let what of the lot is quarantined be sold again.",
    ),
}


@app.callback()
def command() -> None:
    """Commands to the stock fold; each is answered in the log of events."""


def _add_transfer_word(word: str, verb: CommandVerb, help_text: str) -> None:
    @app.command(word, help=help_text)
    def _(
        transfer_id: TransferArgument,
        actor: ActorOption = "",
        reason: ReasonOption = "",
        expected_version: VersionOption = None,
    ) -> None:
        _send(verb, actor, reason, entity_id=transfer_id, expected_version=expected_version)


for _word, (_verb, _help_text) in TRANSFER_WORDS.items():
    _add_transfer_word(_word, _verb, _help_text)


@app.command()
def edit(
    transfer_id: TransferArgument,
    units: Annotated[int, typer.Argument(min=1, help="The new quantity, base units.")],
    actor: ActorOption = "",
    reason: ReasonOption = "",
    expected_version: VersionOption = None,
) -> None:
    """Change the quantity of a transfer of which nothing has left."""
    asked = {"expected_version": expected_version, "quantity_units": units}
    _send("edit_transfer", actor, reason, entity_id=transfer_id, **asked)


@app.command("close-need")
def close_need(
    need_id: Annotated[str, typer.Argument(help="Such as need-SKU-7.")],
    actor: ActorOption = "",
    reason: ReasonOption = "",
    expected_version: VersionOption = None,
) -> None:
    """Close a replenishment request."""
    _send("close_need", actor, reason, entity_id=need_id, expected_version=expected_version)


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
    places = {"site": from_site, "to_site": to_site}
    _send("order_transfer", actor, reason, sku=sku, quantity_units=units, **places)


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


def _add_hold_word(word: str, verb: CommandVerb, help_text: str) -> None:
    @app.command(word, help=help_text)
    def _(  # noqa: PLR0917 - typer makes arguments of them
        sku: str,
        site: str,
        units: HeldArgument = 0,
        lot: LotOption = "",
        actor: ActorOption = "",
        reason: ReasonOption = "",
    ) -> None:
        _send(verb, actor, reason, sku=sku, site=site, quantity_units=units, lot=lot)


for _word, (_verb, _help_text) in HOLD_WORDS.items():
    _add_hold_word(_word, _verb, _help_text)


def _add_recall_word(word: str, verb: CommandVerb, help_text: str) -> None:
    @app.command(word, help=help_text)
    def _(sku: str, lot: str, actor: ActorOption = "", reason: ReasonOption = "") -> None:
        _send(verb, actor, reason, sku=sku, lot=lot)


for _word, (_verb, _help_text) in RECALL_WORDS.items():
    _add_recall_word(_word, _verb, _help_text)


@app.command()
def void(
    scan: Annotated[
        str, typer.Argument(help="A movement such as movement-SKU-12, or SOURCE/BOOT/SEQ.")
    ],
    actor: ActorOption = "",
    reason: ReasonOption = "",
) -> None:
    """Take a mistaken scan back: its reversal is booked now, once."""
    found = asyncio.run(scans_of(_kafka(), scan))
    if len(found) != 1:
        ids = ", ".join(lead_of(one).movement_id for one in found)
        several = f"{scan} names several scans: void one of {ids}"
        typer.echo(several if found else f"the ledger has no {scan}", err=True)
        raise typer.Exit(REFUSED_CODE)
    brought = [msgspec.structs.asdict(voided_movement(one)) for one in found[0]]
    entity_id = lead_of(found[0]).movement_id
    _send("void_movement", actor, reason, entity_id=entity_id, movements=tuple(brought))


def _kafka() -> KafkaSettings:
    return load(KafkaSettings, os.environ)  # noqa: TID251 - a command is a main


def _send(verb: CommandVerb, actor: str, reason: str, **fields: object) -> None:
    command_id = str(uuid.uuid4())
    given = {"command_id": command_id, "verb": verb, "reason": reason, **fields}
    try:
        asked = Command.model_validate({**given, "actor": actor or login_name()})
    except ValidationError as error:
        typer.echo(refusal_sentence(error), err=True)
        raise typer.Exit(REFUSED_CODE) from error
    now_ms = time.time_ns() // 1_000_000  # noqa: TID251 - a command is a main
    answer = asyncio.run(send_command(_kafka(), asked, now_ms=now_ms))
    raise typer.Exit(tell_answer(answer, command_id))


def login_name() -> str:
    """Return who sits at this terminal.

    Raises:
        SettingsError: The user id has no name, as in containers.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:  # a user id without a name, as in containers
        raise SettingsError("this user has no login name: say who decides by --actor") from error


def refusal_sentence(error: ValidationError) -> str:
    """Return what is wrong with a command that was never sent, with the field's name."""
    first = error.errors()[0]
    message = str(first["msg"])
    if not first["loc"]:
        return message.removeprefix("Value error, ")
    return f"{first['loc'][0]} {first['input']!r}: {message}"


def tell_answer(answer: Answer | None, command_id: str) -> int:
    """Tell a person of the fold's answer, a refusal on stderr; return the exit code."""
    sentence, code = answer_sentence(answer, command_id)
    typer.echo(sentence, err=code == REFUSED_CODE)
    return code


def answer_sentence(answer: Answer | None, command_id: str) -> tuple[str, int]:
    """Return what to tell a person of the fold's answer, and the exit code."""
    if answer is None:
        return f"pending: no answer to command {command_id} yet", PENDING_CODE
    if isinstance(answer, CommandAccepted):
        return f"accepted: {answer.entity_id}{_version(answer.version)}", 0
    state = f" (it is {answer.current_state}{_version(answer.current_version)})"
    return f"refused: {answer.reason}{state if answer.current_state else ''}", REFUSED_CODE


def _version(number: int) -> str:
    return f", version {number}" if number else ""  # alerts, holds and voided scans have none
