"""The ledger as a double-entry journal for finance: pure, one entry a movement that has a value.

Every entry debits one account and credits another with the same amount, so debits equal credits
line by line. An entry's id is its movement's, so what is exported twice is recognised by it.
"""

import tomllib
from typing import Final

import msgspec

from ingest.contracts.errors import SettingsError
from streams.contracts.ledger import Movement
from streams.contracts.voids import kind_in_effect

_KIND_ACCOUNTS: Final = {
    "opening": "opening_balance",
    "receive": "goods_received",
    "return": "cost_of_goods_sold",
    "sale": "cost_of_goods_sold",
    "pick": "cost_of_goods_sold",
    "fulfil": "cost_of_goods_sold",
    "waste": "waste",
    "adjust": "stock_adjustment",
    "count": "count_difference",
    "dispatch": "transfer_clearing",
    "dispatch_inferred": "transfer_clearing",
    "arrive": "transfer_clearing",
    "transit_in": "transfer_clearing",
    "loss": "transit_loss",
}


class Accounts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which account takes what; names or numbers of the company's own chart of accounts."""

    on_hand: str = "inventory"
    """The stock itself."""
    in_transit: str = "goods_in_transit"
    kinds: dict[str, str] = {}
    """The other side by the movement's kind, where it is not the default."""

    def __post_init__(self) -> None:
        """Refuse an empty name or a kind that no movement has."""
        unknown = sorted(set(self.kinds) - set(_KIND_ACCOUNTS))
        if unknown:
            raise ValueError(f"no movement is of kind {unknown[0]!r}")
        if not all((self.on_hand, self.in_transit, *self.kinds.values())):
            raise ValueError("an account needs a name")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the journal: the same amount on both sides."""

    entry_id: str
    """`journal-` and the movement's id: the same whenever it is exported."""
    recorded_at_ms: int
    """When it was booked, which names its period; UTC."""
    effective_at_ms: int
    """When it happened; earlier than its period where it was known late."""
    debit_account: str
    credit_account: str
    amount_minor: int
    """Positive; minor units of the network's currency."""
    site: str
    sku: str
    kind: str
    quantity_units: int
    """Signed, of the stock account."""
    cause: str
    transfer_id: str = ""
    lot: str = ""


def accounts_of(name: str, content: bytes) -> Accounts:
    """Return the accounts in a TOML file: `on_hand`, `in_transit`, and `[kinds]`.

    Raises:
        SettingsError: The file can't be read as accounts; it says why.
    """
    try:
        return msgspec.convert(tomllib.loads(content.decode()), Accounts)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"{name} names no accounts: {error}") from error


def entry_of(movement: Movement, accounts: Accounts) -> Entry | None:
    """Return a movement's entry; None where no value moved (also for reserved units)."""
    amount_minor = movement.value_minor
    if not amount_minor or movement.bucket not in {"on_hand", "in_transit"}:
        return None
    stock = accounts.on_hand if movement.bucket == "on_hand" else accounts.in_transit
    # A void goes back where the mistake went, or that account would keep it.
    kind = kind_in_effect(movement)
    other = accounts.kinds.get(kind) or _KIND_ACCOUNTS[kind]
    debit, credit = (stock, other) if amount_minor > 0 else (other, stock)
    return Entry(
        entry_id=f"journal-{movement.movement_id}",
        recorded_at_ms=movement.recorded_at_ms,
        effective_at_ms=movement.effective_at_ms,
        debit_account=debit,
        credit_account=credit,
        amount_minor=abs(amount_minor),
        site=movement.site,
        sku=movement.sku,
        kind=movement.kind,
        quantity_units=movement.quantity_units,
        cause=movement.cause,
        transfer_id=movement.transfer_id,
        lot=movement.lot,
    )
