"""Records of one kind: decoded on demand, drained once, dropped oldest first."""

import msgspec
import pytest

from streams.contracts.state import Level
from streams.domain.records import Records
from streams.domain.store import Store


class Counted(msgspec.Struct, array_like=True):
    """A record of one number."""

    units: int = 0


def _records(cached_max: int = 10, forgotten: list[Counted] | None = None) -> Records[str, Counted]:
    return Records(
        str.encode,
        msgspec.msgpack.Decoder(Counted).decode,
        cached_max=cached_max,
        forget=None if forgotten is None else forgotten.append,
    )


def _drained(records: Records[str, Counted]) -> dict[bytes, bytes | None]:
    changes: dict[bytes, bytes | None] = {}
    records.drain(changes)
    return changes


def _another(text: str) -> str:
    """Return an equal text that is another object."""
    return text.encode().decode()


def _encoded(units: int) -> bytes:
    return msgspec.msgpack.encode(Counted(units))


def test_changes_are_drained_once_in_the_order_of_their_first() -> None:
    """However often a record changes, it is written once, as it is then."""
    records = _records()
    records.put("b", Counted(1))
    records.put("a", Counted(2))
    records.touch("b")
    found = records.get("b")
    assert found is not None
    found.units = 3
    assert list(_drained(records).items()) == [(b"b", _encoded(3)), (b"a", _encoded(2))]
    assert _drained(records) == {}


def test_a_removed_record_is_gone_at_once_and_deleted_at_the_drain() -> None:
    """Also one that nobody has asked for yet; put again before the drain, it stays."""
    records = _records()
    records.load({b"a": _encoded(1), b"b": _encoded(2)})
    records.remove("a")
    records.remove("b")
    records.remove("never there")
    assert (records.get("a"), records.get("b")) == (None, None)
    records.put("b", Counted(4))
    assert _drained(records) == {b"a": None, b"b": _encoded(4)}
    assert list(records.entries) == ["b"]


def test_the_oldest_are_dropped_only_once_they_are_drained() -> None:
    """A changed record above the limit is kept until it has been written."""
    forgotten: list[Counted] = []
    records = _records(cached_max=1, forgotten=forgotten)
    for units, name in enumerate("abc"):
        records.put(name, Counted(units))
    assert (len(records.entries), forgotten) == (3, [])
    assert len(_drained(records)) == 3
    assert (list(records.entries), forgotten) == (["c"], [Counted(0), Counted(1)])


def test_what_was_dropped_can_not_be_called_changed() -> None:
    """It would be lost: whoever changes a record asks for it first."""
    with pytest.raises(KeyError):
        _records().touch("a")


def test_levels_share_the_texts_of_their_names() -> None:
    """Texts of a frame are its own; those of a level are the same object for all that have them."""
    store = Store(0, 1)
    sites = [_another("shop-1") for _ in range(2)]
    assert sites[0] is not sites[1]
    one, other = store.level("sku-1", sites[0]), store.level("sku-2", sites[1])
    assert one.site is other.site
    assert [key[1] is one.site for key in store.levels.entries] == [True, True]
    value = msgspec.msgpack.encode(Level(sku="sku-1", site="shop-1"))
    store.levels.load({b"level\x1fsku-1\x1fshop-1": value})
    assert store.level(_another("sku-1"), _another("shop-1")).site is one.site
