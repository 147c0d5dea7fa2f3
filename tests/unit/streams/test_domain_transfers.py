"""Transfers from proposal to end, by scans and time."""

import msgspec
import pytest

from ingest.contracts.durations import HOUR_MS
from ingest.contracts.topics import ALERT_INPUTS
from ingest.frames import ScanAction, SiteRecord
from streams.contracts.alerts import AlertEnded, AlertRaised
from streams.contracts.events import (
    TransferChanged,
)
from streams.contracts.plans import ShipmentLineWithdrawn
from streams.domain.transfers import ENDED_KEPT_MS, UNCONFIRMED_KEPT_MAX
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    SKU,
    WAREHOUSE,
    Story,
    command,
    lane,
    opening,
    ordered_story,
    policy,
    reference,
    scan,
)


def _states(story: Story) -> list[str]:
    return [event.transfer.state for event in story.events(TransferChanged)]


def test_a_transfer_goes_its_way_by_scans() -> None:
    """Approved, partly left, all left, partly there, all there; the value goes with it."""
    story, name = ordered_story()
    story.tell(scan("dispatch", 4, seq=1, site=DONOR, transfer_id=name))
    story.tell(scan("dispatch", 6, seq=2, site=DONOR, transfer_id=name))
    assert story.level().in_transit_in_units == 10
    story.tell(scan("arrive", 3, seq=1, transfer_id=name))
    story.tell(scan("arrive", 7, seq=2, transfer_id=name))
    assert _states(story) == [
        *("approved", "dispatched", "in_transit", "partly_received", "received")
    ]
    assert (story.level().on_hand_units, story.level(DONOR).on_hand_units) == (30, 40)
    assert (story.level().value_minor, story.level(DONOR).value_minor) == (3_000, 4_000)
    assert story.level().in_transit_in_units == story.level(DONOR).in_transit_out_units == 0


def test_an_event_keeps_the_transfer_as_it_then_was() -> None:
    """Later changes in the same run of frames do not reach back."""
    story, name = ordered_story()
    story.fold_frame(scan("dispatch", 10, seq=1, site=DONOR, transfer_id=name))
    story.fold_frame(scan("arrive", 10, seq=1, transfer_id=name))
    story.drain()
    assert _states(story) == ["approved", "in_transit", "received"]


def test_scans_without_an_id_take_the_oldest_transfer_of_the_lane() -> None:
    """And one that fits none makes its own."""
    story, name = ordered_story()
    story.tell(scan("dispatch", 10, seq=1, site=DONOR, counterpart_site=SHOP))
    story.tell(scan("arrive", 10, seq=1, counterpart_site=DONOR))
    assert (story.transfer().transfer_id, story.transfer().state) == (name, "received")
    story.tell(scan("dispatch", 3, seq=2, site=DONOR, counterpart_site=SHOP))
    assert (story.transfer().state, story.transfer().flags) == ("in_transit", ["ad_hoc"])
    assert story.level().in_transit_in_units == 3


def test_arrival_before_dispatch_implies_the_dispatch() -> None:
    """The donor's book follows at once; the late scan moves nothing twice."""
    story, name = ordered_story()
    story.tell(scan("arrive", 10, seq=1, transfer_id=name))
    assert story.transfer().inferred
    assert story.level(DONOR).on_hand_units == 40
    inferred = [entry for entry in story.movements() if entry.kind == "dispatch_inferred"]
    assert [entry.cause for entry in inferred] == [f"scanner-{SHOP}/b1/1"]
    story.restore()
    story.tell(scan("dispatch", 10, seq=1, site=DONOR, counterpart_site=SHOP))
    assert story.level(DONOR).on_hand_units == 40
    assert story.transfer().inferred_units == 0
    assert (story.movements()[-1].kind, story.movements()[-1].quantity_units) == ("dispatch", 0)


def test_more_may_arrive_than_was_planned() -> None:
    """The excess is inferred to have left."""
    story, name = ordered_story()
    story.tell(scan("dispatch", 10, seq=1, site=DONOR, transfer_id=name))
    story.tell(scan("arrive", 12, seq=1, transfer_id=name))
    assert (story.level().on_hand_units, story.level(DONOR).on_hand_units) == (32, 38)


def test_less_may_leave_than_was_planned() -> None:
    """When its time is over the transfer ends short."""
    story, name = ordered_story()
    story.tell(scan("dispatch", 8, seq=1, site=DONOR, transfer_id=name))
    story.tell(scan("arrive", 8, seq=1, transfer_id=name))
    assert (story.transfer().state, story.level().in_transit_in_units) == ("partly_received", 2)
    story.wait(2 * HOUR_MS)
    assert (story.transfer().state, story.transfer().flags) == ("received", ["ordered", "short"])
    assert story.level().in_transit_in_units == 0


def test_what_never_arrives_is_lost_and_may_be_found() -> None:
    """Lost after lead time and patience; a late arrival takes it out of the lost units."""
    story, name = ordered_story()
    story.tell(scan("dispatch", 10, seq=1, site=DONOR, transfer_id=name))
    story.wait(2 * HOUR_MS - 1)
    assert story.transfer().state == "in_transit"
    story.wait(1)
    assert (story.transfer().state, story.transfer().lost_units) == ("lost", 10)
    [raised] = [alert for alert in story.alerts(AlertRaised) if alert.kind == "transfer_lost"]
    assert raised.severity == "critical"
    story.tell(scan("arrive", 10, seq=1, transfer_id=name))
    assert (story.transfer().state, story.transfer().lost_units) == ("received", 0)
    assert raised.alert_key in [alert.alert_key for alert in story.alerts(AlertEnded)]
    assert story.level().on_hand_units == 30


def test_a_transfer_that_does_not_leave_expires() -> None:
    """Its line is withdrawn from the planner."""
    story, name = ordered_story()
    story.wait(HOUR_MS)
    assert story.transfer().state == "expired"
    [withdrawn] = story.plans(ShipmentLineWithdrawn)
    assert withdrawn.transfer_id == name
    assert story.level(DONOR).in_transit_out_units == 0


def test_a_scan_after_the_end_still_moves_stock_and_reopens() -> None:
    """Cancelled, and yet it left."""
    story, name = ordered_story()
    story.tell(command("cancel_transfer", name))
    story.tell(scan("dispatch", 4, seq=1, site=DONOR, transfer_id=name))
    assert story.transfer().state == "reopened"
    assert (story.level(DONOR).on_hand_units, story.level().in_transit_in_units) == (46, 4)
    story.tell(scan("arrive", 4, seq=1, transfer_id=name))
    assert story.transfer().state == "received"


def test_a_scan_that_fits_nothing_moves_stock_alone() -> None:
    """No transfer, no other site: flagged."""
    story = Story().tell(opening(9), scan("dispatch", 2, seq=1), scan("arrive", 1, seq=2))
    assert story.level().on_hand_units == 8
    assert story.movements()[-1].flags == ["no_transfer"]
    assert story.transfers() == []


def test_ended_transfers_are_forgotten_after_the_input_that_made_them() -> None:
    """The state does not grow for ever."""
    story, name = ordered_story()
    story.tell(command("cancel_transfer", name))
    story.restore()
    story.wait(ENDED_KEPT_MS)
    assert story.transfers() == []


def test_a_scan_of_nothing_moves_nothing_on() -> None:
    """Neither a transfer that has not left nor one that has ended."""
    story, name = ordered_story()
    story.tell(scan("arrive", 0, seq=1, transfer_id=name))
    assert (story.transfer().state, story.transfer().dispatched_at_ms) == ("approved", 0)
    story.tell(command("cancel_transfer", name), scan("arrive", 0, seq=2, transfer_id=name))
    story.tell(scan("dispatch", 0, seq=1, site=DONOR, transfer_id=name))
    assert story.transfer().state == "cancelled"


def _requested() -> Story:
    """Return a shop that lacks 25: 10 are to come by a transfer of the hall's, 15 are requested."""
    story = Story().tell(reference(SiteRecord(SHOP, parent_site=WAREHOUSE)), lane(WAREHOUSE))
    story.tell(policy(hold_back_units=10), opening(20, site=WAREHOUSE), opening(5))
    assert (story.level().in_transit_in_units, story.level().on_order_units) == (10, 15)
    return story


@pytest.mark.parametrize("action", ["dispatch", "arrive"])
def test_what_leaves_beyond_the_plan_serves_the_request(action: ScanAction) -> None:
    """The hall sends all 25 with the transfer: nothing is still on order beside them."""
    story = _requested()
    here, there = (WAREHOUSE, SHOP) if action == "dispatch" else (SHOP, WAREHOUSE)
    story.tell(scan(action, 25, seq=1, site=here, counterpart_site=there))
    shop = story.level()
    assert shop.on_hand_units + shop.in_transit_in_units + shop.on_order_units == 30
    assert (shop.on_order_units, story.needs()[0].state) == (0, "closed")


def test_an_arrival_from_nowhere_serves_the_request() -> None:
    """A scan that names no site and fits no transfer: it is what was asked for."""
    story = Story().tell(policy(), opening(5))
    assert story.level().on_order_units == 25
    story.tell(scan("arrive", 20, seq=1))
    assert (story.level().on_hand_units, story.level().on_order_units) == (25, 5)


def test_the_alert_of_a_lost_transfer_ends_with_its_record() -> None:
    """Nobody can find it any more once it is forgotten."""
    story, name = ordered_story()
    story.tell(scan("dispatch", 10, seq=1, site=DONOR, transfer_id=name))
    story.tell(command("lose_transfer", name))
    story.wait(ENDED_KEPT_MS - 1)
    assert [alert.alert_key for alert in story.alerts(AlertEnded)] == []
    story.wait(1)
    assert [alert.alert_key for alert in story.alerts(AlertEnded)] == [name]
    assert story.transfers() == []


def test_more_unconfirmed_ends_than_are_kept_forget_the_oldest() -> None:
    """A donor that never scans what leaves: the list stays short, a scan by name still fits."""
    story = Story().tell(opening(500, site=DONOR))
    for number in range(UNCONFIRMED_KEPT_MAX + 1):
        story.tell(scan("arrive", 1, seq=number, counterpart_site=DONOR))
    awaited = story.fold._store.book(SKU).unconfirmed
    oldest = story.transfer(0).transfer_id
    assert len(awaited) == UNCONFIRMED_KEPT_MAX
    assert oldest not in awaited
    story.tell(scan("dispatch", 1, seq=1, site=DONOR, transfer_id=oldest))
    assert story.level(DONOR).on_hand_units == 500 - UNCONFIRMED_KEPT_MAX - 1


def test_the_late_scan_of_one_dispatch_may_confirm_several_arrivals() -> None:
    """Two arrived before the lorry's one scan of 7: 5 were known, 2 leave now and open the last."""
    story = Story().tell(opening(50, site=DONOR))
    story.tell(scan("arrive", 2, seq=1, counterpart_site=DONOR))
    story.tell(scan("arrive", 3, seq=2, counterpart_site=DONOR))
    story.tell(scan("dispatch", 7, seq=1, site=DONOR, counterpart_site=SHOP))
    first, last = story.transfers()
    assert (first.state, first.inferred_units, last.inferred_units) == ("received", 0, 0)
    assert (last.state, last.dispatched_units, last.received_units) == ("reopened", 5, 3)
    assert story.level(DONOR).on_hand_units == 43
    assert (story.level().on_hand_units, story.level().in_transit_in_units) == (5, 2)


def test_a_refused_dispatch_moves_nothing_and_leaves_its_trace() -> None:
    """The policy lets nobody take the book below zero: the transfer waits."""
    story, name = ordered_story()
    story.tell(policy(autonomy="observe", negative_stock="refuse"))
    story.tell(scan("dispatch", 51, seq=1, site=DONOR, transfer_id=name))
    assert (story.transfer().state, story.transfer().dispatched_units) == ("approved", 0)
    last = story.movements()[-1]
    assert (last.kind, last.quantity_units, last.transfer_id) == ("refused", 0, name)
    assert last.flags == ["would_be_negative"]


def test_part_of_what_was_lost_may_be_found() -> None:
    """6 of 10 turn up: 4 stay lost, and the value follows the units."""
    story, name = ordered_story()
    story.tell(scan("dispatch", 10, seq=1, site=DONOR, transfer_id=name))
    story.tell(command("lose_transfer", name))
    story.tell(scan("arrive", 6, seq=1, counterpart_site=DONOR))
    assert (story.transfer().state, story.transfer().lost_units) == ("received", 4)
    assert (story.level().on_hand_units, story.level().value_minor) == (26, 2_600)
    losses = [entry.quantity_units for entry in story.movements() if entry.kind == "loss"]
    assert losses == [-10, 6]


def _lost_alerts(story: Story) -> list[int]:
    """Return what the alert of lost units was told in order: how many are lost, 0 for its end."""
    told: list[int] = []
    for one in story.items(ALERT_INPUTS.name, msgspec.Struct):
        if isinstance(one, AlertRaised) and one.alert_key == story.transfer().transfer_id:
            told.append(one.facts["quantity_units"])
        elif isinstance(one, AlertEnded) and one.alert_key == story.transfer().transfer_id:
            told.append(0)
    return told


def test_the_alert_of_lost_units_ends_when_none_is_lost_any_more() -> None:
    """One of ten turns up, then eight, then the last; a restore forgets nothing of it."""
    story, name = ordered_story()
    story.tell(scan("dispatch", 10, seq=1, site=DONOR, transfer_id=name))
    story.wait(2 * HOUR_MS)
    for seq, units in enumerate((1, 8), start=1):
        story.tell(scan("arrive", units, seq=seq, transfer_id=name))
        story.restore()
    assert (story.transfer().state, _lost_alerts(story)) == ("received", [10, 9, 1])
    story.tell(scan("arrive", 1, seq=3, transfer_id=name))
    assert (story.transfer().lost_units, _lost_alerts(story)) == (0, [10, 9, 1, 0])


def test_the_alert_of_what_stays_lost_ends_with_the_record() -> None:
    """Most has come; nobody can find the rest any more once the transfer is forgotten."""
    story, name = ordered_story()
    story.tell(scan("dispatch", 10, seq=1, site=DONOR, transfer_id=name))
    story.tell(command("lose_transfer", name), scan("arrive", 6, seq=1, transfer_id=name))
    story.wait(ENDED_KEPT_MS - 1)
    assert _lost_alerts(story) == [10, 4]
    story.wait(1)
    ended = [alert.alert_key for alert in story.alerts(AlertEnded)]
    assert (story.transfers(), ended) == ([], [name])


def test_a_reopened_transfer_has_lost_nothing() -> None:
    """Its units are on their way again, and may be lost again."""
    story, name = ordered_story()
    story.tell(scan("dispatch", 10, seq=1, site=DONOR, transfer_id=name))
    story.tell(command("lose_transfer", name, name="c1"), after_ms=1)
    story.tell(command("reopen_transfer", name, name="c2"), after_ms=1)
    assert _lost_alerts(story) == [10, 0]
    story.wait(2 * HOUR_MS)
    assert _lost_alerts(story) == [10, 0, 10]
