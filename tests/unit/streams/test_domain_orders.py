"""Lines of orders in the stock fold: scarce stock, turns, and what the policy allows."""

from typing import Any

import pytest

from ingest.contracts.order_lines import OrderLineInput
from ingest.contracts.policies import PolicyRecord
from ingest.frames import SiteRecord
from streams.contracts.kpis import KPI, Kpi
from streams.contracts.orders import ORDER_QUEUE, BufferReleased, OrderLineChanged
from streams.contracts.state import decode, key
from streams.domain.order_queues import WAITING_MAX
from tests.unit.streams.builders import SHOP, SKU, Story, command, opening, reference, scan


def _line(order_id: str, units: int, action: Any = "reserve", **more: Any) -> OrderLineInput:
    return OrderLineInput(order_id, 1, SKU, SHOP, action, units, **more)


def _story(units: int, **rules: Any) -> Story:
    return Story().tell(reference(PolicyRecord(scope="network", **rules)), opening(units))


def _states(story: Story) -> dict[str, tuple[str, int]]:
    return {
        event.order_id: (event.state, event.reserved_units)
        for event in story.events(OrderLineChanged)
    }


@pytest.mark.parametrize(
    ("rule", "reserved_units", "said"),
    [
        ("reserve", 12, {}),
        ("wait", 10, {"o1": ("reserved", 7), "o2": ("waiting", 3)}),
        ("refuse", 7, {"o1": ("reserved", 7), "o2": ("refused", 0)}),
    ],
)
def test_the_policy_says_what_becomes_of_a_short_line(
    rule: str, reserved_units: int, said: dict[str, tuple[str, int]]
) -> None:
    """Only `reserve` promises more than there is."""
    story = _story(10, short_orders=rule).tell(_line("o1", 7), _line("o2", 5))
    assert story.level().reserved_units == reserved_units
    assert _states(story) == said


@pytest.mark.parametrize("action", ["reserve", "fulfil"])
def test_a_line_of_a_misspelt_site_is_refused_and_leaves_no_level(action: Any) -> None:
    """Also of an order system that awaits no answer; once the site is known the line counts."""
    story = _story(10).tell(reference(SiteRecord(SHOP)))
    line = OrderLineInput("o1", 1, SKU, "shp-1", action, 2)
    story.tell(line)
    [event] = story.events(OrderLineChanged)
    assert (event.state, event.reason) == ("refused", "there is no site shp-1")
    assert ([level.site for level in story.levels()], story.order_lines()) == ([SHOP], [])
    story.tell(reference(SiteRecord("shp-1")), line)
    units = {"reserve": (0, 2), "fulfil": (-2, 0)}[action]
    level = story.level("shp-1")
    assert (level.on_hand_units, level.reserved_units) == units


def test_a_line_is_judged_by_its_site_only_where_the_catalogue_has_sites() -> None:
    """Nor is it refused where the article is already: its site may be gone from the catalogue."""
    story = _story(10).tell(OrderLineInput("o1", 1, SKU, "shop-9", "reserve", 2))
    assert story.level("shop-9").reserved_units == 2
    story.tell(reference(SiteRecord(SHOP)), OrderLineInput("o2", 1, SKU, "shop-9", "reserve", 1))
    assert (story.level("shop-9").reserved_units, story.events(OrderLineChanged)) == (3, [])


def test_scarce_stock_goes_by_priority_then_by_time() -> None:
    """Whoever comes later with a higher priority is served first; nobody else overtakes."""
    story = _story(0, short_orders="wait")
    for name, priority in (("first", 0), ("second", 0), ("vip", 5)):
        story.tell(_line(name, 4, priority=priority), after_ms=1)
    story.restore()
    story.tell(scan("receive", 6, seq=1))
    assert _states(story) == {
        "vip": ("reserved", 4),
        "first": ("waiting", 2),
        "second": ("waiting", 0),
    }
    story.tell(_line("first", 4, "release"))
    assert _states(story)["second"] == ("waiting", 2)
    story.tell(scan("receive", 2, seq=2))
    assert _states(story)["second"] == ("reserved", 4)
    assert key(ORDER_QUEUE, SKU, SHOP) not in story.state


def test_buffer_and_planned_transfers_are_not_promised() -> None:
    """Only a release on purpose feeds the buffer to whoever waits."""
    story = _story(10, short_orders="wait", buffer_units=6).tell(_line("o1", 9))
    assert _states(story) == {"o1": ("waiting", 4)}
    story.tell(command("release_buffer", site=SHOP, quantity_units=5, reason="shop is empty"))
    assert _states(story) == {"o1": ("reserved", 9)}
    [*_, event] = story.events(OrderLineChanged)
    assert event.decided_from["buffer_units"] == 1
    [released] = story.events(BufferReleased)
    assert (released.released_units, released.left_units) == (5, 1)
    assert (released.actor, released.reason) == ("ann", "shop is empty")


def test_a_calm_level_still_serves_whoever_waits() -> None:
    """A small receipt of a well-stocked article is no news for breaches, but it is for a queue."""
    story = _story(10, short_orders="wait", min_units=1).tell(_line("o1", 10), _line("o2", 3))
    for seq in (1, 2, 3):
        story.tell(scan("receive", 1, seq=seq))
    assert _states(story)["o2"] == ("reserved", 3)


def test_too_many_that_wait_are_refused() -> None:
    """The queue has a limit, and says so."""
    story = _story(0, short_orders="wait")
    story.tell(*[_line(f"o{number}", 1) for number in range(WAITING_MAX + 1)])
    assert _states(story)[f"o{WAITING_MAX - 1}"] == ("waiting", 0)
    assert _states(story)[f"o{WAITING_MAX}"] == ("refused", 0)


def test_a_book_that_may_not_go_below_zero_refuses_a_hand_over() -> None:
    """The line stays held, and the ledger shows that it was tried."""
    story = _story(10, negative_stock="refuse").tell(_line("o1", 8), scan("sale", 5, seq=1))
    story.tell(_line("o1", 8, "fulfil"))
    assert (story.level().on_hand_units, story.level().reserved_units) == (5, 8)
    assert story.movements()[-1].flags == ["would_be_negative"]


def test_a_late_date_is_kept_through_a_restore() -> None:
    """The line wakes at its own time, though the policy changed meanwhile."""
    story = _story(10, short_orders="refuse", reserve_ahead_ms=100)
    story.tell(_line("o1", 6, need_by_ms=story.now_ms + 300))
    story.restore()
    story.tell(reference(PolicyRecord(scope="network", reserve_ahead_ms=0))).wait(199)
    assert _states(story) == {"o1": ("scheduled", 0)}
    story.wait(1)
    assert _states(story) == {"o1": ("reserved", 6)}


def test_each_line_is_asked_for_once_whatever_becomes_of_it() -> None:
    """The fill rate knows of lines that wait or are refused: what could not be given at once."""
    story = _story(10, short_orders="wait")
    story.tell(_line("o1", 7), _line("o2", 5), _line("o3", 4, when_short="refuse"))
    story.tell(scan("receive", 9, seq=1), _line("o1", 7, "fulfil"))
    kpi = decode(key(KPI, SKU, SHOP), story.state[key(KPI, SKU, SHOP)])
    assert isinstance(kpi, Kpi)
    assert (kpi.sums.asked_units, kpi.sums.filled_units) == (16, 10)


def test_expired_stock_is_never_promised() -> None:
    """What comes in expired is put aside before those who wait are served."""
    story = _story(0, short_orders="wait", lot_tracking="lots").tell(_line("o1", 4))
    story.tell(scan("receive", 9, seq=1, lot="old", expires_at_ms=1))
    assert _states(story) == {"o1": ("waiting", 0)}
