"""Position: available stock and what is coming, less what is to leave and what is owed.

And what lifts it to the level aimed at.
"""

from streams.contracts.state import Level
from streams.domain.arithmetic import round_down, round_up
from streams.domain.catalogue import Rules
from streams.domain.sensing import available_units


def position_units(level: Level, rules: Rules) -> int:
    """Return available stock and what is coming, less what is planned to leave and back-orders."""
    return with_coming(level, available_units(level, rules))


def with_coming(level: Level, available: int) -> int:
    """Return the position of a level whose available stock is known."""
    coming_units = level.in_transit_in_units + level.on_order_units
    return available + coming_units - level.in_transit_out_units - level.backordered_units


def position_numbers(level: Level, rules: Rules) -> dict[str, int]:
    """Return a position and what it is made of, by name."""
    available = available_units(level, rules)
    return {
        "available_units": available,
        "in_transit_in_units": level.in_transit_in_units,
        "on_order_units": level.on_order_units,
        **owed_numbers(level),
        "position_units": with_coming(level, available),
    }


def owed_numbers(level: Level) -> dict[str, int]:
    """Return what lowers a position, by name, where anything does."""
    owed = {
        "in_transit_out_units": level.in_transit_out_units,
        "backordered_units": level.backordered_units,
    }
    return {name: units for name, units in owed.items() if units}


def wanted_units(position: int, rules: Rules) -> int:
    """Return what lifts a position to the order-up-to level, in whole multiples.

    Rounded down where that still ends the shortage, for a maximum is a maximum; otherwise up.
    """
    missing_units = rules.order_up_to_units - position
    down_units = round_down(missing_units, rules.multiple_units)
    if down_units > 0 and position + down_units >= rules.shortage_units:
        return down_units
    return round_up(missing_units, rules.multiple_units)
