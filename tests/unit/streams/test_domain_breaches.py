"""Breaches: dwell, hysteresis, once opened and once cleared; and how a shortage is answered."""

from ingest.frames import SiteRecord
from streams.contracts.alerts import AlertEnded, AlertRaised
from streams.contracts.events import BreachCleared, BreachOpened
from streams.contracts.plans import ShipmentLine
from streams.domain.catalogue import Rules
from streams.domain.donors import DONORS_CHOSEN_MAX
from streams.domain.positions import wanted_units
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    SKU,
    WAREHOUSE,
    Story,
    command,
    lane,
    opening,
    policy,
    reference,
    scan,
)


def _watched(units: int = 20, **fields: object) -> Story:
    """Return a shop that is only watched: at least 10."""
    said = {"autonomy": "observe", "max_units": None, **fields}
    return Story().tell(policy(**said), opening(units))


def _short(donor_units: int = 60, **fields: object) -> Story:
    """Return a shop of 20 with a donor, which then sells 15."""
    story = Story().tell(policy(**fields), lane(DONOR))
    story.tell(opening(20), opening(donor_units, site=DONOR))
    return story.tell(scan("sale", 15, seq=1))


def test_a_breach_opens_once_and_clears_once() -> None:
    """At 9 of 10 it opens, at 10 it is over; each is told with what it was decided from."""
    story = _watched().tell(scan("sale", 11, seq=1), scan("sale", 1, seq=2))
    [opened] = story.events(BreachOpened)
    assert (opened.kind, opened.threshold_units, opened.available_units) == ("low_stock", 10, 9)
    assert opened.decided_from["on_hand_units"] == 9
    story.tell(scan("receive", 2, seq=3))
    [cleared] = story.events(BreachCleared)
    assert cleared.breach_id == opened.breach_id
    assert story.level().breaches == ()


def test_what_is_on_order_hides_no_stockout_of_today() -> None:
    """It counts for what is ordered next, and never for what a customer finds."""
    story = Story().tell(policy(), opening(20)).tell(scan("sale", 15, seq=1))
    assert story.level().on_order_units == 25
    story.tell(scan("sale", 5, seq=2))
    assert [opened.kind for opened in story.events(BreachOpened)] == ["low_stock", "stockout"]
    assert story.level().on_order_units == 25


def test_hysteresis_keeps_a_breach_from_flapping() -> None:
    """With 3 of hysteresis it clears at 13, not at 10."""
    story = _watched(hysteresis_units=3).tell(scan("sale", 11, seq=1))
    story.tell(scan("receive", 3, seq=2))
    assert story.events(BreachCleared) == []
    story.tell(scan("receive", 1, seq=3))
    assert len(story.events(BreachCleared)) == 1


def test_a_dwell_waits_and_forgives() -> None:
    """What recovers within the dwell was nothing; what does not opens by a tick."""
    story = _watched(dwell_ms=1_000).tell(scan("sale", 11, seq=1, observed_at_ms=77))
    story.tell(scan("return", 5, seq=2), after_ms=500)
    story.wait(1_000)
    assert story.events(BreachOpened) == []
    story.tell(scan("sale", 5, seq=3, observed_at_ms=78))
    story.wait(999)
    assert story.events(BreachOpened) == []
    story.wait(1)
    [opened] = story.events(BreachOpened)
    assert (opened.at_ms - opened.since_ms, opened.observed_at_ms) == (1_000, 78)


def test_a_stockout_stands_beside_low_stock() -> None:
    """Both alert, with their own severity."""
    story = _watched().tell(scan("sale", 20, seq=1))
    raised = {alert.kind: alert.severity for alert in story.alerts(AlertRaised)}
    assert raised == {"low_stock": "warning", "stockout": "critical"}
    story.tell(scan("receive", 20, seq=2))
    ended = [alert.alert_key for alert in story.alerts(AlertEnded)]
    assert ended == [alert.alert_key for alert in story.alerts(AlertRaised)]


def test_overstock_is_what_is_on_hand_above_the_most() -> None:
    """It clears below the most by the hysteresis."""
    story = _watched(max_units=30, hysteresis_units=2).tell(scan("receive", 11, seq=1))
    assert [event.kind for event in story.events(BreachOpened)] == ["overstock"]
    story.tell(scan("sale", 2, seq=2))
    assert story.events(BreachCleared) == []
    story.tell(scan("sale", 1, seq=3))
    assert len(story.events(BreachCleared)) == 1


def test_observe_decides_nothing() -> None:
    """A breach, but neither a transfer nor a request."""
    story = _short(autonomy="observe")
    assert SHOP in [event.site for event in story.events(BreachOpened)]
    assert story.transfers() == []
    assert story.needs() == []


def test_a_shortage_is_met_by_a_donor_s_surplus() -> None:
    """Up to the maximum: 25 to the 5 that are left; approved, and in the planner's hands."""
    story = _short(donor_units=30)
    transfer = story.transfer()
    assert (transfer.state, transfer.quantity_units, transfer.from_site) == ("approved", 20, DONOR)
    assert transfer.decided_from["donor_surplus_units"] == 20
    [line] = story.plans(ShipmentLine)
    assert (line.transfer_id, line.quantity_units) == (transfer.transfer_id, 20)
    assert story.level(DONOR).in_transit_out_units == 20


def test_the_rest_becomes_a_request() -> None:
    """From the parent warehouse, and on order."""
    story = Story().tell(reference(SiteRecord(SHOP, parent_site=WAREHOUSE)))
    story.tell(policy(), lane(DONOR), opening(20), opening(30, site=DONOR))
    story.tell(scan("sale", 15, seq=1))
    [need] = story.needs()
    assert (need.quantity_units, need.from_site, need.state) == (5, WAREHOUSE, "open")
    assert story.level().on_order_units == 5
    assert "need_opened" in [alert.kind for alert in story.alerts(AlertRaised)]


def test_the_same_shortage_is_never_answered_twice() -> None:
    """What is on its way counts; only a deeper fall asks for more."""
    story = _short()
    story.tell(scan("sale", 2, seq=2), scan("sale", 1, seq=3))
    story.wait(60_000)
    assert len(story.transfers()) == 1
    assert story.needs() == []


def test_suggest_waits_for_a_person() -> None:
    """Proposed, alerted, and counted in the position all the same."""
    story = _short(autonomy="suggest")
    assert story.transfer().state == "proposed"
    assert story.plans(ShipmentLine) == []
    assert "transfer_proposed" in [alert.kind for alert in story.alerts(AlertRaised)]


def test_auto_within_limits_approves_small_ones_only() -> None:
    """25 are over a limit of 24."""
    assert _short(autonomy="auto_within_limits", auto_units_max=24).transfer().state == "proposed"
    assert _short(autonomy="auto_within_limits", auto_units_max=25).transfer().state == "approved"


def test_a_donor_keeps_its_hold_back() -> None:
    """The larger of hold-back and minimum."""
    story = _short(donor_units=30, hold_back_units=25)
    assert story.transfer().quantity_units == 5


def test_a_site_that_has_just_received_does_not_give() -> None:
    """Nor one that expects a transfer itself: no ping-pong."""
    story = Story().tell(policy(max_units=30), lane(DONOR, cooldown_ms=5_000))
    story.tell(opening(20), opening(30, site=DONOR), opening(90, site=WAREHOUSE))
    story.tell(scan("arrive", 30, seq=1, site=DONOR, counterpart_site=WAREHOUSE))
    story.tell(scan("sale", 15, seq=1))
    assert [need.quantity_units for need in story.needs()] == [25]
    assert all(transfer.to_site == DONOR for transfer in story.transfers())


def test_the_donor_that_covers_all_comes_first_then_the_cheapest() -> None:
    """Cost does not beat coverage."""
    story = Story().tell(policy(), lane("a", cost_minor=1), lane("b", cost_minor=9))
    story.tell(lane("c", cost_minor=5), opening(20), opening(20, site="a"))
    story.tell(opening(90, site="b"), opening(90, site="c"), scan("sale", 15, seq=1))
    assert [transfer.from_site for transfer in story.transfers()] == ["c"]


def test_several_donors_share_a_shortage() -> None:
    """At most so many; what none of them has is requested."""
    story = Story().tell(policy(), opening(20))
    for number in range(DONORS_CHOSEN_MAX + 2):
        story.tell(lane(f"d{number}"), opening(14, site=f"d{number}"))
    story.tell(scan("sale", 15, seq=1))
    given = [transfer.quantity_units for transfer in story.transfers()]
    assert given == [4] * DONORS_CHOSEN_MAX
    assert story.needs()[0].quantity_units == 25 - 4 * DONORS_CHOSEN_MAX


def test_a_lane_s_least_quantity_is_respected() -> None:
    """A donor with 4 to spare is not asked where the least is 5."""
    story = Story().tell(policy(), lane(DONOR, quantity_units_min=5))
    story.tell(opening(20), opening(14, site=DONOR), scan("sale", 15, seq=1))
    assert story.transfers() == []


def test_wanted_units_keep_the_maximum_and_the_pack() -> None:
    """Down where that ends the shortage; a maximum below one pack still orders one."""
    rules = Rules(min_units=10, max_units=30, multiple_units=6)
    assert wanted_units(5, rules) == 24
    assert wanted_units(2, Rules(min_units=3, max_units=4, multiple_units=12)) == 12
    assert wanted_units(5, Rules(min_units=10)) == 5


def test_a_proposal_is_withdrawn_when_the_shortage_is_over() -> None:
    """An approved one is only flagged: a decision is not rewritten."""
    story = _short(autonomy="suggest").tell(scan("receive", 30, seq=2))
    assert (story.transfer().state, story.transfer().flags) == ("expired", ["withdrawn"])
    story = _short().tell(scan("receive", 30, seq=2))
    assert (story.transfer().state, story.transfer().flags) == ("approved", ["shortage_over"])


def test_a_rejected_donor_is_not_asked_again_for_the_same_breach() -> None:
    """The rest goes to the supplier instead."""
    story = _short(autonomy="suggest")
    story.tell(command("reject_transfer", story.transfer().transfer_id))
    assert [transfer.state for transfer in story.transfers()] == ["rejected"]
    assert [need.quantity_units for need in story.needs()] == [25]


def test_a_receipt_closes_the_request() -> None:
    """In part, then whole; what is received is no longer on order."""
    story = Story().tell(policy(), opening(20), scan("sale", 15, seq=1))
    story.tell(scan("receive", 10, seq=2))
    assert (story.needs()[0].received_units, story.level().on_order_units) == (10, 15)
    story.tell(scan("receive", 15, seq=3))
    assert story.needs()[0].state == "closed"
    assert (story.level().need_id, story.level().on_order_units) == ("", 0)


def test_a_request_closes_when_stock_recovers_otherwise() -> None:
    """A count found 30: nothing is needed any more."""
    story = Story().tell(policy(), opening(20), scan("sale", 15, seq=1))
    story.tell(scan("count", 30, seq=2))
    assert story.needs()[0].state == "closed"


def test_a_transfer_from_the_parent_serves_the_request() -> None:
    """So that a position counts nothing twice."""
    story = Story().tell(reference(SiteRecord(SHOP, parent_site=WAREHOUSE)), policy())
    story.tell(opening(20), opening(90, site=WAREHOUSE), scan("sale", 15, seq=1))
    story.tell(scan("dispatch", 25, seq=1, site=WAREHOUSE, counterpart_site=SHOP))
    assert story.needs()[0].state == "closed"
    assert (story.level().in_transit_in_units, story.level().on_order_units) == (25, 0)


def test_a_person_may_close_a_request_for_good() -> None:
    """It is not opened again by the same breach."""
    story = Story().tell(policy(), opening(20), scan("sale", 15, seq=1))
    story.tell(command("close_need", story.needs()[0].need_id), scan("sale", 1, seq=2))
    assert [need.state for need in story.needs()] == ["closed"]
    assert story.level(SHOP, SKU).need_id == ""
