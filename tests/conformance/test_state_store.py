"""StateStore: the same promises in memory and on disk."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.contracts.errors import SettingsError
from streams.engine.adapters.disk_store import DiskStore, disk_stores
from streams.engine.ports import Applied
from streams.engine.store import MemoryStore, StateStore, StorePosition

Open = Callable[[], StateStore]
KEYS = st.sampled_from([b"a", b"b", b"c", b"a\x1fx", b"\xff"])
PAIRS = st.lists(st.tuples(KEYS, st.sampled_from([None, b"", b"1", b"2"])), max_size=12)


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StateStore]:
    """Give a new store of each kind."""
    made = MemoryStore() if request.param == "memory" else DiskStore(tmp_path / "store")
    yield made
    made.close()


def position(next_offset: int) -> StorePosition:
    """Return a position."""
    return StorePosition("topic", next_offset, Applied("in", next_offset * 2), 1_000)


def test_a_new_store_holds_nothing(store: StateStore) -> None:
    """No state, no position."""
    assert (dict(store.view), store.position) == ({}, None)
    assert store.view.get(b"a") is None
    with pytest.raises(KeyError):
        store.view[b"a"]


@given(loaded=PAIRS, changed=PAIRS, again=PAIRS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_view_is_a_dict_of_all_that_was_told(
    store: StateStore,
    loaded: list[tuple[bytes, bytes | None]],
    changed: list[tuple[bytes, bytes | None]],
    again: list[tuple[bytes, bytes | None]],
) -> None:
    """Loaded, changed, saved and changed once more; None deletes."""
    store.clear()
    expected: dict[bytes, bytes] = {}
    for step, pairs in enumerate((loaded, changed, again)):
        if step == 0:
            store.load(pairs)
        else:
            store.change(dict(pairs))
        for key, value in pairs:
            expected.pop(key, None)
            if value is not None:
                expected[key] = value
        assert dict(store.view.items()) == expected
        assert {key: store.view[key] for key in store.view} == expected
        assert (len(store.view), b"nobody" in store.view) == (len(expected), False)
        assert all(key in store.view for key in expected)
        if step == 1:
            store.save(position(3))
    assert store.position == position(3)


def test_what_nobody_reads_is_not_held_in_memory_and_stays_on_disk(store: StateStore) -> None:
    """After a release memory holds nothing and tells no position; a disk goes on as it was."""
    store.load([(b"a", b"1")])
    store.save(position(1))
    store.release()
    store.change({b"b": b"2"})
    store.save(position(2))
    found = dict(store.view), store.position
    on_disk = isinstance(store, DiskStore)
    assert found == (({b"a": b"1", b"b": b"2"}, position(2)) if on_disk else ({}, None))


def test_clear_forgets_state_and_position(store: StateStore) -> None:
    """Changes not saved yet as well; the store goes on."""
    store.load([(b"a", b"1")])
    store.save(position(1))
    store.change({b"b": b"2"})
    store.clear()
    assert (dict(store.view), store.position) == ({}, None)
    store.load([(b"c", b"3")])
    assert dict(store.view) == {b"c": b"3"}


def test_a_disk_store_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    """Changes and position together; what was not saved is as if it had never been told."""
    store = DiskStore(tmp_path / "store")
    store.load([(b"a", b"1"), (b"gone", b"1")])
    store.change({b"b": b"2", b"gone": None})
    store.save(position(7))
    store.change({b"b": b"9", b"c": b"9"})
    store.close()
    again = DiskStore(tmp_path / "store")
    assert (dict(again.view), again.position) == ({b"a": b"1", b"b": b"2"}, position(7))
    again.close()


def test_partitions_have_stores_of_their_own(tmp_path: Path) -> None:
    """One opener, one folder, no mixing."""
    stores = disk_stores(tmp_path / "a" / "b")
    one, two = stores(0), stores(1)
    one.load([(b"a", b"1")])
    assert (dict(one.view), dict(two.view)) == ({b"a": b"1"}, {})
    one.close()
    two.close()


def test_a_broken_disk_store_is_made_anew(tmp_path: Path) -> None:
    """All of it is in the log; a worker must not stand still for it."""
    store = DiskStore(tmp_path / "store")
    store.load([(b"a", b"1")])
    store.save(position(1))
    store.close()
    for file in (tmp_path / "store").glob("MANIFEST*"):
        file.write_bytes(b"nonsense")
    again = DiskStore(tmp_path / "store")
    assert (dict(again.view), again.position) == ({}, None)
    again.close()


def test_two_users_of_a_disk_store_exclude_each_other(tmp_path: Path) -> None:
    """Two workers with one data folder would destroy it: the second says so and ends."""
    first = DiskStore(tmp_path / "store")
    with pytest.raises(SettingsError, match="in use by another process"):
        DiskStore(tmp_path / "store")
    first.close()
