"""Shelf and backroom of a level: what sensors see in each of them, and in both together.

Unknown is not zero: an area is known while every channel that watches it sees something it can
count. What moves from one area to the other moves no stock: the book is compared with both.
"""

from collections.abc import Sequence
from typing import NamedTuple

from streams.contracts.state import Level, SensedChannel


class Sight(NamedTuple):
    """What sensors see of a level, base units; None where that is not known."""

    shelf_units: int | None
    backroom_units: int | None
    """None also where no sensor watches the backroom."""
    units: int | None
    """All that is seen: the shelf, and the backroom where one is watched."""


def seen_units(level: Level) -> int | None:
    """Return what is on the shelf, and in the backroom where a sensor watches one.

    None where that is not known: where a channel is blind, where none watches the shelf, or where
    only a beam sees something.
    """
    for channel in level.sensed:
        if channel.backroom:  # few levels have one: only then are the two summed apart
            return sight_of(level).units
    return _sum_units(level.sensed)


def sight_of(level: Level) -> Sight:
    """Return what is seen on the shelf, in the backroom, and in both."""
    shelf_units = _sum_units([channel for channel in level.sensed if not channel.backroom])
    behind = [channel for channel in level.sensed if channel.backroom]
    if not behind or shelf_units is None:
        return Sight(shelf_units, _sum_units(behind), shelf_units)
    backroom_units = _sum_units(behind)
    units = None if backroom_units is None else shelf_units + backroom_units
    return Sight(shelf_units, backroom_units, units)


def is_shelf_watched(level: Level) -> bool:
    """Tell whether a sensor watches the shelf, be it blind or not."""
    return any(not channel.backroom for channel in level.sensed)


def _sum_units(channels: Sequence[SensedChannel]) -> int | None:
    """Return what the channels of one area see together; None where that is not known."""
    total_units, something = 0, False
    for channel in channels:
        if channel.blind:
            return None
        if channel.units < 0:
            something = True
        else:
            total_units += channel.units
    return None if not channels or (something and not total_units) else total_units
