"""Loads one after another: the past keeps its meaning, the present is what the file says."""

import itertools
from bisect import bisect_right
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from ingest.catalog_changes import changes
from ingest.contracts.reference import CatalogFile, ChannelAssignment, Device, Entity
from tests.unit.ingest.catalog_samples import entities_of

LOAD_EVERY_MS = 100
CHANNELS = ("a", "b", "c")

LOAD = st.dictionaries(st.sampled_from(CHANNELS), st.sampled_from(["X", "Y", ""]), max_size=3)
"""What each named channel of the device watches from the load on."""


def file_of(watched: dict[str, str]) -> CatalogFile:
    """Return a catalogue of one device whose channels say no date."""
    channels = tuple(ChannelAssignment(channel=c, sku=sku) for c, sku in watched.items())
    return CatalogFile(devices=(Device(device="d", site="S", channels=channels),))


def watched_at(entities: dict[str, Entity], channel: str, at_ms: int) -> str:
    """Return what a channel watches at a time; empty for nothing."""
    (device,) = (entity for entity in entities.values() if isinstance(entity, Device))
    versions = [one for one in device.channels if one.channel == channel]
    place = bisect_right([one.valid_from_ms for one in versions], at_ms)
    return versions[place - 1].sku if place else ""


def loaded(loads: Sequence[dict[str, str]]) -> list[dict[str, Entity]]:
    """Return the entities after each load; the first is at 100 ms, the next at 200 ms."""
    entities = entities_of(file_of({}))
    after = []
    for number, load in enumerate(loads, start=1):
        found, faults = changes(entities, file_of(load), now_ms=number * LOAD_EVERY_MS)
        assert not faults
        entities = entities | {change.key: change.entity for change in found}
        after.append(entities)
    return after


@given(st.lists(LOAD, min_size=2, max_size=6))
def test_a_load_never_changes_what_was_observed_before_it(loads: list[dict[str, str]]) -> None:
    """Each known channel keeps its meaning at every earlier time."""
    history = loaded(loads)
    for number, (before, after) in enumerate(itertools.pairwise(history), start=2):
        known = {c for load in loads[: number - 1] for c in load}
        for channel in known:
            for at_ms in range(0, number * LOAD_EVERY_MS, LOAD_EVERY_MS // 2):
                assert watched_at(before, channel, at_ms) == watched_at(after, channel, at_ms)


@given(st.lists(LOAD, min_size=1, max_size=6))
def test_from_a_load_on_the_file_holds(loads: list[dict[str, str]]) -> None:
    """What it names is watched, what it leaves out watches nothing."""
    for number, (load, entities) in enumerate(zip(loads, loaded(loads), strict=True), start=1):
        now = {c: watched_at(entities, c, number * LOAD_EVERY_MS) for c in CHANNELS}
        assert now == {c: load.get(c, "") for c in CHANNELS}


@given(st.lists(LOAD, min_size=1, max_size=6), st.integers(1, 1_000))
def test_a_file_loaded_again_changes_nothing(loads: list[dict[str, str]], later_ms: int) -> None:
    """Whenever that is."""
    now_ms = len(loads) * LOAD_EVERY_MS + later_ms
    assert changes(loaded(loads)[-1], file_of(loads[-1]), now_ms=now_ms) == ([], [])
