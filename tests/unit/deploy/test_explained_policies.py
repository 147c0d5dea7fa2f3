"""Every kind of decision names inputs, formula, load and rules; a wrong number is told."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from deploy.explained_policies import _BREACHES, _RULES, relied_on
from deploy.explanations import _ENTITIES, entity_of, explained, named_events
from deploy.order_rows import explained_order
from ingest.contracts.demand import PromotionRecord
from ingest.contracts.durations import DAY_MS
from ingest.contracts.policies import PolicyRecord
from ingest.contracts.supply import SupplierRecord
from ingest.contracts.topics import EVENTS
from ingest.frames import SiteRecord, SkuRecord
from streams.contracts.counts import CountLineChanged, CountSessionChanged
from streams.contracts.events import (
    EVENT_FRAMES,
    BreachOpened,
    NeedChanged,
    PurchaseChanged,
    StreamEvent,
    TransferChanged,
)
from streams.contracts.orders import OrderChanged, OrderLineChanged
from streams.contracts.state import BREACH_KINDS
from streams.domain.catalogue import Rules
from tests.property.fold_scripts import LONG_PACE_MS, STEPS_MAX, run, script_of
from tests.unit.deploy.policy_loads import policy_history
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    SKU,
    WAREHOUSE,
    Story,
    lane,
    opening,
    ordered_story,
    policy,
    reference,
    scan,
)
from tests.unit.streams.order_story import Orders
from tests.unit.streams.supply_story import MILL, supplied_story

SAME = "computed again: the same"
SUPPLIED = SkuRecord(
    SKU, unit_cost_minor=100, supplier=MILL, order_units_min=12, order_multiple_units=5
)


def _events(story: Story) -> list[StreamEvent]:
    found: list[Any] = story.items(EVENTS.name, object)
    return found


def _network(**fields: Any) -> Story:
    story = Story().tell(
        reference(SkuRecord(SKU, unit_cost_minor=100, pack_units=4)),
        reference(SiteRecord(WAREHOUSE, kind="warehouse")),
        reference(SiteRecord(SHOP, parent_site=WAREHOUSE)),
        lane(DONOR),
        lane(WAREHOUSE),
    )
    return story.tell(policy(**fields))


def _answer() -> list[StreamEvent]:
    limits = {"auto_units_max": 12, "auto_value_minor_max": 5_000, "auto_units_day_max": 20}
    story = _network(autonomy="auto_within_limits", **limits)
    return _events(story.tell(opening(24, site=DONOR), opening(5)))


def _second_donor() -> list[StreamEvent]:
    return _events(
        _network().tell(opening(24, site=DONOR), opening(19, site=WAREHOUSE), opening(5))
    )


def _on_request() -> list[StreamEvent]:
    story = _network().tell(opening(5), opening(2, site=WAREHOUSE))
    return _events(story.tell(scan("receive", 40, seq=1, site=WAREHOUSE)))


def _promotion() -> list[StreamEvent]:
    story = _network(promotion_lead_ms=DAY_MS).tell(opening(24), opening(90, site=DONOR))
    begins_ms = story.now_ms + DAY_MS // 2
    promotion = PromotionRecord(
        "autumn", begins_ms, begins_ms + DAY_MS, 0, sku=SKU, site=SHOP, planned_units=60
    )
    return _events(story.tell(reference(promotion)))


def _ordered() -> list[StreamEvent]:
    return _events(ordered_story()[0])


def _kanban() -> list[StreamEvent]:
    return _events(_network(replenishment="kanban").tell(opening(13)))


def _supplied() -> list[StreamEvent]:
    return _events(supplied_story(sku=SUPPLIED).tell(opening(4)).stock)


def _purchase() -> list[StreamEvent]:
    terms = SupplierRecord(MILL, order_wait_ms=DAY_MS, units_day_max=20, order_units_min=5)
    story = supplied_story(terms, SUPPLIED).tell(opening(4)).wait(DAY_MS)
    return story.planning.said(EVENTS.name, EVENT_FRAMES)


def _only(events: list[StreamEvent], kind: type, word: str = "") -> list[StreamEvent]:
    """Return the events of the newest entity of a kind whose explanation has a word."""
    ids = {entity_of(event): None for event in events if isinstance(event, kind)}
    for entity_id in reversed(ids):
        found = named_events(events, entity_id)
        if word in "\n".join(explained(found)):
            return found
    raise AssertionError(f"nothing of {kind.__name__} says {word!r}")


CASES: dict[str, tuple[Any, type, str, list[str]]] = {
    "answer": (
        _answer,
        TransferChanged,
        "an answer to a shortage",
        [
            "  short: position 5 = available 5 + in transit 0 + on order 0, below 10; up to 30 in"
            " packs of 4: 24; " + SAME,
            f"  donor {DONOR}: surplus 14 = available 24 - planned 0 - kept 10",
            "  quantity: the least of surplus 14, missing 24, in packs of 4: 12; " + SAME,
            (
                "  judged by the limits of autonomy: 12 units of value 1200; of that day before it"
                " 0 units of value 0"
            ),
            "  network: max_units 30, autonomy auto",
            "  sku_site shop-1 milk: min_units 12",
        ],
    ),
    "second donor": (
        _second_donor,
        TransferChanged,
        "missing_units",
        ["  quantity: the least of surplus 14, missing 16, in packs of 4: 12; " + SAME],
    ),
    "on request": (
        _on_request,
        TransferChanged,
        "sent on for a request",
        ["  quantity: the least of surplus 32, missing 24, in packs of 4: 24; " + SAME],
    ),
    "promotion": (
        _promotion,
        TransferChanged,
        "for the promotion autumn",
        ["  quantity: the least of surplus 80, missing 36, in packs of 4: 36; " + SAME],
    ),
    "ordered": (
        _ordered,
        TransferChanged,
        "ordered by a person",
        [
            (
                "  a person asked for 10, which is within the 50 that are free; 40 are left, and"
                " the donor keeps 10 of its own accord"
            )
        ],
    ),
    "kanban": (
        _kanban,
        NeedChanged,
        "signals",
        [
            "  kanban: of the maximum 30 the position 13 lacks packs of 4: 4 signals = 16",
            "  asked for 16: 16; " + SAME,
        ],
    ),
    "supplied": (
        _supplied,
        NeedChanged,
        "from the supplier",
        [
            "  donors give 0 of it, the rest is 26",
            "  asked for 26 with 0 that wait already, at least 12, in multiples of 5: 30; " + SAME,
        ],
    ),
    "purchase": (
        _purchase,
        PurchaseChanged,
        "",
        [
            "  30 units of value 3000, at least 5 and 0; of the day 0 + 30 of at most 20 units,"
            " value 0 + 3000: proposed; " + SAME
        ],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_decision_is_explained_whole(case: str) -> None:
    """Inputs, the formula with its numbers, the load, and the rules with the level of each."""
    story, kind, word, wanted = CASES[case]
    found = _only(story(), kind, word)
    history = policy_history()
    lines = [*explained(found), *(line for one in relied_on(found) for line in history.lines(one))]
    text = "\n".join(lines)
    for line in wanted:
        assert line in lines, text
    assert "catalogue load 1" in text
    assert "  decided from: " in text
    assert "differently" not in text
    assert any(line.startswith("rules of milk at ") for line in lines)


@pytest.mark.parametrize("case", [case for case in CASES if case != "ordered"])
def test_a_number_that_was_tampered_with_is_told(case: str) -> None:
    """The formula no longer gives what stands in the record."""
    story, kind, word, _ = CASES[case]
    found = _only(story(), kind, word)
    wrong = [_with_other_numbers(event) for event in found]
    assert any("computed again: differently" in line for line in explained(wrong))


def _with_other_numbers(event: Any) -> Any:
    match event:
        case TransferChanged():
            units = event.transfer.quantity_units + 1
            return msgspec.structs.replace(
                event, transfer=msgspec.structs.replace(event.transfer, quantity_units=units)
            )
        case NeedChanged():
            units = event.need.quantity_units + 1
            return msgspec.structs.replace(
                event, need=msgspec.structs.replace(event.need, quantity_units=units)
            )
        case PurchaseChanged():
            numbers = dict.fromkeys(event.order.decided_from, 0)
            order = msgspec.structs.replace(event.order, decided_from=numbers)
            return msgspec.structs.replace(event, order=order)
        case _:
            return event


def test_what_a_parent_asks_for_others_is_explained_by_what_it_owes() -> None:
    """Its position less what others asked of it; with no minimum of its own, what it owes alone."""
    story = Story().tell(policy(), reference(SkuRecord(SKU, supplier=MILL)))
    story.tell(reference(SiteRecord(SHOP, parent_site=WAREHOUSE)))
    story.tell(opening(20, site=WAREHOUSE), opening(24), scan("sale", 15, seq=1))
    lines = explained(_of_site(story, WAREHOUSE))
    assert any("back-ordered 21, below 10" in line and SAME in line for line in lines)
    bare = Story().tell(reference(SkuRecord(SKU, supplier=MILL)))
    bare.tell(reference(PolicyRecord(scope="network", autonomy="auto")))
    bare.tell(reference(PolicyRecord(scope="site", site=SHOP, min_units=10, max_units=30)))
    bare.tell(reference(SiteRecord(SHOP, parent_site=WAREHOUSE)))
    bare.tell(opening(5, site=WAREHOUSE), opening(24), scan("sale", 15, seq=1))
    lines = explained(_of_site(bare, WAREHOUSE))
    assert any("nothing is kept there" in line and SAME in line for line in lines)


def _of_site(story: Story, site: str) -> list[StreamEvent]:
    return [one for one in story.events(NeedChanged) if one.need.site == site]


def test_a_count_is_explained_by_its_tolerance() -> None:
    """The difference, each limit that is set, and whether it keeps them."""
    numbers = {
        "expected_units": 9,
        "counted_units": 7,
        "difference_units": -2,
        "difference_minor": -200,
        "tolerance_units": 1,
    }
    event = CountLineChanged(
        session_id="count-shop-1-1",
        sku=SKU,
        site=SHOP,
        state="waiting",
        at_ms=0,
        actor="ann",
        decided_from=numbers,
        reference_version=1,
    )
    lines = explained([event])
    assert lines[0].endswith("milk waiting, by ann, catalogue load 1")
    assert lines[2] == (
        "  difference -2 = counted 7 - expected 9, worth -200; tolerance_units 1: beyond"
        " tolerance; " + SAME
    )
    wrong = msgspec.structs.replace(event, within_tolerance=True)
    assert "differently" in explained([wrong])[2]


def test_an_order_line_is_explained_by_what_is_free() -> None:
    """Stock less what is held, kept back or leaving; the rules are of the line's level."""
    orders = Orders(policy(autonomy="observe"), opening(10)).place("SO-1", {"milk": 4})
    [line] = orders.stock.events(OrderLineChanged)
    free = "  free 10 = on hand 10 - reserved 0 - quarantined 0 - buffer 0 - in_transit_out 0; "
    assert explained_order([line])[2] == free + SAME
    wrong = msgspec.structs.replace(line, decided_from={**line.decided_from, "reserved_units": 1})
    assert "differently: 9" in explained_order([wrong])[2]
    [relied] = relied_on([line])
    assert (relied.version, relied.sku, relied.site) == (1, SKU, SHOP)


def test_the_load_of_each_change_is_told() -> None:
    """What ends under a later load names that load, and its rules once more."""
    story = _network().tell(opening(5))
    later = msgspec.structs.replace(policy(min_units=1, max_units=5), version=2)
    story.tell(later)
    found = _only(_events(story), BreachOpened)
    assert explained(found)[-1].endswith(", catalogue load 2")
    assert [one.version for one in relied_on(found)] == [1, 2]


def _all_fields() -> Iterator[str]:
    events = [*_answer(), *_on_request(), *_promotion(), *_kanban(), *_purchase()]
    for fields in _BREACHES.values():
        yield from fields
    for relied in relied_on(events):
        yield from relied.fields


def test_rules_are_named_as_policies_name_them() -> None:
    """A misspelt one would be told as said by no policy for ever."""
    known = set(Rules.__struct_fields__) & set(PolicyRecord.__struct_fields__)
    assert set(_all_fields()) <= known
    assert set(_BREACHES) == set(BREACH_KINDS)
    assert set(_ENTITIES) - set(_RULES) == {CountSessionChanged, OrderChanged}


@pytest.mark.parametrize("seed", range(1, 13))
def test_formulas_agree_with_the_fold_whatever_happens(seed: int) -> None:
    """Each transfer and request of a drawn story follows from its own numbers."""
    story = run(script_of(seed, STEPS_MAX, pace_ms=LONG_PACE_MS))
    events = _events(story)
    for entity_id in dict.fromkeys(map(entity_of, events)):
        text = "\n".join(explained(named_events(events, entity_id)))
        assert "differently" not in text, text
