"""Scarce surplus is shared so that all who need it run out at the same time (equal run-out).

`DS = (A + sum I_j) / sum D_j`, `A_j = (DS - I_j / D_j) * D_j`; who would last longer than DS gets
nothing, and DS is computed again without him. A is what there is, I stock, D demand a day.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple


class Shares(NamedTuple):
    """Who gets what, before it is rounded to packs."""

    days: Fraction
    """How long all who got something last."""
    units: list[Fraction]


def equal_run_out(
    surplus_units: int, stocks: Sequence[int], demands_milli_day: Sequence[int]
) -> Shares:
    """Return what each gets of a surplus.

    Args:
        surplus_units: What there is to share, above 0.
        stocks: What each has, in units, (n,).
        demands_milli_day: What each sells, in thousandths of a unit a day, above 0, (n,).
    """
    demands = [Fraction(milli, 1_000) for milli in demands_milli_day]
    sharing = list(range(len(stocks)))
    while True:
        stock = sum(stocks[j] for j in sharing)
        days = (surplus_units + stock) / sum((demands[j] for j in sharing), Fraction(0))
        left = [j for j in sharing if stocks[j] <= days * demands[j]]
        if len(left) == len(sharing):
            break
        sharing = left
    shares = [Fraction(0)] * len(stocks)
    for j in sharing:
        shares[j] = days * demands[j] - stocks[j]
    return Shares(days, shares)


def in_packs(shares: Sequence[Fraction], surplus_units: int, multiple_units: int) -> list[int]:
    """Return shares in whole multiples whose sum is what whole multiples of the surplus give.

    What rounding down leaves goes to the largest remainders, the first one where they are equal.
    """
    packs = [int(share // multiple_units) for share in shares]
    left = surplus_units // multiple_units - sum(packs)
    order = sorted(range(len(shares)), key=lambda j: (packs[j] * multiple_units - shares[j], j))
    for j in order[:left]:
        packs[j] += 1
    return [count * multiple_units for count in packs]
