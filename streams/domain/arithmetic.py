"""Integer arithmetic of quantities and money; no floats anywhere."""

from typing import Final

MILLI: Final = 1_000
"""Fractions that events and records tell are integers, in thousandths."""


def half_even(numerator: int, denominator: int) -> int:
    """Return `numerator / denominator` rounded to the nearest integer, halves to the even one.

    Raises:
        ZeroDivisionError: The denominator is 0.
    """
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    whole = numerator // denominator  # a call of divmod takes longer
    twice = 2 * (numerator - whole * denominator)
    if twice > denominator or (twice == denominator and whole & 1):
        return whole + 1
    return whole


def round_up(quantity_units: int, multiple_units: int) -> int:
    """Return the least multiple of `multiple_units` that is not below `quantity_units`."""
    return -(-quantity_units // multiple_units) * multiple_units


def round_down(quantity_units: int, multiple_units: int) -> int:
    """Return the largest multiple of `multiple_units` that is not above `quantity_units`."""
    return quantity_units // multiple_units * multiple_units
