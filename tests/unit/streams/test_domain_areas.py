"""Shelf and backroom: what sensors see in each, and in both together."""

import pytest

from streams.contracts.state import UNCOUNTED, Level, SensedChannel
from streams.domain.areas import Sight, is_shelf_watched, seen_units, sight_of


def _level(*seen: tuple[str, int, bool]) -> Level:
    """Return a level of channels: area, units, blind."""
    channels = [
        SensedChannel(f"s/{number}", units, 1, 1, blind, backroom=area == "backroom")
        for number, (area, units, blind) in enumerate(seen)
    ]
    return Level(sku="milk", site="shop-1", sensed=tuple(channels))


@pytest.mark.parametrize(
    ("seen", "sight"),
    [
        ([], Sight(None, None, None)),
        ([("shelf", 4, False), ("shelf", 3, False)], Sight(7, None, 7)),
        ([("shelf", 4, False), ("backroom", 9, False)], Sight(4, 9, 13)),
        ([("backroom", 9, False), ("shelf", 0, False)], Sight(0, 9, 9)),
        ([("shelf", 4, False), ("backroom", 9, True)], Sight(4, None, None)),
        ([("shelf", 4, True), ("backroom", 9, False)], Sight(None, 9, None)),
        ([("backroom", 9, False)], Sight(None, 9, None)),
        ([("shelf", 4, False), ("backroom", UNCOUNTED, False)], Sight(4, None, None)),
        ([("shelf", UNCOUNTED, False), ("backroom", 9, False)], Sight(None, 9, None)),
        ([("shelf", 4, True)], Sight(None, None, None)),
        ([("shelf", UNCOUNTED, False), ("shelf", 2, False)], Sight(2, None, 2)),
    ],
)
def test_areas_are_summed_apart_and_what_is_not_seen_is_not_zero(
    seen: list[tuple[str, int, bool]], sight: Sight
) -> None:
    """A blind backroom leaves the shelf known and the whole unknown, and the other way round."""
    level = _level(*seen)
    assert sight_of(level) == sight
    assert seen_units(level) == sight.units


def test_a_backroom_alone_watches_no_shelf() -> None:
    """What leads is the shelf: where nobody watches one, the book does."""
    assert not is_shelf_watched(_level(("backroom", 9, False)))
    assert is_shelf_watched(_level(("backroom", 9, False), ("shelf", 1, True)))
    assert not is_shelf_watched(_level())
