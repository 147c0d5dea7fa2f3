"""What the stock fold is told where a load moves a channel."""

from typing import Any

import pytest

from deploy.catalog_planogram import planogram_changes
from deploy.catalog_records import stock_items
from ingest.catalog_changes import Change
from ingest.contracts.planogram import NEVER_ENDS_MS, PlanogramRecord
from ingest.contracts.reference import ChannelAssignment, Device, Network, entity_key
from ingest.frames import ReferenceInput
from ingest.partitions import partition_of

MOVES_MS = 5_000
Assigned = tuple[str, str, int]


def device(*assigned: Assigned, site: str = "shop", **said: Any) -> Device:
    """Return a scale whose channels watch (channel, SKU, from when on)."""
    channels = [ChannelAssignment(channel=c, sku=s, valid_from_ms=ms) for c, s, ms in assigned]
    return Device(device="scale", site=site, kind="scale", channels=tuple(channels), **said)


def change(before: Device | None, after: Device | None) -> Change:
    """Return what a load does to the scale."""
    entity = after or before
    assert entity is not None
    kind: Any = "added" if before is None else "removed" if after is None else "changed"
    return Change(kind, entity_key(entity), entity, before if after is not None else None)


def told(before: Device | None, after: Device | None) -> list[tuple[str, str, str, Any, bool]]:
    """Return channel, SKU, site, spans and whether it is gone, of all that is told."""
    found = planogram_changes([change(before, after)])
    return [(one.channel, one.sku, one.site, one.spans, gone) for one, gone in found]


MILK = device(("a", "milk", 0))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, MILK),
        (MILK, device(("a", "milk", 0), ("b", "tea", 0))),
        (MILK, device(("a", "milk", 0), report_interval_ms=9)),
        (MILK, device(("a", "milk", 0), ("a", "milk", MOVES_MS))),
    ],
    ids=["new device", "new channel", "another interval", "another tare from then on"],
)
def test_what_ends_nothing_is_not_told(before: Device | None, after: Device) -> None:
    """A first load tells nothing, however many channels it has."""
    assert told(before, after) == []


def test_a_channel_that_gets_another_article_ends_at_the_first() -> None:
    """The other one needs no word: its readings begin it."""
    moved = device(("a", "milk", 0), ("a", "tea", MOVES_MS))
    assert told(MILK, moved) == [("a", "milk", "shop", ((0, MOVES_MS),), False)]
    taken_back = ("a", "milk", "shop", ((0, NEVER_ENDS_MS),), False)
    gone = ("a", "tea", "shop", (), True)
    assert told(moved, MILK) == [taken_back, gone]


def test_an_article_that_comes_back_has_two_spans() -> None:
    """With another tare in between that ends none."""
    steps = [("a", "milk", 0), ("a", "milk", 100), ("a", "tea", 200), ("a", "milk", 300)]
    spans = ((0, 200), (300, NEVER_ENDS_MS))
    assert told(MILK, device(*steps)) == [
        ("a", "milk", "shop", spans, False),
        ("a", "tea", "shop", ((200, 300),), False),
    ]


def test_a_channel_that_watches_nothing_from_then_on_ends() -> None:
    """Left out of the file, it gets an assignment of no article."""
    ended = device(("a", "milk", 0), ("a", "", MOVES_MS))
    assert told(MILK, ended) == [("a", "milk", "shop", ((0, MOVES_MS),), False)]


def test_a_device_that_moves_leaves_its_site() -> None:
    """Its channels are gone there; at the new site its readings begin them."""
    assert told(MILK, device(("a", "milk", 0), site="hall")) == [("a", "milk", "shop", (), True)]


def test_a_removed_device_is_told_with_each_channel_and_by_itself() -> None:
    """To the partitions of the articles, and to its own."""
    assert told(MILK, None) == [("a", "milk", "shop", (), True), ("", "", "shop", (), True)]
    items = stock_items([change(MILK, None)], version=4, network=Network(), partition_count=16)
    channel = PlanogramRecord("scale", "a", "milk", "shop")
    own = PlanogramRecord("scale", "", "", "shop")
    assert ReferenceInput(4, channel, removed=True) in items[partition_of("milk", 16)]
    assert ReferenceInput(4, own, removed=True) in items[partition_of("scale", 16)]
    assert sum(len(told_to) - 1 for told_to in items.values()) == 2
