"""Order outliers: what is usual, who is told, and what is held back until it is accepted."""

from typing import Any

import pytest

from deploy.explanations import entity_of, explained
from ingest.contracts.order_lines import OrderLineInput
from ingest.contracts.policies import PolicyRecord
from ingest.frames import INPUT_FRAMES, SkuRecord
from streams.contracts.alerts import AlertEnded, AlertRaised
from streams.contracts.demand import ORDER_SIZES, OrderSizes
from streams.contracts.events import BreachCleared, BreachOpened
from streams.contracts.kpis import KPI, Kpi
from streams.contracts.orders import OrderLineChanged
from streams.contracts.state import decode, key
from streams.domain.catalogue import Rules
from streams.domain.order_outliers import LINES_LEARNED_MIN, limit_units
from streams.policy_preview import preview
from tests.unit.streams.builders import HOUR_MS, SHOP, SKU, Story, opening, reference
from tests.unit.streams.order_story import Orders

SIZES_KEY = key(ORDER_SIZES, SKU, SHOP)


def _line(order_id: str, units: int, action: Any = "reserve", **more: Any) -> OrderLineInput:
    return OrderLineInput(order_id, 1, SKU, SHOP, action, units, **more)


def _policy(**rules: Any) -> PolicyRecord:
    return PolicyRecord(scope="network", **rules)


def _story(**rules: Any) -> Story:
    return Story().tell(reference(_policy(**rules)), opening(1_000))


def _usual(story: Story, lines: int = LINES_LEARNED_MIN) -> Story:
    """Order three and five in turn: a mean of about 4."""
    return story.tell(*[_line(f"usual-{n}", 3 + 2 * (n % 2)) for n in range(lines)])


def _sizes(story: Story) -> OrderSizes:
    found = decode(SIZES_KEY, story.state[SIZES_KEY])
    assert isinstance(found, OrderSizes)
    return found


def _line_states(story: Story) -> dict[str, str]:
    return {line.order_id: line.state for line in story.order_lines()}


def test_without_a_policy_nothing_is_judged_nor_learned() -> None:
    """No breach, no record of sizes, and lines as they were before."""
    story = _usual(_story()).tell(_line("huge", 900))
    assert not story.events(BreachOpened)
    assert SIZES_KEY not in story.state
    assert all(line.outlier is None for line in story.order_lines())


def test_a_line_far_above_what_is_usual_is_told_and_still_served() -> None:
    """With the numbers it was judged by; the alert names the order and its line."""
    story = _usual(_story(order_outlier_deviations=6)).tell(_line("huge", 40))
    [opened] = story.events(BreachOpened)
    assert (opened.kind, opened.cause) == ("order_outlier", "huge/1")
    numbers = opened.decided_from
    assert (numbers["quantity_units"], numbers["lines_learned"]) == (40, LINES_LEARNED_MIN)
    assert 3_900 < numbers["usual_milli"] < 4_100
    assert numbers["deviation_milli"] == pytest.approx(2_000, abs=50)  # no less than Poisson's
    assert opened.threshold_units == int(
        (numbers["usual_milli"] + 6 * numbers["deviation_milli"]) / 1_000
    )
    [raised] = [one for one in story.alerts(AlertRaised) if one.kind == "order_outlier"]
    assert (raised.alert_key, raised.severity) == (opened.breach_id, "warning")
    assert raised.text == "order huge, line 1, asks for 40"
    assert _line_states(story)["huge"] == "reserved"


def test_what_is_at_the_limit_is_usual() -> None:
    """Only above it a line is told; and nothing is told before enough is learned."""
    story = _usual(_story(order_outlier_deviations=6), LINES_LEARNED_MIN - 1)
    story.tell(_line("early", 16))
    assert not story.events(BreachOpened)
    limit = limit_units(_sizes(story), Rules(order_outlier_deviations=6))
    story.tell(_line("at", limit))
    assert not story.events(BreachOpened)
    limit = limit_units(_sizes(story), Rules(order_outlier_deviations=6))
    story.tell(_line("above", limit + 1))
    assert [one.cause for one in story.events(BreachOpened)] == ["above/1"]


def test_the_maximum_holds_from_the_first_line_on_and_the_smaller_limit_counts() -> None:
    """A policy's own limit needs no learning; no sizes are kept for it."""
    story = _story(order_line_units_max=10).tell(_line("at", 10), _line("above", 11))
    assert [one.threshold_units for one in story.events(BreachOpened)] == [10]
    assert SIZES_KEY not in story.state
    sizes = OrderSizes(lines=LINES_LEARNED_MIN, mean=4.0, variance=9.0)
    for most, limit in ((0, 10), (7, 7), (50, 10)):
        rules = Rules(order_outlier_deviations=2, order_line_units_max=most)
        assert limit_units(sizes, rules) == limit


def test_one_absurd_line_does_not_become_usual_but_growth_is_followed() -> None:
    """A line teaches at most its limit: the next absurd one is told too, lasting growth is not."""
    story = _usual(_story(order_outlier_deviations=6)).tell(_line("absurd", 1_000_000))
    assert _sizes(story).mean < 5
    story.tell(_line("again", 1_000_000))
    assert len(story.events(BreachOpened)) == 2
    story.tell(*[_line(f"more-{n}", 30) for n in range(40)])
    told = len(story.events(BreachOpened))
    assert told < 30
    story.tell(*[_line(f"later-{n}", 30) for n in range(40)])
    assert len(story.events(BreachOpened)) == told


@pytest.mark.parametrize("action", ["accept", "release", "fulfil"])
def test_it_ends_once_with_the_line_or_when_it_is_accepted(action: str) -> None:
    """One clear and one end of the alert, also over a restore and for a repeated input."""
    story = _story(order_line_units_max=10).tell(_line("big", 11), _line("big", 11))
    story.restore()
    story.tell(_line("big", 11, action), _line("big", 11, action))
    [opened], [cleared] = story.events(BreachOpened), story.events(BreachCleared)
    assert (cleared.breach_id, cleared.opened_at_ms) == (opened.breach_id, opened.at_ms)
    assert cleared.threshold_units == 10
    assert [one.alert_key for one in story.alerts(AlertEnded)] == [opened.breach_id]
    [line] = story.order_lines()
    assert line.outlier is None


def test_a_refused_line_was_an_outlier_for_a_moment() -> None:
    """It was asked for, and that is told; nothing stays open of it."""
    story = _story(order_line_units_max=10, short_orders="refuse").tell(_line("big", 5_000))
    assert _line_states(story) == {"big": "refused"}
    assert len(story.events(BreachOpened)) == len(story.events(BreachCleared)) == 1


def test_a_held_line_takes_nothing_until_it_is_accepted() -> None:
    """Then it asks for stock as if it came at that moment, and counts as asked for."""
    story = _story(order_line_units_max=10, outlier_orders="hold").tell(_line("big", 11))
    assert (_line_states(story), story.level().reserved_units) == ({"big": "held"}, 0)
    [held] = story.events(OrderLineChanged)
    assert (held.outlier_id, held.decided_from) == ("breach-milk-2", {"limit_units": 10})
    story.restore()
    story.wait(40 * 24 * HOUR_MS)
    assert _asked_units(story) == 0
    story.tell(_line("big", 11, "accept"))
    assert (_line_states(story), story.level().reserved_units) == ({"big": "reserved"}, 11)
    assert _asked_units(story) == 11
    assert len(story.events(BreachCleared)) == 1


def test_a_held_line_of_a_later_date_waits_for_it_after_it_was_accepted() -> None:
    """The date is asked about when it is accepted."""
    story = _story(order_line_units_max=10, outlier_orders="hold", reserve_ahead_ms=HOUR_MS)
    story.tell(_line("big", 11, need_by_ms=story.now_ms + 3 * HOUR_MS))
    story.tell(_line("big", 11, "accept"))
    assert _line_states(story) == {"big": "scheduled"}
    story.wait(2 * HOUR_MS)
    assert _line_states(story) == {"big": "reserved"}


def test_a_hand_over_without_a_reservation_teaches_and_is_not_judged() -> None:
    """The goods are gone already."""
    story = _usual(_story(order_outlier_deviations=6)).tell(_line("gone", 500, "fulfil"))
    assert not story.events(BreachOpened)
    assert _sizes(story).lines == LINES_LEARNED_MIN + 1
    story.tell(_line("usual-0", 3, "fulfil"))
    assert _sizes(story).lines == LINES_LEARNED_MIN + 1


def test_a_policy_that_learns_no_longer_forgets_what_was_usual() -> None:
    """What was told stays until its line ends."""
    story = _usual(_story(order_outlier_deviations=6)).tell(_line("huge", 40))
    story.tell(reference(_policy(order_outlier_deviations=0)))
    assert SIZES_KEY not in story.state
    assert not story.events(BreachCleared)
    story.tell(_line("huge", 40, "release"))
    assert len(story.events(BreachCleared)) == 1


def test_a_preview_names_the_rules_and_opens_nothing() -> None:
    """Lines that are there already are not judged by a new policy."""
    story = Story().tell(reference(SkuRecord(SKU)), reference(_policy()), opening(50))
    story.tell(_line("big", 40))
    fold_input = reference(_policy(order_line_units_max=10, outlier_orders="hold"))
    [row] = preview(story.state, [_frame(fold_input)], 0, 1)
    assert row.rules["order_line_units_max"] == (0, 10)
    assert row.rules["outlier_orders"] == ("flag", "hold")
    assert row.opens == []


def test_it_can_be_explained() -> None:
    """Which line, how much, what is usual; and how it ended."""
    story = _story(order_line_units_max=10).tell(_line("big", 11), _line("big", 11, "release"))
    opened, cleared = story.events(BreachOpened)[0], story.events(BreachCleared)[0]
    assert entity_of(opened) == entity_of(cleared) == opened.breach_id
    lines = explained([opened, cleared])
    assert lines[0] == f"{opened.breach_id}: order_outlier of {SKU} at {SHOP}"
    assert "by order line big/1, which asks for 11; up to 10 is usual" in lines[1]
    assert "order_line_units_max 10" in lines[2]
    assert lines[3] == "  the policy's maximum 10: 10"
    assert lines[4].endswith("the line was accepted, or has ended, catalogue load 1")


HELD = reference(_policy(order_line_units_max=10, outlier_orders="hold"))


def test_an_order_with_an_unusual_line_is_held_until_it_is_accepted() -> None:
    """Its other lines are reserved meanwhile; accepted, all of it is confirmed."""
    orders = Orders(HELD, opening(100), opening(9, sku="tea"))
    orders.place("o1", {"milk": 50, "tea": 2})
    order = orders.order("o1")
    assert (order.state, [line.state for line in order.lines]) == ("held", ["held", "reserved"])
    assert order.lines[0].outlier_id
    orders.ask("fulfil", "o1")
    assert orders.refusals() == ["an order that is held can't be handed over"]
    orders.ask("accept", "o1")
    order = orders.order("o1")
    assert (order.state, [line.outlier_id for line in order.lines]) == ("confirmed", ["", ""])
    orders.ask("accept", "o1")
    assert orders.refusals()[-1] == "no line of it waits to be accepted; it is confirmed"


def test_a_flagged_order_is_confirmed_and_can_be_accepted() -> None:
    """Nothing of it moves; only the breach ends."""
    orders = Orders(reference(_policy(order_line_units_max=10)), opening(100))
    orders.place("o1", {"milk": 50})
    assert orders.order("o1").state == "confirmed"
    version = orders.order("o1").version
    orders.ask("accept", "o1")
    assert orders.order("o1").state == "confirmed"
    assert orders.order("o1").version > version
    assert not orders.order("o1").lines[0].outlier_id
    assert len(orders.stock.events(BreachCleared)) == 1
    assert orders.stock.level().reserved_units == 50


@pytest.mark.parametrize(("fulfilment", "state"), [("whole", "expired"), ("partial", "confirmed")])
def test_a_held_order_whose_time_is_over_ends_like_any_other(fulfilment: str, state: str) -> None:
    """A whole one gives all back; a partial one keeps what its other lines hold."""
    orders = Orders(HELD, opening(100), opening(9, sku="tea"))
    orders.place("o1", {"milk": 50, "tea": 2}, fulfilment=fulfilment)
    orders.wait(HOUR_MS)
    assert orders.order("o1").state == state
    assert orders.stock.level().reserved_units == 0
    assert len(orders.stock.events(BreachCleared)) == 1


def test_a_held_order_can_be_cancelled() -> None:
    """Its breach ends with it."""
    orders = Orders(HELD, opening(100)).place("o1", {"milk": 50})
    orders.ask("cancel", "o1")
    assert orders.order("o1").state == "cancelled"
    assert len(orders.stock.events(BreachCleared)) == 1


def _asked_units(story: Story) -> int:
    kpi = decode(key(KPI, SKU, SHOP), story.state[key(KPI, SKU, SHOP)])
    assert isinstance(kpi, Kpi)
    return kpi.sums.asked_units


def _frame(item: Any) -> bytes:
    return INPUT_FRAMES.encode([item], received_at_ms=0, reference_version=1)
