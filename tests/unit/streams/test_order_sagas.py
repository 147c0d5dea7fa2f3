"""Orders of several lines: all or nothing, or what there is; by the stock and the planning fold."""

from ingest.contracts.durations import HOUR_MS
from ingest.frames import InputItem, SiteRecord
from streams.contracts.alerts import AlertEnded, AlertRaised
from streams.contracts.orders import LineAsked
from tests.unit.streams.builders import SHOP, opening, policy, reference, scan
from tests.unit.streams.order_story import Orders

MILK_10_TEA_3: list[InputItem] = [
    policy(autonomy="observe"),
    opening(10),
    opening(3, sku="tea"),
]


def _reserved(orders: Orders) -> tuple[int, int]:
    milk, tea = (orders.stock.level(sku=sku) for sku in ("milk", "tea"))
    return milk.reserved_units, tea.reserved_units


def test_an_order_that_finds_all_is_confirmed_and_handed_over() -> None:
    """Its lines are held, then leave the book."""
    orders = Orders(*MILK_10_TEA_3).place("o1", {"milk": 4, "tea": 3})
    assert orders.order("o1").state == "confirmed"
    assert _reserved(orders) == (4, 3)
    orders.ask("fulfil", "o1")
    assert orders.order("o1").state == "fulfilled"
    assert _reserved(orders) == (0, 0)
    levels = (orders.stock.level(), orders.stock.level(sku="tea"))
    assert [level.on_hand_units for level in levels] == [6, 0]


def test_a_whole_order_that_is_short_holds_nothing() -> None:
    """The line that was there is given back; the order says which line was short."""
    orders = Orders(*MILK_10_TEA_3).place("o1", {"milk": 4, "tea": 5})
    order = orders.order("o1")
    assert (order.state, order.reason) == ("refused", "tea at shop-1: only 3 units are available")
    assert _reserved(orders) == (0, 0)
    assert order.lines[1].decided_from["free_units"] == 3


def test_a_partial_order_takes_what_there_is() -> None:
    """Only what was held is handed over."""
    orders = Orders(*MILK_10_TEA_3).place("o1", {"milk": 4, "tea": 5}, fulfilment="partial")
    assert orders.order("o1").state == "confirmed"
    assert _reserved(orders) == (4, 3)
    orders.ask("fulfil", "o1")
    assert orders.stock.level(sku="tea").on_hand_units == 0


def test_a_back_order_waits_tells_people_and_is_served() -> None:
    """The alert ends when the last unit is there."""
    orders = Orders(*MILK_10_TEA_3).place("o1", {"milk": 4, "tea": 5}, back_order=True)
    assert (orders.order("o1").state, _reserved(orders)) == ("back_ordered", (4, 3))
    [raised] = orders.alerts()
    assert isinstance(raised, AlertRaised)
    assert (raised.kind, raised.sku) == ("back_order", "tea")
    orders.tell(scan("receive", 1, seq=1, sku="tea"))
    assert orders.order("o1").state == "back_ordered"
    orders.tell(scan("receive", 9, seq=2, sku="tea"))
    assert (orders.order("o1").state, _reserved(orders)) == ("confirmed", (4, 5))
    assert isinstance(orders.alerts()[-1], AlertEnded)


def test_a_whole_order_whose_time_is_over_gives_all_back() -> None:
    """And whoever waited behind it is served."""
    orders = Orders(*MILK_10_TEA_3).place("o1", {"milk": 10, "tea": 5}, back_order=True)
    orders.place("o2", {"milk": 2}, back_order=True, ttl_ms=9 * HOUR_MS)
    assert orders.order("o2").state == "back_ordered"
    orders.wait(HOUR_MS)
    assert (orders.order("o1").state, orders.order("o2").state) == ("expired", "confirmed")
    assert _reserved(orders) == (2, 0)


def test_a_partial_order_whose_time_is_over_keeps_what_it_has() -> None:
    """It waits no longer for the rest."""
    lines = {"milk": 4, "tea": 5}
    orders = Orders(*MILK_10_TEA_3).place("o1", lines, back_order=True, fulfilment="partial")
    orders.wait(HOUR_MS)
    assert (orders.order("o1").state, _reserved(orders)) == ("confirmed", (4, 3))
    orders.tell(scan("receive", 9, seq=1, sku="tea"))
    assert _reserved(orders) == (4, 3)


def test_a_cancelled_order_gives_all_back_even_before_it_was_answered() -> None:
    """The release overtakes no reservation; nothing of an ended order is handed over."""
    orders = Orders(*MILK_10_TEA_3)
    orders.place("o1", {"milk": 4})
    orders.ask("cancel", "o1").ask("fulfil", "o1")
    orders.send("place", "o2", lines=orders.lines({"milk": 4, "tea": 1}), ttl_ms=HOUR_MS)
    orders.send("cancel", "o2")
    orders.settle()
    assert orders.order("o2").state == "cancelled"
    assert _reserved(orders) == (0, 0)
    assert orders.refusals() == ["an order that is cancelled can't be handed over"]


def test_an_order_of_a_far_date_leaves_today_s_stock_alone() -> None:
    """It asks for stock a week ahead, and waits for nobody's alarm until then."""
    orders = Orders(*MILK_10_TEA_3)
    day_ms = 24 * HOUR_MS
    orders.place("o1", {"milk": 9}, need_by_ms=orders.stock.now_ms + 30 * day_ms)
    assert (orders.order("o1").state, _reserved(orders)) == ("scheduled", (0, 0))
    orders.place("o2", {"milk": 8})
    assert orders.order("o2").state == "confirmed"
    orders.ask("cancel", "o2").wait(23 * day_ms)
    assert (orders.order("o1").state, _reserved(orders)) == ("confirmed", (9, 0))


def test_a_hand_over_that_the_policy_refuses_can_be_tried_again() -> None:
    """The book is short meanwhile: the line stays held, and the order confirmed."""
    orders = Orders(*MILK_10_TEA_3, policy(autonomy="observe", negative_stock="refuse"))
    orders.place("o1", {"milk": 8})
    orders.tell(scan("sale", 5, seq=1)).ask("fulfil", "o1")
    assert orders.order("o1").state == "confirmed"
    assert orders.order("o1").lines[0].reason == "the book has only 5 units"
    orders.tell(scan("receive", 3, seq=2)).ask("fulfil", "o1")
    assert orders.order("o1").state == "fulfilled"
    assert orders.stock.level().on_hand_units == 0


def test_an_order_is_placed_once() -> None:
    """A second order of the same id is refused, whatever it asks for."""
    orders = Orders(*MILK_10_TEA_3).place("o1", {"milk": 4}).place("o1", {"tea": 1})
    assert orders.refusals() == ["order o1 has been placed already"]
    assert _reserved(orders) == (4, 0)


def test_a_name_that_nobody_knows_is_refused_and_leaves_no_level() -> None:
    """A misspelt article or site is no stock that is out: key figures would count it for ever."""
    orders = Orders(policy(autonomy="observe"), reference(SiteRecord(SHOP)), opening(10))
    orders.place("o1", {"mlik": 4}, back_order=True)
    assert orders.order("o1").state == "refused"
    assert orders.order("o1").reason == f"mlik at {SHOP}: nothing is known of mlik"
    orders.send("place", "o2", lines=[LineAsked("milk", "shop-11", 1)], ttl_ms=HOUR_MS)
    orders.settle()
    assert orders.order("o2").reason == "milk at shop-11: there is no site shop-11"
    assert [(level.sku, level.site) for level in orders.stock.levels()] == [("milk", SHOP)]
    orders.stock.tell(reference(SiteRecord("shop-2")))
    orders.send(
        "place", "o3", lines=[LineAsked("milk", "shop-2", 1)], ttl_ms=HOUR_MS, back_order=True
    )
    assert orders.settle().order("o3").state == "back_ordered"
