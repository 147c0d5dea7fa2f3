"""Available to promise: what is free, what comes in time, and what is owed to others."""

from ingest.contracts.durations import HOUR_MS
from ingest.contracts.order_lines import OrderLineInput
from ingest.contracts.supply import SupplierRecord
from ingest.frames import SkuRecord
from streams.availability import Promise, promised
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    SKU,
    Story,
    command,
    opening,
    ordered_story,
    policy,
    reference,
    scan,
)


def _promise(story: Story, by_ms: int = 0, site: str = SHOP) -> Promise:
    found = promised(story.state, SKU, site, by_ms=by_ms)
    assert found is not None
    return found


def _line(order_id: str, units: int, need_by_ms: int = 0) -> OrderLineInput:
    return OrderLineInput(
        order_id, 1, SKU, SHOP, "reserve", units, when_short="wait", need_by_ms=need_by_ms
    )


def test_now_it_is_what_nobody_holds() -> None:
    """Reserved units, the buffer and a planned transfer are nobody's to promise."""
    story, _ = ordered_story(10)
    story.tell(policy(autonomy="observe", buffer_units=3), _line("o1", 4))
    assert _promise(story).promise_units == 20 - 4 - 3
    assert _promise(story, site=DONOR).promise_units == 50 - 10 - 3
    assert promised(story.state, "unknown", SHOP) is None


def test_by_a_date_it_counts_what_arrives_until_then() -> None:
    """A transfer counts from the hour on in which its lane brings it."""
    story, transfer_id = ordered_story(10)
    leaves_ms = story.now_ms + 5
    story.tell(scan("dispatch", 10, seq=1, site=DONOR, transfer_id=transfer_id), after_ms=5)
    [arrival] = _promise(story).arrivals
    assert arrival == (leaves_ms + HOUR_MS, 10, transfer_id)
    assert _promise(story).promise_units == 20
    assert _promise(story, by_ms=leaves_ms + HOUR_MS - 1).promise_units == 20
    assert _promise(story, by_ms=leaves_ms + HOUR_MS).promise_units == 30


def test_who_waits_comes_first_and_a_later_date_does_not_count_today() -> None:
    """What comes belongs to those who wait; a scheduled line counts once it would ask."""
    story, transfer_id = ordered_story(10)
    story.tell(_line("o1", 24))
    wake_ms = story.now_ms + HOUR_MS
    story.tell(_line("o2", 3, need_by_ms=wake_ms + 7 * 24 * HOUR_MS))
    story.tell(scan("dispatch", 10, seq=1, site=DONOR, transfer_id=transfer_id))
    now, then = _promise(story), _promise(story, by_ms=wake_ms)
    assert (now.promise_units, now.waiting_units, now.scheduled_units) == (0, 4, 0)
    assert (then.promise_units, then.scheduled_units) == (10 - 4 - 3, 3)


def test_a_request_counts_when_its_supply_is_known() -> None:
    """Without any lead time it is on order, and told so, but nobody promises it."""
    for lead_time_ms, dated in ((0, 0), (HOUR_MS, 10)):
        story = Story().tell(
            reference(SupplierRecord("mill", lead_time_ms)),
            reference(SkuRecord(SKU, supplier="mill")),
            policy(min_units=10, max_units=10),
            opening(0),
        )
        promise = _promise(story, by_ms=story.now_ms + HOUR_MS)
        assert (promise.promise_units, promise.undated_units) == (dated, 10 - dated)


def test_a_released_buffer_can_be_promised() -> None:
    """On purpose, bounded, and only until the policy sets another."""
    story = Story().tell(policy(autonomy="observe", buffer_units=6), opening(10))
    story.tell(command("release_buffer", site=SHOP, quantity_units=9))
    assert _promise(story).promise_units == 4
    story.tell(command("release_buffer", site=SHOP, quantity_units=5, name="c2"))
    assert _promise(story).promise_units == 9
