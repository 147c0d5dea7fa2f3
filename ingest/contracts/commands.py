"""Commands: what a person or another system asks of the stock fold, which answers in `events`.

A command is about an entity whose id names its SKU (`transfer-{sku}-{number}`), or, where there is
no entity yet, it names the SKU itself. The SKU decides the partition.
"""

from typing import Annotated, Final, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ingest.contracts import patterns
from ingest.contracts.events import IDENTIFIER_LENGTH_MAX, LOT_LENGTH_MAX, QUANTITY_UNITS_MAX, Code
from ingest.contracts.voids import VOIDED_MOVEMENTS_MAX, MovementFacts, VoidedMovement
from ingest.frames import CommandInput, CommandVerb

COMMAND_VERBS: Final[tuple[CommandVerb, ...]] = get_args(CommandVerb)
ENTITY_KINDS: Final[dict[CommandVerb, str]] = {
    "approve_transfer": "transfer",
    "reject_transfer": "transfer",
    "hold_transfer": "transfer",
    "edit_transfer": "transfer",
    "cancel_transfer": "transfer",
    "lose_transfer": "transfer",
    "reopen_transfer": "transfer",
    "assign_shipment": "transfer",
    "close_need": "need",
    "void_movement": "movement",
    "order_need": "need",
    "resize_need": "need",
}
"""What kind of entity a verb is about; the others name a SKU and sites."""

LOT_VERBS: Final = frozenset({"recall_lot", "lift_recall"})
"""Verbs that name a SKU and a lot, wherever it is."""
ANSWER_WAIT_MS: Final = 2_000
"""How long console and command line wait for an answer before they show `pending`."""

_SiteName = Annotated[str, Field(max_length=IDENTIFIER_LENGTH_MAX, pattern=patterns.NO_LEVELS)]
_EntityId = Annotated[str, Field(max_length=2 * IDENTIFIER_LENGTH_MAX, pattern=patterns.ENTITY_ID)]


class Command(BaseModel):
    """One command; the same `command_id` is carried out once."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    command_id: Code
    verb: CommandVerb
    entity_id: _EntityId = ""
    """The transfer, need or movement it is about."""
    sku: Annotated[str, Field(max_length=IDENTIFIER_LENGTH_MAX, pattern=patterns.NO_CONTROLS)] = ""
    """Only where there is no entity."""
    actor: Annotated[str, Field(min_length=1, max_length=200)]
    reason: Annotated[str, Field(max_length=1_000)] = ""
    expected_version: Annotated[int, Field(ge=0)] | None = None
    """Refused when the entity's version differs."""
    quantity_units: Annotated[int, Field(ge=0, le=QUANTITY_UNITS_MAX)] = 0
    site: _SiteName = ""
    """`order_transfer`: where it leaves from; `release_buffer`: whose buffer."""
    to_site: _SiteName = ""
    shipment_id: Annotated[str, Field(max_length=3 * IDENTIFIER_LENGTH_MAX)] = ""
    movements: Annotated[tuple[MovementFacts, ...], Field(max_length=VOIDED_MOVEMENTS_MAX)] = ()
    """`void_movement`: all that the scan left in the ledger, in its order."""
    lot: Annotated[str, Field(max_length=LOT_LENGTH_MAX)] = ""
    """`quarantine`, `release_quarantine`: only units of it; `recall_lot`, `lift_recall`: which."""

    @model_validator(mode="after")
    def _complete(self) -> "Command":
        kind = ENTITY_KINDS.get(self.verb)
        if kind is not None and (not self.entity_id.startswith(f"{kind}-") or self.sku):
            raise ValueError(
                f"{self.verb} takes the id of a {kind}, such as {kind}-milk-17, and no SKU"
            )
        if self.verb in LOT_VERBS:
            if self.entity_id or not self.sku or not self.lot or self.site:
                raise ValueError(f"{self.verb} takes a SKU and a lot, for all its sites")
        elif kind is None and (self.entity_id or not self.sku or not self.site):
            raise ValueError(f"{self.verb} takes a SKU and a site and no entity id")
        if self.verb == "order_transfer" and self.to_site in {"", self.site}:
            raise ValueError("order_transfer takes two different sites")
        if self.verb in {"order_transfer", "edit_transfer"} and self.quantity_units < 1:
            raise ValueError(f"{self.verb} takes a quantity of at least 1")
        if (self.verb == "void_movement") != bool(self.movements):
            raise ValueError("void_movement, and nothing else, takes the movements of a scan")
        return self

    @model_validator(mode="after")
    def _said_why(self) -> "Command":
        if self.verb == "release_buffer" and not self.reason.strip():
            raise ValueError("release_buffer takes a reason: it is released only on purpose")
        return self


def command_sku(command: Command) -> str:
    """Return the SKU that a command is about, which names its partition."""
    return command.sku or command.entity_id.partition("-")[2].rpartition("-")[0]


def command_input(command: Command) -> CommandInput:
    """Return a command as the stock fold reads it."""
    return CommandInput(
        command_id=command.command_id,
        verb=command.verb,
        sku=command_sku(command),
        entity_id=command.entity_id,
        actor=command.actor,
        reason=command.reason,
        expected_version=-1 if command.expected_version is None else command.expected_version,
        quantity_units=command.quantity_units,
        site=command.site,
        to_site=command.to_site,
        shipment_id=command.shipment_id,
        movements=tuple(VoidedMovement(**facts.model_dump()) for facts in command.movements),
        lot=command.lot,
    )
