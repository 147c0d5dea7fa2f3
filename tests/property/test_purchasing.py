"""Stock and planning fold together: whatever happens, nothing is on order twice or never."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from ingest.contracts.durations import DAY_MS, HOUR_MS
from ingest.contracts.supply import SupplierRecord
from ingest.frames import ScanAction, SkuRecord
from streams.contracts.events import NeedChanged
from streams.contracts.purchases import (
    PURCHASE_PLACED,
    PURCHASE_UNPLACED,
    PurchaseVerb,
)
from tests.property.fold_scripts import void_command
from tests.unit.streams.builders import SKU, command, opening, policy, reference, scan
from tests.unit.streams.supply_story import MILL, SupplyStory

SITES = ("shop-1", "shop-2")
SKUS = (SKU, "tea")
VERBS: tuple[PurchaseVerb, ...] = (
    *("approve_purchase", "edit_purchase", "cancel_purchase", "close_purchase"),
    "receive_purchase",
)
ACTIONS: tuple[ScanAction, ...] = ("sale", "sale", "sale", "receive", "receive", "waste")
STEPS_MAX = 40


def _terms(draw: Random) -> SupplierRecord:
    return SupplierRecord(
        MILL,
        lead_time_ms=DAY_MS,
        order_units_min=draw.choice((0, 0, 40)),
        order_wait_ms=draw.choice((0, 0, HOUR_MS)),
        order_time_ms=draw.choice((None, None, 6 * HOUR_MS)),
        units_day_max=draw.choice((0, 50)),
        expedite_lead_time_ms=draw.choice((0, HOUR_MS)),
    )


def _begun(draw: Random) -> SupplyStory:
    autonomy = draw.choice(("auto", "auto", "suggest"))
    story = SupplyStory().tell(policy(autonomy=autonomy, expedite=draw.random() < 0.5))
    for sku in SKUS:
        units_min, multiple = draw.choice((0, 15)), draw.choice((0, 6))
        record = SkuRecord(sku, unit_cost_minor=50, supplier=MILL)
        story.tell(
            reference(record if not multiple else _packed(record, units_min, multiple)),
            *(opening(draw.randint(5, 20), site=site, sku=sku) for site in SITES),
        )
    return story.tell(reference(_terms(draw)))


def _packed(record: SkuRecord, units_min: int, multiple: int) -> SkuRecord:
    return SkuRecord(
        record.sku,
        unit_cost_minor=record.unit_cost_minor,
        supplier=record.supplier,
        order_units_min=units_min,
        order_multiple_units=multiple,
    )


_STEPS = {"scan": 8, "ask": 4, "void": 3, "wait": 2, "close": 1, "terms": 1, "hold": 3}


def _receipts(story: SupplyStory) -> list[str]:
    return [one.movement_id for one in story.stock.movements() if one.kind == "receive"]


def _step(draw: Random, story: SupplyStory, seq: int) -> None:
    kind = draw.choices(tuple(_STEPS), tuple(_STEPS.values()))[0]
    if kind == "scan":
        action, units = draw.choice(ACTIONS), draw.randint(1, 12)
        site, sku = draw.choice(SITES), draw.choice(SKUS)
        story.tell(scan(action, units, seq=seq, site=site, sku=sku), after_ms=1)
    elif kind == "ask" and story.orders():
        order = draw.choice(story.orders()[-3:])
        need_id = draw.choice([*sorted(order.lines), "need-milk-999"])
        verb, units = draw.choice(VERBS), draw.randint(0, 30)
        story.ask(verb, order.order_id, name=f"p{seq}", need_id=need_id, quantity_units=units)
    elif kind == "void" and _receipts(story):
        wanted = draw.choice(_receipts(story)[-12:])
        story.tell(void_command(story.stock, wanted, f"v{seq}"))
    elif kind == "wait":
        story.wait(draw.choice((1, HOUR_MS, DAY_MS)))
    elif kind == "close" and story.stock.needs():
        need = draw.choice(story.stock.needs())
        story.tell(command("close_need", need.need_id, sku=need.sku, name=f"c{seq}"))
    elif kind == "terms":
        story.tell(reference(_terms(draw)))
    elif kind == "hold":
        story.held = not story.held


def _story_of(seed: int, length: int) -> SupplyStory:
    draw = Random(seed)
    story = _begun(draw)
    for seq in range(1, length + 1):
        _step(draw, story, seq)
    story.held = False
    return story.exchange()


def _check_orders(story: SupplyStory) -> None:
    for order in story.orders():
        lines = order.lines.values()
        assert all(0 <= line.received_units <= line.quantity_units for line in lines)
        if order.state in PURCHASE_PLACED:
            assert any(line.received_units < line.quantity_units for line in lines)
        if order.state == "received":
            assert all(line.received_units == line.quantity_units for line in lines)
        if order.state in PURCHASE_UNPLACED:
            assert order.lines
            assert order.ordered_at_ms == 0


def _ordered_units(story: SupplyStory, need_id: str) -> int:
    """Return what of a request stands in orders, sent or not, and has not come."""
    alive = PURCHASE_PLACED | PURCHASE_UNPLACED
    return sum(
        line.quantity_units - line.received_units
        for order in story.orders()
        if order.state in alive
        for name, line in order.lines.items()
        if name == need_id
    )


def _check_position(story: SupplyStory) -> None:
    open_needs = {need.need_id: need for need in story.stock.needs() if need.state == "open"}
    for level in story.stock.levels():
        here = [
            need for need in open_needs.values() if (need.sku, need.site) == (level.sku, level.site)
        ]
        missing_units = sum(need.quantity_units - need.received_units for need in here)
        assert level.on_order_units == missing_units
        for need in here:
            missing_units = need.quantity_units - need.received_units
            assert _ordered_units(story, need.need_id) == missing_units
    for order in story.orders():
        for need_id in order.lines:
            if need_id not in open_needs:
                assert _ordered_units(story, need_id) == 0


@given(st.integers(0, 2**32), st.integers(0, STEPS_MAX))
def test_what_is_on_order_is_what_purchase_orders_say(seed: int, length: int) -> None:
    """Position counts each ordered unit once: not twice, not never, however the folds cross."""
    story = _story_of(seed, length)
    _check_orders(story)
    _check_position(story)


@given(st.integers(0, 2**32), st.integers(0, STEPS_MAX))
def test_no_request_waits_in_two_orders(seed: int, length: int) -> None:
    """A request has at most one line that has not gone out, and its order knows it."""
    story = _story_of(seed, length)
    for need in story.needs():
        waiting = [
            order.order_id
            for order in story.orders()
            if order.state in PURCHASE_UNPLACED and need.line.need_id in order.lines
        ]
        assert waiting == ([need.waiting_id] if need.waiting_id else [])


def _opened_beside(story: SupplyStory) -> int:
    """Return how often a request was open while another of its level was."""
    found = 0
    open_now: set[tuple[str, str, str]] = set()
    for event in story.stock.events(NeedChanged):
        need = event.need
        name = (need.sku, need.site, need.need_id)
        if need.state == "closed":
            open_now.discard(name)
        elif name not in open_now:
            found += any(other[:2] == name[:2] for other in open_now)
            open_now.add(name)
    return found


def test_the_random_lives_reopen_orders() -> None:
    """Receipts that closed a request are taken back, also where another is open by then."""
    stories = [_story_of(seed, 2 * STEPS_MAX) for seed in range(150)]
    orders = [order for story in stories for order in story.orders()]
    assert sum("reopened" in order.flags for order in orders) > 10
    assert sum(_opened_beside(story) for story in stories) > 0
