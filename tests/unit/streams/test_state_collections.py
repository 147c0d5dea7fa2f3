"""What a level's record costs Python's garbage collector."""

import gc

import msgspec

from streams.contracts.state import Breach, Level, RecentBreaches, SensedChannel


def _decoded(level: Level) -> Level:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(level), type=Level)


def test_the_garbage_collector_forgets_a_decoded_level() -> None:
    """A level with channels, breaches and imports leaves nothing that is looked at again."""
    level = _decoded(
        Level(
            sku="TEA",
            site="shop-01",
            sensed=(SensedChannel("shelf/1", 4, 1, 1),),
            imports=("opening",),
            recent_breaches=(RecentBreaches("low_stock", (1, 2)),),
        )
    )
    gc.collect()
    held = (level, level.sensed, *level.sensed, level.breaches, level.imports)
    held = (*held, level.recent_breaches, *level.recent_breaches)
    assert [part for part in held if gc.is_tracked(part)] == []


def test_a_level_at_rest_has_no_collections_of_its_own() -> None:
    """Levels without sensors, breaches and imports share one empty tuple."""
    level, other = (_decoded(Level(sku=sku, site="shop-01")) for sku in ("TEA", "RICE"))
    of_one = (level.breaches, level.sensed, level.imports, level.recent_breaches)
    assert len({id(one) for one in (*of_one, other.breaches)}) == 1


def test_a_levels_record_is_read_as_it_was_written() -> None:
    """Tuples come back as tuples, in order."""
    breaches = (Breach("low_stock", 1), Breach("stockout", 2))
    level = Level(sku="TEA", site="shop-01", breaches=breaches, imports=("a", "b"))
    assert _decoded(level) == level
