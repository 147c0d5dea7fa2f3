"""What a site has promised to send, while it can be spared and while its lane is closed."""

import pytest

from ingest.contracts.durations import DAY_MS
from ingest.contracts.policies import PolicyRecord
from streams.availability import promised
from streams.domain.calendars import WEEKDAYS
from streams.domain.days import day_of, weekday_of
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    SKU,
    T0,
    Story,
    command,
    lane,
    opening,
    policy,
    reference,
    scan,
)


def _proposed(autonomy: str = "suggest") -> Story:
    """Return a donor of 40 that keeps 10 and has promised 28 to the shop."""
    story = Story().tell(lane(DONOR), policy(autonomy=autonomy, min_units=10, max_units=30))
    story.tell(reference(PolicyRecord(scope="site", site=DONOR, max_units=100)))
    story.tell(opening(40, site=DONOR), opening(2))
    assert story.transfer().quantity_units == 28
    return story


def test_a_proposal_goes_with_the_surplus_it_was_made_from() -> None:
    """The donor sells two: nobody has approved it, so it is taken back, and asked for elsewhere."""
    story = _proposed().tell(scan("sale", 2, seq=1, site=DONOR))
    assert story.transfer().state == "proposed"
    story.tell(scan("sale", 1, seq=2, site=DONOR))
    transfer = story.transfer()
    assert (transfer.state, transfer.flags) == ("expired", ["withdrawn"])
    assert (story.level(DONOR).in_transit_out_units, story.level().on_order_units) == (0, 28)


def test_an_approved_one_is_flagged_once() -> None:
    """People see that it leaves too little, and decide."""
    story = _proposed("auto").tell(scan("sale", 3, seq=1, site=DONOR))
    story.tell(scan("sale", 1, seq=2, site=DONOR))
    transfer = story.transfer()
    assert (transfer.state, transfer.flags, transfer.version) == (
        "approved",
        ["below_hold_back"],
        2,
    )


def test_an_edit_that_leaves_too_little_is_flagged() -> None:
    """As an order of so much would have been."""
    story = _proposed("auto")
    transfer_id = story.transfer().transfer_id
    story.tell(command("edit_transfer", transfer_id, quantity_units=38))
    assert set(story.transfer().flags) == {"edited", "below_hold_back"}


@pytest.mark.parametrize("closed_days", [1, 4])
def test_a_transfer_waits_for_its_lane_to_open(closed_days: int) -> None:
    """It expires so long after it could have left, and is promised for when it can arrive."""
    opens = WEEKDAYS[weekday_of(day_of(T0) + closed_days)]
    story = Story().tell(lane(DONOR, depart_weekdays=opens), policy(min_units=10, max_units=30))
    story.tell(reference(PolicyRecord(scope="site", site=DONOR, max_units=100)))
    story.tell(opening(50, site=DONOR), opening(2))
    leaves_ms = (T0 // DAY_MS + closed_days) * DAY_MS
    assert story.transfer().deadline_ms == leaves_ms + DAY_MS
    for by_ms, units in ((leaves_ms, 2), (leaves_ms + DAY_MS, 30)):
        found = promised(story.state, SKU, SHOP, by_ms=by_ms)
        assert found is not None
        assert found.promise_units == units
    story.wait(leaves_ms - T0 + DAY_MS // 2)
    assert story.transfer().state == "approved"


def test_a_lane_that_comes_to_leave_later_gives_its_transfers_as_much_time() -> None:
    """The catalogue is changed after the approval; when the lane has left, they expire as ever."""
    story = Story().tell(lane(DONOR), policy(min_units=10, max_units=30))
    story.tell(reference(PolicyRecord(scope="site", site=DONOR, max_units=100)))
    story.tell(opening(50, site=DONOR), opening(2))
    opens = WEEKDAYS[weekday_of(day_of(T0) + 4)]
    story.tell(lane(DONOR, depart_weekdays=opens)).wait(DAY_MS)
    leaves_ms = (T0 // DAY_MS + 4) * DAY_MS
    transfer = story.transfer()
    assert (transfer.state, transfer.deadline_ms) == ("approved", leaves_ms + DAY_MS)
    story.wait(leaves_ms - T0 - 1)
    assert story.transfer(0).state == "approved"
    story.wait(1 + T0)
    assert story.transfer(0).state == "expired"
