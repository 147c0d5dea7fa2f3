"""Serial numbers: each item comes once and leaves once."""

import pytest

from ingest.contracts.policies import PolicyRecord, SerialTwice
from streams.contracts.alerts import AlertRaised
from streams.contracts.serials import SerialFlagged
from streams.domain.serials import SERIAL_TWICE
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    SKU,
    Story,
    opening,
    policy,
    reference,
    scan,
)


def _story(twice: SerialTwice = "flag", serials_max: int = 4) -> Story:
    """Return a shop with 9 units that keeps serial numbers, and has received S1."""
    said = {"min_units": None, "max_units": None, "serials_max": serials_max}
    story = Story().tell(policy(serial_twice=twice, **said), opening(9))
    return story.tell(scan("receive", seq=1, serial="S1"))


@pytest.mark.parametrize(("twice", "on_hand"), [("flag", 11), ("refuse", 10)])
def test_what_is_received_twice_is_told(twice: SerialTwice, on_hand: int) -> None:
    """Whether it counts again is the policy's; what is refused leaves its trace."""
    story = _story(twice).tell(scan("receive", seq=2, serial="S1"))
    [flagged] = story.events(SerialFlagged)
    assert (flagged.fault, flagged.other_site) == ("received_twice", SHOP)
    assert flagged.counted == (twice == "flag")
    assert story.level().on_hand_units == on_hand
    refused = [SERIAL_TWICE in movement.flags for movement in story.movements()]
    assert refused == [False, False, twice == "refuse"]
    [raised] = [alert for alert in story.alerts(AlertRaised) if alert.kind == "serial_twice"]
    assert (raised.text, raised.severity) == (f"S1 received_twice, {SHOP}", "warning")


@pytest.mark.parametrize(("twice", "on_hand"), [("flag", 8), ("refuse", 9)])
def test_what_is_sold_twice_is_told(twice: SerialTwice, on_hand: int) -> None:
    """The second sale of one item, here or elsewhere."""
    story = _story(twice).tell(scan("sale", seq=2, serial="S1"), scan("pick", seq=3, serial="S1"))
    assert [event.fault for event in story.events(SerialFlagged)] == ["left_twice"]
    assert story.level().on_hand_units == on_hand


def test_an_item_may_come_back_and_move() -> None:
    """Sold and returned, sent and arrived, also where nobody scanned the dispatch."""
    story = _story().tell(scan("sale", seq=2, serial="S1"), scan("return", seq=3, serial="S1"))
    story.tell(scan("dispatch", seq=4, serial="S1", counterpart_site=DONOR))
    story.tell(scan("arrive", seq=1, site=DONOR, serial="S1"))
    story.tell(scan("arrive", seq=5, serial="S1", counterpart_site=DONOR))
    assert story.events(SerialFlagged) == []
    assert {book.site: book.present for book in story.serial_books()} == {SHOP: ["S1"], DONOR: []}


def test_only_the_newest_are_remembered() -> None:
    """The lists are bounded: an item that was forgotten may come again unseen."""
    story = _story(serials_max=2)
    story.tell(*(scan("receive", seq=n, serial=f"S{n}") for n in (2, 3)))
    assert story.serial_books()[0].present == ["S2", "S3"]
    assert story.tell(scan("receive", seq=4, serial="S1")).events(SerialFlagged) == []


def test_a_sale_that_the_book_refuses_leaves_the_item_there() -> None:
    """It was not sold, so its next sale is its first."""
    story = _story().tell(policy(min_units=None, negative_stock="refuse", serials_max=4))
    story.tell(scan("sale", 12, seq=2, serial="S1"), scan("sale", seq=3, serial="S1"))
    assert story.events(SerialFlagged) == []
    assert story.serial_books()[0].gone == ["S1"]


def test_without_a_policy_nothing_is_remembered() -> None:
    """A policy that stops keeping them forgets them."""
    story = _story().tell(reference(PolicyRecord(scope="sku", sku=SKU, serials_max=0)))
    assert story.serial_books() == []
    story.tell(scan("receive", seq=2, serial="S1"))
    assert (story.serial_books(), story.level().on_hand_units) == ([], 11)
