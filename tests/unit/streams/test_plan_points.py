"""Points of what spans SKUs, and of lots: what adds up, what keeps apart, what is no tag."""

import msgspec
import pytest
from msgspec.structs import replace

from ingest.contracts.durations import DAY_MS
from streams import plan_points, points
from streams.contracts.counts import CountLineChanged
from streams.contracts.events import EVENT_FRAMES, PurchaseChanged
from streams.contracts.lots import EXPIRED, LOTS, Lot, LotBook
from streams.contracts.orders import OrderChanged, OrderLineChanged
from streams.contracts.state import key
from streams.line_protocol import named_stamp_ns
from streams.sink import MAPPERS
from tests.drawn import AT_MS, drawn_records
from tests.unit.streams.builders import SHOP, SKU, T0, Story, command, opening, policy, scan
from tests.unit.streams.order_story import Orders
from tests.unit.streams.supply_story import MILL, supplied_story


def fields_of(line: str) -> dict[str, str]:
    """Return the fields of a line that has no blank inside a text."""
    said = line.split(" ")[1].split(",")
    return dict(field.split("=", 1) for field in said)


def test_orders_are_summed_up_by_their_lines() -> None:
    """What is held and wanted, how many lines are short; a refused one holds nothing."""
    orders = Orders(policy(autonomy="observe"), opening(10), opening(1, sku="tea"))
    orders.place("SO-1", {"milk": 4, "tea": 2}, fulfilment="partial").place("SO-2", {"tea": 9})
    said = orders.plans.said("shelfstream.events", EVENT_FRAMES)
    lines = [
        plan_points.EVENT_LINES[OrderChanged](one) for one in said if isinstance(one, OrderChanged)
    ]
    heads = [line.split(" ")[0] for line in lines]
    assert "customer_order,fulfilment=partial,state=confirmed" in heads
    confirmed = fields_of(lines[heads.index("customer_order,fulfilment=partial,state=confirmed")])
    assert (confirmed["reserved_units"], confirmed["wanted_units"]) == ("5i", "6i")
    assert (confirmed["lines"], confirmed["short_lines"]) == ("2i", "1i")
    refused = fields_of(lines[heads.index("customer_order,fulfilment=whole,state=refused")])
    assert (refused["reserved_units"], refused["short_lines"]) == ("0i", "1i")


def test_orders_of_one_millisecond_keep_apart_whatever_they_are_called() -> None:
    """Ids of other systems need no number; the same event has the same stamp again."""
    stamps = {named_stamp_ns(AT_MS, name) for name in ("web/1", "app/1", "SO-1/1", "SO-1/2")}
    assert len(stamps) == 4
    assert {stamp // 1_000_000 for stamp in stamps} == {AT_MS}
    assert named_stamp_ns(AT_MS, "web/1") in stamps


def test_no_id_is_a_tag() -> None:
    """Series are of sites, articles, suppliers and states, of which there are not ever more."""
    tags = set()
    for record in drawn_records(SKU):
        for line in MAPPERS[record.topic](record.key, record.value):
            head = line.replace(r"\ ", "").split(" ")[0]
            tags |= {part.split("=")[0] for part in head.split(",")[1:]}
    assert not tags & {"order_id", "session_id", "hold_id", "transfer_id", "breach_id", "lot"}
    assert {"site", "sku", "state", "supplier", "cause", "fulfilment"} <= tags


@pytest.mark.parametrize(
    ("state", "held", "short"),
    [("reserved", 3, 0), ("waiting", 3, 2), ("refused", 0, 5), ("fulfilled", 0, 0)],
)
def test_a_line_is_short_of_what_it_waits_for(state: str, held: int, short: int) -> None:
    """What was handed over is not short, what is refused is so altogether."""
    changed = OrderLineChanged(
        order_id="o",
        line=1,
        sku=SKU,
        site=SHOP,
        state=state,  # type: ignore[arg-type] # a plain text of the table above
        at_ms=1,
        quantity_units=5,
        reserved_units=held,
    )
    fields = fields_of(plan_points.EVENT_LINES[OrderLineChanged](changed))
    assert (fields["reserved_units"], fields["short_units"]) == (f"{held}i", f"{short}i")


def test_a_purchase_order_tells_what_is_to_come() -> None:
    """Nothing before it has gone out and after it is over."""
    story = supplied_story().tell(opening(4))
    story.tell(scan("receive", 6, seq=1))
    story.tell(scan("receive", 20, seq=2))
    line = plan_points.EVENT_LINES[PurchaseChanged]
    told = [
        (e.order.state, fields_of(line(e))["open_units"]) for e in story.events(PurchaseChanged)
    ]
    assert ("ordered", "26i") in told
    assert ("partly_received", "20i") in told
    assert told[-1] == ("received", "0i")
    last = line(story.events(PurchaseChanged)[-1])
    assert last.startswith(f"purchase_order,state=received,supplier={MILL} ")


def test_lots_are_drawn_when_they_change_by_scan_time_or_command() -> None:
    """Near, expired and quarantined units do not overlap, and each change has its own time."""
    story = Story().tell(
        policy(min_units=None, max_units=None, lot_tracking="lots", near_expiry_ms=DAY_MS)
    )
    story.tell(opening(5))
    story.tell(scan("receive", 6, seq=1, lot="B", expires_at_ms=T0 + 2 * DAY_MS), after_ms=10)

    def drawn() -> tuple[int, dict[str, str]]:
        [line] = points.stock_lines(
            key(LOTS, SKU, SHOP), story.state[key(LOTS, f"{SKU}\x1f{SHOP}")]
        )
        return int(line.split(" ")[2]) // 1_000_000, fields_of(line)

    at_ms, fields = drawn()
    assert (at_ms, fields["units"], fields["unknown_units"]) == (T0 + 10, "6i", "5i")
    assert (fields["near_expiry_units"], fields["expired_units"]) == ("0i", "0i")
    story.wait(DAY_MS)
    at_ms, fields = drawn()
    assert (at_ms, fields["near_expiry_units"]) == (story.now_ms, "6i")
    story.wait(5)
    story.tell(command("quarantine", site=SHOP, lot="B", quantity_units=2, name="q1"))
    at_ms, fields = drawn()
    assert at_ms == story.now_ms
    assert (fields["near_expiry_units"], fields["quarantined_units"]) == ("4i", "2i")
    story.wait(DAY_MS)
    at_ms, fields = drawn()
    assert (fields["near_expiry_units"], fields["expired_units"]) == ("0i", "6i")
    assert fields["quarantined_units"] == "0i"


def test_lots_of_no_known_time_are_not_drawn() -> None:
    """A record of before the time was kept would be drawn at 1970; the next change draws it."""
    book = LotBook(sku=SKU, site=SHOP, lots=[Lot("L", 1, 2, 0, EXPIRED)])
    assert points.stock_lines(key(LOTS, SKU, SHOP), msgspec.msgpack.encode(book)) == []
    known = msgspec.msgpack.encode(replace(book, updated_at_ms=1))
    assert len(points.stock_lines(key(LOTS, SKU, SHOP), known)) == 1


def test_a_count_is_accurate_only_once_it_is_booked() -> None:
    """A line that waits for approval counts into neither part of the rate."""
    waits = CountLineChanged(
        session_id="count-s-1",
        sku=SKU,
        site=SHOP,
        state="waiting",
        at_ms=1,
        actor="ann",
        decided_from={"difference_units": -3, "difference_minor": -300},
        within_tolerance=True,
    )
    line = plan_points.EVENT_LINES[CountLineChanged]
    fields = fields_of(line(waits))
    assert (fields["counted"], fields["accurate"], fields["error_units"]) == ("0i", "0i", "3i")
    booked = fields_of(line(replace(waits, state="counted")))
    assert (booked["counted"], booked["accurate"]) == ("1i", "1i")
