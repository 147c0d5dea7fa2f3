"""`shelfstream command`: what a person decides about transfers and requests.

Exit code 0: accepted; 1: refused; 2: it could not be asked; 3: no answer yet, the command stands in
the log and is pending.
"""

import asyncio
from typing import Annotated, Final

import msgspec
import typer

from deploy.command_send import send_command
from deploy.ledger_lookup import scans_of
from deploy.terminal import (
    ActorOption,
    ReasonOption,
    VersionOption,
    asked,
    kafka_settings,
    refuse,
    tell_answer,
    wall_ms,
)
from ingest.contracts.commands import Command
from ingest.frames import CommandVerb
from streams.scan_movements import lead_of, voided_movement

app = typer.Typer(no_args_is_help=True, help="Approve, reject and change transfers, as a person.")

TransferArgument = Annotated[str, typer.Argument(help="Such as transfer-SKU-12.")]
LotOption = Annotated[str, typer.Option("--lot", help="Only units of this lot.")]
HeldArgument = Annotated[int, typer.Argument(min=0, help="Base units; 0 for all.")]

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
    fields = {"expected_version": expected_version, "quantity_units": units}
    _send("edit_transfer", actor, reason, entity_id=transfer_id, **fields)


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
    found = asyncio.run(scans_of(kafka_settings(), scan))
    if len(found) != 1:
        ids = ", ".join(lead_of(one).movement_id for one in found)
        several = f"{scan} names several scans: void one of {ids}"
        refuse(several if found else f"the ledger has no {scan}")
    brought = [msgspec.structs.asdict(voided_movement(one)) for one in found[0]]
    entity_id = lead_of(found[0]).movement_id
    _send("void_movement", actor, reason, entity_id=entity_id, movements=tuple(brought))


def _send(verb: CommandVerb, actor: str, reason: str, **fields: object) -> None:
    wanted = asked(Command, actor, verb=verb, reason=reason, **fields)
    answer = asyncio.run(send_command(kafka_settings(), wanted, now_ms=wall_ms()))
    raise typer.Exit(tell_answer(answer, wanted.command_id))
