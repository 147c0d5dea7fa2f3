"""Channels that move between shelves: what a shelf shows is what its present channels last saw."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deploy.catalog_planogram import planogram_changes
from ingest.catalog_changes import Change
from ingest.contracts.reference import ChannelAssignment, Device, entity_key
from ingest.frames import InputItem, ReadingInput, ReferenceInput
from tests.unit.streams.builders import SHOP, T0, Story, reading

SKUS = ("milk", "tea", "")
SPAN_MS = 100
TIMES = st.integers(T0, T0 + 5 * SPAN_MS)
DEVICE = f"sensor-{SHOP}"


def _device(plan: dict[int, str]) -> Device:
    channels = tuple(
        ChannelAssignment(channel="0", sku=sku, valid_from_ms=since)
        for since, sku in sorted(plan.items())
    )
    return Device(device=DEVICE, site=SHOP, channels=channels)


def _watched(plan: dict[int, str], at_ms: int) -> str:
    return plan[max(since for since in plan if since <= at_ms)]


def _first_of(plan: dict[int, str], at_ms: int) -> int:
    """Return when the span of one article began in which a time lies."""
    first_ms = at_ms
    for since in sorted((since for since in plan if since <= at_ms), reverse=True):
        if plan[since] != _watched(plan, at_ms):
            break
        first_ms = since
    return first_ms


@given(
    plan=st.dictionaries(TIMES, st.sampled_from(SKUS), max_size=4),
    times=st.lists(TIMES, unique=True, max_size=8),
    end_ms=st.integers(0, 6 * SPAN_MS),
    data=st.data(),
)
def test_a_shelf_shows_what_its_channel_saw_in_its_present_time(
    plan: dict[int, str], times: list[int], end_ms: int, data: Any
) -> None:
    """Whatever the order of load and readings, and of the readings; also after restores."""
    before = {0: "milk"}
    after = before | plan
    wanted = Change("changed", entity_key(_device(after)), _device(after), _device(before))
    load = [ReferenceInput(2, record, gone) for record, gone in planogram_changes([wanted])]
    readings = [
        reading(number, at_ms=at_ms, sku=_watched(after, at_ms), seq=number)
        for number, at_ms in enumerate(times)
        if _watched(after, at_ms)
    ]
    shuffled = data.draw(st.permutations(readings)) if readings else []
    place = data.draw(st.integers(0, len(shuffled)))
    story = Story()
    items: list[InputItem] = [*shuffled[:place], *load, *shuffled[place:]]
    for item in items:
        story.tell(item)
        if data.draw(st.booleans()):
            story.restore()
    story.wait(end_ms)
    now_ms = T0 + end_ms
    newest = max((one.observed_at_ms for one in readings), default=0)
    at_ms = max(now_ms, newest)
    present = _watched(after, at_ms)
    shown = {
        level.sku: [channel.units for channel in level.sensed]
        for level in story.levels()
        if level.sensed
    }
    since_ms = _first_of(after, at_ms)
    seen = [one for one in readings if one.sku == present and one.observed_at_ms >= since_ms]
    expected = _newest_units(seen)
    assert shown.get(present, []) == expected
    for sku in shown:
        if sku != present:  # nothing has said yet that its time is over: no time has passed
            assert now_ms < newest


def _newest_units(readings: list[ReadingInput]) -> list[int]:
    if not readings:
        return []
    return [max(readings, key=lambda one: one.observed_at_ms).value]
