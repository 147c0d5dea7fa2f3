"""Purchase orders: requests of a supplier are ordered together, once, and followed to the end."""

from typing import Any

import pytest

from ingest.contracts.durations import DAY_MS, HOUR_MS
from ingest.contracts.supply import LaneRecord, SupplierRecord
from ingest.frames import SiteRecord, SkuRecord
from streams.contracts.alerts import AlertEnded, AlertRaised
from streams.contracts.events import CommandAccepted, CommandRefused, PurchaseChanged
from streams.domain.purchase_orders import LATE_AFTER_MS, PURCHASE_KEPT_MS
from streams.domain.purchasing import PURCHASE_LINES_MAX
from tests.property.fold_scripts import void_command
from tests.unit.streams.builders import DONOR, SHOP, SKU, command, opening, policy, reference, scan
from tests.unit.streams.plan_story import purchase_line
from tests.unit.streams.supply_story import MILL, SupplyStory, supplied_story

FIRST = f"purchase-{MILL}-1"


def _short(story: SupplyStory, site: str = SHOP, units: int = 4) -> str:
    """Let a site run short, and return its request."""
    story.tell(opening(units, site=site))
    return story.stock.level(site).need_id


def _states(story: SupplyStory, order_id: str = FIRST) -> list[str]:
    said = [e.order.state for e in story.events(PurchaseChanged) if e.order.order_id == order_id]
    return [state for i, state in enumerate(said) if i == 0 or said[i - 1] != state]


def test_a_request_is_ordered_of_its_supplier() -> None:
    """It goes out at once where the policy is automatic and no cut-off is said."""
    story = supplied_story()
    need_id = _short(story)
    order = story.order()
    assert (order.order_id, order.supplier, order.state) == (FIRST, MILL, "ordered")
    assert order.lines[need_id].quantity_units == 26
    assert order.expected_at_ms == story.now_ms + DAY_MS
    assert story.stock.needs()[0].ordered_units == 26
    assert story.stock.level().on_order_units == 26
    assert _states(story) == ["collecting", "ordered"]


def test_what_comes_in_parts_is_followed_to_the_end() -> None:
    """The book moves by scans; the order is partly received, then received."""
    story = supplied_story()
    need_id = _short(story)
    story.tell(scan("receive", 10, seq=1))
    assert (story.order().state, story.order().lines[need_id].received_units) == (
        "partly_received",
        10,
    )
    story.tell(scan("receive", 16, seq=2))
    assert story.order().state == "received"
    assert story.stock.level().on_order_units == 0
    assert [need.closed_at_ms for need in story.needs()] == [story.now_ms]
    story.wait(PURCHASE_KEPT_MS)
    assert story.orders() == []


def test_nothing_is_ordered_twice() -> None:
    """What is on order counts: a deeper shortage orders only what is missing beyond it."""
    story = supplied_story()
    _short(story)
    story.tell(scan("sale", 3, seq=1), after_ms=HOUR_MS)
    assert len(story.orders()) == 1
    story.tell(scan("waste", 20, seq=2), after_ms=HOUR_MS)
    ordered = sum(line.quantity_units for o in story.orders() for line in o.lines.values())
    level = story.stock.level()
    assert level.on_order_units == ordered
    assert level.on_hand_units + level.on_order_units == 30


def test_lines_of_one_supplier_wait_for_its_cut_off_together() -> None:
    """Two sites' lines stand in one order that goes out at its weekday and hour."""
    terms = SupplierRecord(MILL, order_weekdays="mon thu", order_time_ms=14 * HOUR_MS)
    story = supplied_story(terms)
    _short(story)
    _short(story, DONOR)
    order = story.order()
    assert (order.state, len(order.lines)) == ("collecting", 2)
    assert order.places_at_ms == 14 * HOUR_MS  # 1970-01-01 was a Thursday
    story.wait(14 * HOUR_MS - story.now_ms)
    assert story.order().state == "ordered"
    assert len(story.orders()) == 1


def test_a_closed_date_moves_the_cut_off() -> None:
    """No order goes out on it."""
    terms = SupplierRecord(MILL, order_time_ms=0, closed_dates="1970-01-02 1970-01-03")
    story = supplied_story(terms)
    _short(story)
    assert story.order().places_at_ms == 3 * DAY_MS


def test_an_order_below_the_supplier_s_minimum_waits_for_the_next_cut_off() -> None:
    """It collects on and says so; with enough in it, it goes out."""
    terms = SupplierRecord(MILL, order_time_ms=HOUR_MS, order_value_minor_min=3_000)
    story = supplied_story(terms)
    _short(story)  # worth 2,600
    story.wait(HOUR_MS)
    order = story.order()
    assert (order.state, order.flags) == ("collecting", ["below_minimum"])
    assert order.places_at_ms == DAY_MS + HOUR_MS
    assert (order.decided_from["value_minor"], order.decided_from["order_value_minor_min"]) == (
        2_600,
        3_000,
    )
    _short(story, DONOR)
    story.wait(DAY_MS)
    assert story.order().state == "ordered"


def test_a_person_lets_an_order_below_the_minimum_go_out() -> None:
    """An approval counts more than the minimum."""
    story = supplied_story(SupplierRecord(MILL, order_units_min=100, order_wait_ms=DAY_MS))
    _short(story)
    story.ask("approve_purchase", FIRST)
    assert story.order().state == "ordered"
    assert [event.entity_id for event in story.events(CommandAccepted)] == [FIRST]


def test_the_least_quantity_and_the_multiple_of_an_article_are_ordered() -> None:
    """26 are wanted; the mill delivers dozens, three at least: 36 are on order, not 26."""
    sku = SkuRecord(SKU, supplier=MILL, order_units_min=30, order_multiple_units=12)
    story = supplied_story(sku=sku)
    need_id = _short(story)
    assert story.order().lines[need_id].quantity_units == 36
    assert story.stock.level().on_order_units == 36


@pytest.mark.parametrize(
    ("rules", "state"),
    [
        ({"autonomy": "suggest"}, "proposed"),
        ({"autonomy": "auto_within_limits", "auto_units_max": 25}, "proposed"),
        ({"autonomy": "auto_within_limits", "auto_units_max": 26}, "ordered"),
    ],
)
def test_autonomy_decides_who_lets_an_order_go_out(rules: dict[str, Any], state: str) -> None:
    """What the policy does not let go out by itself waits for a person, who is told."""
    story = supplied_story(**rules)
    _short(story)
    assert story.order().state == state
    kinds = [item.kind for item in story.alerts() if isinstance(item, AlertRaised)]
    assert kinds == (["purchase_proposed"] if state == "proposed" else [])


def test_what_is_above_the_supplier_s_daily_limit_waits_for_a_person() -> None:
    """The first order of the day fits, the second does not, the next day's does."""
    story = supplied_story(SupplierRecord(MILL, units_day_max=30))
    _short(story)
    _short(story, DONOR)
    assert [order.state for order in story.orders()] == ["ordered", "proposed"]
    assert "over_day_limit" in story.order().flags
    _wait_a_day_and_be_short(story)
    assert story.order().state == "ordered"


def _wait_a_day_and_be_short(story: SupplyStory) -> None:
    story.wait(DAY_MS)
    _short(story, "shop-3")


def test_an_approved_proposal_goes_out_and_its_alert_ends() -> None:
    """The person's name stands as the cause of the answer."""
    story = supplied_story(autonomy="suggest")
    need_id = _short(story)
    story.ask("approve_purchase", FIRST, expected_version=story.order().version)
    assert story.order().state == "ordered"
    assert [type(item) for item in story.alerts()] == [AlertRaised, AlertEnded]
    assert story.stock.needs()[0].ordered_units == story.order().lines[need_id].quantity_units


def test_an_edited_line_changes_what_is_on_order() -> None:
    """Up and down, before and after it went out."""
    story = supplied_story(autonomy="suggest")
    need_id = _short(story)
    story.ask("edit_purchase", FIRST, need_id=need_id, quantity_units=40)
    assert story.stock.level().on_order_units == 40
    story.ask("approve_purchase", FIRST)
    story.ask("edit_purchase", FIRST, need_id=need_id, quantity_units=12)
    level = story.stock.level()
    assert (level.on_order_units, story.order().lines[need_id].quantity_units) == (12, 12)
    assert len(story.orders()) == 1


def test_a_cancelled_order_is_on_order_no_more() -> None:
    """Its requests close and are not made again while the shortage lasts."""
    story = supplied_story()
    _short(story)
    story.ask("cancel_purchase", FIRST)
    assert story.order().state == "cancelled"
    assert story.stock.level().on_order_units == 0
    story.tell(scan("sale", 1, seq=1), after_ms=HOUR_MS)
    assert len(story.orders()) == 1


def test_an_order_that_came_in_part_is_closed_not_cancelled() -> None:
    """What has come stays; the rest is no longer on order."""
    story = supplied_story()
    _short(story)
    story.tell(scan("receive", 5, seq=1))
    story.ask("cancel_purchase", FIRST)
    assert [event.reason for event in story.events(CommandRefused)] == [
        "something of it has come: close it"
    ]
    story.ask("close_purchase", FIRST)
    assert story.order().state == "closed"
    assert story.stock.level().on_order_units == 0


def test_a_receipt_is_booked_by_command() -> None:
    """Where nobody scans: the book rises and the order is partly received."""
    story = supplied_story()
    need_id = _short(story)
    story.ask("receive_purchase", FIRST, need_id=need_id, quantity_units=6)
    assert story.stock.level().on_hand_units == 10
    assert story.order().state == "partly_received"
    story.ask("receive_purchase", FIRST, need_id=need_id, quantity_units=6)
    assert story.stock.level().on_hand_units == 16


def test_what_is_ordered_stays_on_order_when_the_shortage_is_over() -> None:
    """It comes, needed or not: forgetting it would order it again."""
    story = supplied_story()
    _short(story)
    story.tell(scan("adjust", 40, seq=1))
    assert story.stock.level().on_order_units == 26
    assert story.order().state == "ordered"


def test_what_is_not_ordered_yet_leaves_the_order_when_the_shortage_is_over() -> None:
    """A collecting order without lines is cancelled."""
    story = supplied_story(SupplierRecord(MILL, order_wait_ms=DAY_MS))
    _short(story)
    story.tell(scan("adjust", 40, seq=1))
    assert story.stock.level().on_order_units == 0
    assert story.order().state == "cancelled"


def test_a_request_closed_while_its_order_goes_out_cancels_the_line() -> None:
    """The two folds cross each other: what the one ordered, the other no longer counts."""
    story = supplied_story(SupplierRecord(MILL, order_wait_ms=HOUR_MS))
    need_id = _short(story)
    story.held = True
    story.wait(HOUR_MS)  # it goes out, but the stock fold has not heard of it
    assert story.order().state == "ordered"
    story.tell(command("close_need", need_id))
    story.exchange()
    assert (story.order().state, story.order().flags) == ("cancelled", ["not_needed"])
    assert story.stock.level().on_order_units == 0


def test_an_express_order_goes_out_where_stock_runs_out_before_normal_supply() -> None:
    """Only where the policy allows it and the supplier takes express orders."""
    terms = SupplierRecord(
        MILL, lead_time_ms=5 * DAY_MS, order_wait_ms=DAY_MS, expedite_lead_time_ms=DAY_MS
    )
    slow = supplied_story(terms)
    _short(slow, units=0)
    assert (slow.order().state, slow.order().expedited) == ("collecting", False)
    fast = supplied_story(terms, expedite=True)
    _short(fast, units=0)
    order = fast.order()
    assert (order.state, order.expedited, order.flags) == ("ordered", True, ["expedited"])
    assert order.expected_at_ms == fast.now_ms + DAY_MS
    assert order.decided_from["normal_supply_at_ms"] == fast.now_ms + 6 * DAY_MS
    assert len(fast.orders()) == 1


def test_a_late_order_is_told_and_the_alert_ends_with_it() -> None:
    """A day after it was expected; a cancel ends it."""
    story = supplied_story()
    _short(story)
    story.wait(DAY_MS + LATE_AFTER_MS)
    [raised] = story.alerts()
    assert (raised.kind, raised.alert_key) == ("purchase_late", FIRST)
    story.ask("cancel_purchase", FIRST)
    assert isinstance(story.alerts()[-1], AlertEnded)


@pytest.mark.parametrize(
    ("verb", "more", "reason"),
    [
        ("approve_purchase", {}, "an order that is ordered can't be approved"),
        ("approve_purchase", {"expected_version": 1}, "version 1 was expected, but it is 2"),
        ("edit_purchase", {"need_id": "need-x-1"}, "it has no open line need-x-1"),
        ("receive_purchase", {"need_id": "need-x-1"}, "it has no line need-x-1"),
        ("receive_purchase", {"need_id": "its own"}, "the quantity must be positive"),
    ],
)
def test_what_can_t_be_done_is_refused(verb: str, more: dict[str, object], reason: str) -> None:
    """With the reason and the state it found."""
    story = supplied_story()
    need_id = _short(story)
    more = {name: need_id if value == "its own" else value for name, value in more.items()}
    story.ask(verb, FIRST, **more)  # type: ignore[arg-type] # one of the verbs
    [refused] = story.events(CommandRefused)
    assert (refused.reason, refused.current_state) == (reason, "ordered")


def test_a_repeated_command_is_carried_out_once() -> None:
    """And answered once; an order that nobody knows is refused."""
    story = supplied_story()
    need_id = _short(story)
    for _ in range(2):
        story.ask("receive_purchase", FIRST, name="once", need_id=need_id, quantity_units=2)
    assert story.stock.level().on_hand_units == 6
    assert len(story.events(CommandAccepted)) == 1
    story.ask("approve_purchase", "purchase-mill-9")
    assert story.events(CommandRefused)[0].reason == "there is no order purchase-mill-9"


def test_new_terms_move_the_cut_off_of_a_collecting_order() -> None:
    """Policies and terms change live."""
    story = supplied_story(SupplierRecord(MILL, order_wait_ms=9 * DAY_MS))
    _short(story)
    story.tell(reference(SupplierRecord(MILL, order_wait_ms=HOUR_MS)))
    assert story.order().places_at_ms == story.now_ms + HOUR_MS


@pytest.mark.parametrize(
    ("supply_from", "opened", "supplier"),
    [("parent", "hall", ""), ("supplier", "", MILL), ("cheapest", "", MILL)],
)
def test_a_policy_says_where_supply_comes_from(
    supply_from: str, opened: str, supplier: str
) -> None:
    """The parent's lane costs 700, the supplier 500: the cheapest is the supplier, straight."""
    story = supplied_story(SupplierRecord(MILL, DAY_MS, 500), supply_from=supply_from)
    story.tell(reference(SiteRecord(SHOP, parent_site="hall")))
    story.tell(reference(LaneRecord("hall", SHOP, HOUR_MS, 700)))
    _short(story)
    [need] = story.stock.needs()
    assert (need.from_site, need.supplier) == (opened, supplier)


def test_the_cheapest_supply_has_to_come_in_time() -> None:
    """With nothing left, the parent's lane is chosen for its hour though it costs more."""
    story = supplied_story(SupplierRecord(MILL, DAY_MS, 500), supply_from="cheapest")
    story.tell(reference(SiteRecord(SHOP, parent_site="hall")))
    story.tell(reference(LaneRecord("hall", SHOP, HOUR_MS, 700)))
    _short(story, units=0)
    [need] = story.stock.needs()
    assert (need.from_site, need.decided_from["parent_lead_time_ms"]) == ("hall", HOUR_MS)


def test_with_no_supplier_named_nothing_is_ordered() -> None:
    """The request stands as before, for people to serve."""
    story = SupplyStory().tell(policy())
    _short(story)
    assert story.orders() == []
    assert story.stock.level().on_order_units == 26


def test_an_order_takes_no_more_lines_than_its_limit() -> None:
    """Below the minimum it waits, and the next line opens another order."""
    story = SupplyStory()
    story.plan(reference(SupplierRecord(MILL, order_units_min=10**6, order_wait_ms=DAY_MS)))
    for number in range(PURCHASE_LINES_MAX + 1):
        story.plan(purchase_line(f"need-milk-{number}", 1))
    assert [len(order.lines) for order in story.orders()] == [PURCHASE_LINES_MAX, 1]
    assert story.orders()[0].flags == ["below_minimum"]


def test_a_voided_receipt_is_missed_again() -> None:
    """The order waits for what did not come after all."""
    story = SupplyStory()
    story.plan(purchase_line("need-milk-1", 1))
    story.plan(purchase_line("need-milk-1", 2, received_units=6, revision=1))
    assert story.order().lines["need-milk-1"].received_units == 6
    story.plan(purchase_line("need-milk-1", 3, received_units=0, revision=1))
    assert (story.order().state, story.order().lines["need-milk-1"].received_units) == (
        "ordered",
        0,
    )
    assert len(story.orders()) == 1


def _received() -> SupplyStory:
    """Return a story whose order of 26 has come, by one receipt."""
    story = supplied_story().tell(opening(4)).tell(scan("receive", 26, seq=1), after_ms=HOUR_MS)
    assert (story.order().state, story.stock.needs()[0].state) == ("received", "closed")
    return story


def _void(story: SupplyStory, seq: int = 1) -> SupplyStory:
    """Take a receipt back."""
    wanted = f"scanner-{SHOP}/b1/{seq}"
    return story.tell(void_command(story.stock, wanted, f"void-{seq}"), after_ms=HOUR_MS)


def test_a_voided_receipt_opens_its_order_again() -> None:
    """The supplier still owes it: the same order waits on, and nothing is ordered twice."""
    story = _void(_received())
    order, [need] = story.order(), story.stock.needs()
    assert (order.state, order.closed_at_ms, order.flags) == ("ordered", 0, ["reopened"])
    assert order.lines[need.need_id].received_units == 0
    assert (need.state, story.stock.level().on_order_units, len(story.orders())) == ("open", 26, 1)
    story.planning.restore()
    story.tell(scan("receive", 20, seq=2), after_ms=HOUR_MS)
    assert story.order().state == "partly_received"
    story.tell(scan("receive", 6, seq=3), after_ms=HOUR_MS)
    assert (story.order().state, len(story.orders())) == ("received", 1)


def test_of_several_receipts_only_the_voided_one_is_missed() -> None:
    """The order that was received is partly so again, by what the void took."""
    story = supplied_story().tell(opening(4))
    story.tell(scan("receive", 20, seq=1), after_ms=1).tell(scan("receive", 6, seq=2), after_ms=1)
    story = _void(story)
    order = story.order()
    assert (order.state, [line.received_units for line in order.lines.values()]) == (
        "partly_received",
        [6],
    )


def test_an_order_that_is_awaited_again_may_be_late_again() -> None:
    """Also where it was late before it was received."""
    story = supplied_story().tell(opening(4)).wait(3 * DAY_MS)
    story.tell(scan("receive", 26, seq=1))
    late = [one for one in story.alerts() if getattr(one, "kind", "") == "purchase_late"]
    assert len(late) == 1
    story = _void(story)
    late = [one for one in story.alerts() if getattr(one, "kind", "") == "purchase_late"]
    assert len(late) == 2
    assert story.order().flags == ["reopened", "late"]


def test_what_a_person_has_ended_is_ordered_anew() -> None:
    """The order stays closed; the units that it no longer waits for go into another."""
    story = supplied_story().tell(opening(4)).tell(scan("receive", 6, seq=1), after_ms=1)
    need_id = story.stock.needs()[0].need_id
    story.ask("close_purchase", story.order(0).order_id)
    story = _void(story)
    assert story.order(0).state == "closed"
    assert [need.state for need in story.stock.needs() if need.need_id == need_id] == ["closed"]
    level = story.stock.level()
    waiting = sum(
        line.quantity_units - line.received_units
        for order in story.orders()[1:]
        for line in order.lines.values()
    )
    assert level.on_order_units == waiting


def test_a_served_request_is_forgotten_with_its_orders() -> None:
    """It is kept as long as its receipt may be voided."""
    story = _received()
    assert [bool(need.closed_at_ms) for need in story.needs()] == [True]
    story.planning.restore()
    story.wait(PURCHASE_KEPT_MS)
    assert (story.needs(), story.orders()) == ([], [])


def test_a_line_that_was_served_can_not_be_edited() -> None:
    """Though the request is still known."""
    story = supplied_story(SupplierRecord(MILL, order_wait_ms=DAY_MS))
    story.plan(purchase_line("need-milk-1", 1), purchase_line("need-tea-2", 1))
    order_id = story.order().order_id
    story.ask("approve_purchase", order_id)
    story.plan(purchase_line("need-milk-1", 2, received_units=10, open=False, revision=1))
    story.ask("edit_purchase", order_id, need_id="need-milk-1", quantity_units=12)
    assert story.events(CommandRefused)[-1].reason == "it has no open line need-milk-1"
