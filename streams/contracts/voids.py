"""Voided movements: state of the stock fold, and what the ledger says of them."""

from typing import Final

import msgspec

from streams.contracts.ledger import Movement

VOIDED: Final = "voided"
"""Kind of state key: `voided`, movement id."""

WAS: Final = "was_"
"""Begins the flag of a `void` movement that says what it takes back: `was_sale`."""


class Voided(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """A movement that was voided; remembered for as long as it could be voided again."""

    movement_id: str
    recorded_at_ms: int
    command_id: str


def kind_in_effect(movement: Movement) -> str:
    """Return the kind whose effect a movement has or, voiding it, takes back."""
    if movement.kind != "void":
        return movement.kind
    if movement.bucket == "in_transit":
        return "transit_in"
    said = (flag.removeprefix(WAS) for flag in movement.flags if flag.startswith(WAS))
    return next(said, "adjust")
