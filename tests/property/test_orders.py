"""Orders, whatever happens: no unit is promised twice, and nothing is held by what has ended."""

from collections import Counter
from random import Random

from hypothesis import example, given
from hypothesis import strategies as st

from ingest.contracts.durations import HOUR_MS
from ingest.contracts.policies import PolicyRecord
from ingest.frames import SkuRecord
from streams.contracts.orders import (
    ORDER,
    ORDER_LINE,
    ORDER_QUEUE,
    CustomerOrder,
    OrderLine,
    OrderLineChanged,
    OrderQueue,
)
from streams.contracts.state import decode, key_parts
from streams.domain.order_queues import free_units
from tests.property.fold_scripts import Step, run, script_of, scripts
from tests.unit.streams.builders import Story, opening, reference, scan
from tests.unit.streams.order_story import Orders

SKUS = ("milk", "tea", "salt")
OPEN_HOLD = frozenset({"reserving", "held", "back_ordered", "confirmed", "scheduled", "fulfilling"})

ASKED_TWICE = "there is such a line already"


def _lines(story: Story) -> dict[str, OrderLine]:
    found = {}
    for raw, value in story.state.items():
        if key_parts(raw)[0] == ORDER_LINE:
            line = decode(raw, value)
            assert isinstance(line, OrderLine)
            found["\x1f".join(key_parts(raw)[1:])] = line
    return found


def _queues(story: Story) -> list[OrderQueue]:
    found = [decode(raw, value) for raw, value in story.state.items() if _is_queue(raw)]
    return [queue for queue in found if isinstance(queue, OrderQueue)]


def _is_queue(raw: bytes) -> bool:
    return key_parts(raw)[0] == ORDER_QUEUE


@given(scripts())
def test_what_is_reserved_is_what_lines_hold(script: list[Step]) -> None:
    """After every step: by the lines, by the level and by the ledger the same; ended hold none."""

    def check(story: Story, _number: int) -> None:
        story.drain()
        held: Counter[tuple[str, str]] = Counter()
        for line in _lines(story).values():
            assert 0 <= line.reserved_units <= line.quantity_units
            assert line.state in {"reserved", "waiting"} or not line.reserved_units
            held[line.sku, line.site] += line.reserved_units
        for level in story.levels():
            assert level.reserved_units == held[level.sku, level.site]

    story = run(script, check)
    posted: Counter[tuple[str, str]] = Counter()
    for movement in story.movements():
        if movement.bucket == "reserved":
            posted[movement.sku, movement.site] += movement.quantity_units
    for level in story.levels():
        assert level.reserved_units == posted[level.sku, level.site]


@given(scripts())
def test_nobody_waits_beside_a_free_unit(script: list[Step]) -> None:
    """After every step a queue holds those who wait, in turn, and nothing is free there."""

    def check(story: Story, _number: int) -> None:
        story.drain()
        lines = _lines(story)
        waiting = [entry.name for queue in _queues(story) for entry in queue.waiting]
        assert sorted(waiting) == sorted(n for n, line in lines.items() if line.state == "waiting")
        store = story.fold._store  # what the fold itself promises by
        for queue in _queues(story):
            turns = [(-entry.priority, entry.at_ms) for entry in queue.waiting]
            assert turns == sorted(turns)
            level = store.levels.get((queue.sku, queue.site))
            assert level is not None
            assert free_units(store, level) <= 0

    run(script, check)


@given(scripts())
@example(script_of(163, 86, ()))
def test_available_is_never_promised_twice(script: list[Step]) -> None:
    """A line that waits or is refused takes at most what its own numbers leave free."""
    story = run(script)
    events = story.events(OrderLineChanged)
    taken: Counter[str] = Counter()
    for event in events:
        name = f"{event.order_id}/{event.sku}/{event.site}"
        numbers = event.decided_from
        served = event.state in {"reserved", "waiting"} and not event.reason
        if "free_units" in numbers and served:
            left = numbers["on_hand_units"] - numbers["reserved_units"]
            left -= numbers["quarantined_units"] + numbers["buffer_units"]
            assert numbers["free_units"] == left - numbers["in_transit_out_units"]
            took = event.reserved_units - taken[name]
            assert took <= max(0, numbers["free_units"])
        if event.reason != ASKED_TWICE:  # it says nothing of the line that is held already
            taken[name] = event.reserved_units


def _life(seed: int, steps: int) -> Orders:
    draw = Random(seed)
    orders = Orders(
        reference(
            PolicyRecord(
                scope="network",
                negative_stock="refuse",
                reserve_ahead_ms=HOUR_MS,
                order_line_units_max=4,
                outlier_orders=draw.choice(("flag", "hold")),
            )
        ),
        *[reference(SkuRecord(sku)) for sku in SKUS],
        *[opening(draw.randint(0, 9), sku=sku) for sku in SKUS],
    )
    for number in range(steps):
        name = f"o{draw.randint(1, 9)}"
        match draw.randint(0, 9):
            case 0 | 1 | 2:
                skus = draw.sample(SKUS, draw.randint(1, 3))
                orders.send(
                    "place",
                    f"o{number % 10}",
                    lines=orders.lines({sku: draw.randint(1, 6) for sku in skus}),
                    fulfilment=draw.choice(("whole", "whole", "partial")),
                    back_order=draw.random() < 0.6,
                    priority=draw.randint(0, 2),
                    need_by_ms=draw.choice((0, 0, orders.stock.now_ms + 3 * HOUR_MS)),
                    ttl_ms=draw.choice((1, HOUR_MS, 9 * HOUR_MS)),
                )
            case 3 | 4 | 7 as verb:
                orders.send({3: "cancel", 4: "fulfil", 7: "accept"}[verb], name)
            case 5:
                units, sku = draw.randint(1, 9), draw.choice(SKUS)
                orders.stock.tell(scan("receive", units, seq=number, sku=sku), after_ms=1)
            case 6:
                units, sku = draw.randint(1, 5), draw.choice(SKUS)
                orders.stock.tell(scan("sale", units, seq=number, sku=sku), after_ms=1)
            case 8:
                orders.stock.wait(draw.choice((1, HOUR_MS // 2, 2 * HOUR_MS)))
                orders.plans.at(orders.stock.now_ms)
            case _:
                orders.stock.restore()
                orders.plans.restore()
        if draw.random() < 0.5:  # answers cross what is asked meanwhile
            orders.carry_inputs()
        if draw.random() < 0.5:
            orders.carry_answers()
    return orders.settle()


def _written(orders: Orders) -> list[CustomerOrder]:
    names = sorted(raw for raw in orders.plans.state if key_parts(raw)[0] == ORDER)
    return [orders.order(key_parts(raw)[1]) for raw in names]


@given(st.integers(0, 2**32), st.integers(0, 60))
def test_an_order_that_has_ended_holds_nothing(seed: int, steps: int) -> None:
    """In both folds alike; a whole order is confirmed only with all of it."""
    orders = _life(seed, steps)
    held: Counter[str] = Counter()
    for order in _written(orders):
        for line in order.lines:
            assert line.state != "asked"
            if order.state in OPEN_HOLD and line.state in {"reserved", "waiting"}:
                held[line.sku] += line.reserved_units
            if order.fulfilment == "whole" and order.state == "confirmed":
                assert line.state == "fulfilled" or line.reserved_units == line.quantity_units
    for level in orders.stock.levels():
        assert level.reserved_units == held[level.sku]


def test_the_random_lives_order() -> None:
    """The lives these tests draw confirm, hold, refuse, wait, time out, cancel and hand over."""
    ended = Counter(order.state for seed in range(60) for order in _written(_life(seed, 60)))
    wanted = {"confirmed", "back_ordered", "refused", "expired", "cancelled", "fulfilled", "held"}
    assert wanted <= set(ended)
    states = Counter(
        event.state
        for seed in range(20)
        for event in run(script_of(seed, 120)).events(OrderLineChanged)
    )
    assert {"reserved", "waiting", "refused", "scheduled", "released", "held"} <= set(states)
