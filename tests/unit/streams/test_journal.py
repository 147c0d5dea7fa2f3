"""The double-entry journal: which accounts, which side, which amounts."""

from typing import get_args

import pytest

from ingest.contracts.errors import SettingsError
from streams.contracts.ledger import Bucket, Movement, MovementKind
from streams.journal import Accounts, Entry, accounts_of, entry_of

WITHOUT_VALUE = {"open", "refused", "reserve", "release", "quarantine"}


def _movement(
    kind: MovementKind, value_minor: int, *, bucket: Bucket = "on_hand", units: int = 1
) -> Movement:
    return Movement(
        *("movement-TEA-7", "TEA", "oslo", kind, bucket, units, 0, units, "till/b/9", 5, 8),
        value_minor=value_minor,
    )


def _sides(kind: MovementKind, value_minor: int, bucket: Bucket = "on_hand") -> tuple[str, str]:
    entry = entry_of(_movement(kind, value_minor, bucket=bucket), Accounts())
    assert entry is not None
    return entry.debit_account, entry.credit_account


def test_a_sale_debits_its_cost_and_credits_the_stock() -> None:
    """The entry tells everything of its movement, and its amount is positive."""
    assert entry_of(_movement("sale", -250, units=-2), Accounts()) == Entry(
        entry_id="journal-movement-TEA-7",
        recorded_at_ms=8,
        effective_at_ms=5,
        debit_account="cost_of_goods_sold",
        credit_account="inventory",
        amount_minor=250,
        site="oslo",
        sku="TEA",
        kind="sale",
        quantity_units=-2,
        cause="till/b/9",
    )


@pytest.mark.parametrize(
    ("kind", "value_minor", "bucket", "sides"),
    [
        ("receive", 100, "on_hand", ("inventory", "goods_received")),
        ("return", 100, "on_hand", ("inventory", "cost_of_goods_sold")),
        ("count", -100, "on_hand", ("count_difference", "inventory")),
        ("count", 100, "on_hand", ("inventory", "count_difference")),
        ("dispatch", -100, "on_hand", ("transfer_clearing", "inventory")),
        ("transit_in", 100, "in_transit", ("goods_in_transit", "transfer_clearing")),
        ("transit_in", -100, "in_transit", ("transfer_clearing", "goods_in_transit")),
        ("loss", -100, "in_transit", ("transit_loss", "goods_in_transit")),
    ],
)
def test_the_sign_decides_the_side(
    kind: MovementKind, value_minor: int, bucket: Bucket, sides: tuple[str, str]
) -> None:
    """What adds value debits the stock account, what takes it away credits it."""
    assert _sides(kind, value_minor, bucket) == sides


@pytest.mark.parametrize("kind", get_args(MovementKind))
def test_every_kind_that_can_move_value_has_an_account(kind: MovementKind) -> None:
    """A new kind of movement must be given its account before it is written."""
    if kind not in WITHOUT_VALUE:
        assert entry_of(_movement(kind, 1), Accounts()) is not None


def test_what_moves_no_value_makes_no_entry() -> None:
    """Neither units without a value nor reserved ones reach finance."""
    assert entry_of(_movement("open", 0), Accounts()) is None
    assert entry_of(_movement("reserve", 0, bucket="reserved"), Accounts()) is None


def test_a_company_s_own_accounts_are_used() -> None:
    """Named accounts replace the defaults, kind by kind."""
    accounts = accounts_of("a.toml", b'on_hand = "1400"\n[kinds]\nsale = "5000"\n')
    entry = entry_of(_movement("sale", -9), accounts)
    assert entry is not None
    assert (entry.debit_account, entry.credit_account) == ("5000", "1400")
    assert _sides("waste", -9)[0] == "waste"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff", "names no accounts"),
        (b"on_hand = ", "Invalid value"),
        (b"on_hand = 7", "Expected `str`"),
        (b'shelf = "1"', "unknown field"),
        (b'on_hand = ""', "needs a name"),
        (b'[kinds]\ntheft = "1"', "no movement is of kind 'theft'"),
    ],
)
def test_a_wrong_accounts_file_is_refused(content: bytes, why: str) -> None:
    """The sentence names the file and what is wrong in it."""
    with pytest.raises(SettingsError, match=why) as caught:
        accounts_of("a.toml", content)
    assert str(caught.value).startswith("a.toml names no accounts: ")
