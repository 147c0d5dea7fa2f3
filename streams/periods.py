"""The ledger of a period: opening + in - out + adjust = closing, in units and in money.

Pure: committed records in, balances out. Movements give the opening and what happened; the closing
is what the live table says, less what the ledger recorded since. So the equation is no tautology:
it fails where the ledger lacks, repeats or miscounts a movement.

A period is cut by `recorded_at_ms`, the order in which costs were averaged: what comes late is
booked in the period in which it came, and a closed period never changes.
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from typing import Final, Literal

from streams.contracts.ledger import Movement
from streams.contracts.state import (
    LEVEL,
    NUMBER,
    SEPARATOR,
    TRANSFER,
    Level,
    SkuNumber,
    Transfer,
    decode,
    key_parts,
)

Place = Literal["on_hand", "in_transit"]
PLACES: Final[tuple[Place, ...]] = ("on_hand", "in_transit")
Flow = Literal["in", "out", "adjust"]
BalanceKey = tuple[str, str, str]
"""Site, SKU, place; what is on its way stands at the site it is for."""

FLOWS: Final[dict[str, Flow]] = {
    "opening": "in",
    "receive": "in",
    "return": "in",
    "arrive": "in",
    "sale": "out",
    "pick": "out",
    "fulfil": "out",
    "waste": "out",
    "dispatch": "out",
    "dispatch_inferred": "out",
}
"""What a kind of movement is in a reconciliation; every other one is an adjustment."""

_KINDS: Final = tuple(f"{kind}{SEPARATOR}".encode() for kind in (LEVEL, NUMBER, TRANSFER))


@dataclass(slots=True)
class Amount:
    """Units and their value at moving-average cost, minor units of the currency."""

    units: int = 0
    minor: int = 0

    def add(self, units: int, minor: int) -> None:
        """Add units and value."""
        self.units += units
        self.minor += minor


@dataclass(slots=True)
class Balance:
    """One line of a reconciliation; `outgoing` counts positively."""

    opening: Amount
    incoming: Amount
    outgoing: Amount
    adjusted: Amount
    closing: Amount
    chain_breaks: int = 0
    """Movements that do not begin at the quantity that the one before them left."""

    @property
    def difference(self) -> Amount:
        """Opening + in - out + adjust - closing: zero where the ledger is whole."""
        return Amount(
            self.opening.units
            + self.incoming.units
            - self.outgoing.units
            + self.adjusted.units
            - self.closing.units,
            self.opening.minor
            + self.incoming.minor
            - self.outgoing.minor
            + self.adjusted.minor
            - self.closing.minor,
        )

    @property
    def holds(self) -> bool:
        """Tell whether the equation holds, in units and value, and no movement is missing."""
        return self.difference == Amount() and not self.chain_breaks

    def add(self, other: "Balance") -> None:
        """Add another line, as totals do."""
        self.opening.add(*astuple(other.opening))
        self.incoming.add(*astuple(other.incoming))
        self.outgoing.add(*astuple(other.outgoing))
        self.adjusted.add(*astuple(other.adjusted))
        self.closing.add(*astuple(other.closing))
        self.chain_breaks += other.chain_breaks


def empty_balance() -> Balance:
    """Return a line of zeros."""
    return Balance(Amount(), Amount(), Amount(), Amount(), Amount())


class TableCut:
    """What the live table holds, and up to which movement of each SKU it holds it.

    The table and the ledger are read one after the other while the fold goes on. A SKU's running
    number stands in the table, so movements that are newer than what was read are told apart.
    """

    def __init__(self) -> None:
        """Begin with an empty table."""
        self._amounts: dict[bytes, tuple[BalanceKey, int, int]] = {}
        self._next_numbers: dict[str, int] = {}

    def take(self, raw_key: bytes | None, value: bytes | None) -> None:
        """Take one committed record of `shelfstream.stock`, in log order."""
        if raw_key is None or not raw_key.startswith(_KINDS):
            return
        if value is None:
            self._amounts.pop(raw_key, None)
            return
        record = decode(raw_key, value)
        if isinstance(record, SkuNumber):
            self._next_numbers[key_parts(raw_key)[1]] = record.next_number
        elif isinstance(record, Level):
            place = (record.site, record.sku, "on_hand")
            self._amounts[raw_key] = (place, record.on_hand_units, record.value_minor)
        elif isinstance(record, Transfer):
            units = record.dispatched_units - record.received_units - record.lost_units
            place = (record.to_site, record.sku, "in_transit")
            self._amounts[raw_key] = (place, units, record.value_minor)

    def holds(self, movement: Movement) -> bool:
        """Tell whether the table that was read already contains a movement."""
        number = int(movement.movement_id.rpartition("-")[2])
        return number < self._next_numbers.get(movement.sku, 1)

    def amounts(self) -> dict[BalanceKey, Amount]:
        """Return the sums by site, SKU and place."""
        sums: dict[BalanceKey, Amount] = {}
        for place, units, minor in self._amounts.values():
            sums.setdefault(place, Amount()).add(units, minor)
        return sums


class Period:
    """The balances of one period; memory grows with the keys, never with the movements."""

    def __init__(self, table: TableCut, from_ms: int, to_ms: int) -> None:
        """Take the table as read, and the period's begin and (excluded) end, UTC milliseconds."""
        self._table = table
        self._from_ms = from_ms
        self._to_ms = to_ms
        self._balances: dict[BalanceKey, Balance] = {}
        self._last_units: dict[tuple[str, str], int] = {}
        for place, amount in table.amounts().items():
            self._balance(place).closing.add(amount.units, amount.minor)

    def take(self, movement: Movement) -> None:
        """Take one committed movement, in log order within its SKU."""
        if movement.bucket not in {"on_hand", "in_transit"} or not self._table.holds(movement):
            return
        balance = self._balance((movement.site, movement.sku, movement.bucket))
        self._follow(balance, movement)
        units, minor, at_ms = (
            movement.quantity_units,
            movement.value_minor,
            movement.recorded_at_ms,
        )
        if at_ms < self._from_ms:
            balance.opening.add(units, minor)
        elif at_ms >= self._to_ms:
            balance.closing.add(-units, -minor)
        else:
            _post(balance, _flow(movement), units, minor)

    def _follow(self, balance: Balance, movement: Movement) -> None:
        # What is on its way is counted per transfer, which the table's sum checks well enough.
        if movement.bucket != "on_hand":
            return
        sku_site = (movement.sku, movement.site)
        balance.chain_breaks += self._last_units.get(sku_site, 0) != movement.before_units
        self._last_units[sku_site] = movement.after_units

    def _balance(self, place: BalanceKey) -> Balance:
        found = self._balances.get(place)
        if found is None:
            found = self._balances[place] = empty_balance()
        return found

    def balances(self) -> dict[BalanceKey, Balance]:
        """Return the lines by site, SKU and place, in key order."""
        return {place: self._balances[place] for place in sorted(self._balances)}


def _flow(movement: Movement) -> Flow:
    if movement.kind == "transit_in":
        return "in" if movement.quantity_units > 0 else "out"
    return FLOWS.get(movement.kind, "adjust")


def _post(balance: Balance, flow: Flow, units: int, minor: int) -> None:
    if flow == "in":
        balance.incoming.add(units, minor)
    elif flow == "out":
        balance.outgoing.add(-units, -minor)
    else:
        balance.adjusted.add(units, minor)


def totals_by_site(balances: dict[BalanceKey, Balance]) -> dict[tuple[str, str], Balance]:
    """Return the sums by site and place; the empty site is the whole network."""
    sums: dict[tuple[str, str], Balance] = {}
    for (site, _, place), balance in balances.items():
        for total in ((site, place), ("", place)):
            sums.setdefault(total, empty_balance()).add(balance)
    return {total: sums[total] for total in sorted(sums)}


def all_hold(balances: Iterable[Balance]) -> bool:
    """Tell whether every line's equation holds."""
    return all(balance.holds for balance in balances)
