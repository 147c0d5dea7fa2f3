"""Transfers from proposal to end, by scans, commands and time."""

import pytest

from ingest.contracts.errors import FrameError, InstallationError
from ingest.frames import BarrierInput, InstallationInput, ScanAction, SiteRecord, SkuRecord
from ingest.partitions import partition_of
from streams.contracts.alerts import AlertEnded, AlertRaised
from streams.contracts.events import (
    BarrierPassed,
    CommandAccepted,
    CommandRefused,
    TransferChanged,
)
from streams.contracts.plans import ShipmentLine, ShipmentLineWithdrawn
from streams.domain.commands import ANSWERS_KEPT_MS
from streams.domain.transfers import ENDED_KEPT_MS
from streams.stock import stock_spec
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

HOUR_MS = 3_600_000


def _ordered(units: int = 10) -> tuple[Story, str]:
    """Return 20 at the shop, 50 at the donor, an approved transfer between them, and its id."""
    story = Story().tell(reference(SkuRecord(SKU, unit_cost_minor=100)), lane(DONOR))
    story.tell(policy(autonomy="observe", transit_overdue_ms=HOUR_MS, proposal_ttl_ms=HOUR_MS))
    story.tell(opening(20), opening(50, site=DONOR))
    order = command("order_transfer", site=DONOR, to_site=SHOP, quantity_units=units, name="order")
    story.tell(order)
    return story, story.transfer().transfer_id


def _states(story: Story) -> list[str]:
    return [event.transfer.state for event in story.events(TransferChanged)]


def test_a_transfer_goes_its_way_by_scans() -> None:
    """Approved, partly left, all left, partly there, all there; the value goes with it."""
    story, name = _ordered()
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
    story, name = _ordered()
    story.fold_frame(scan("dispatch", 10, seq=1, site=DONOR, transfer_id=name))
    story.fold_frame(scan("arrive", 10, seq=1, transfer_id=name))
    story.drain()
    assert _states(story) == ["approved", "in_transit", "received"]


def test_scans_without_an_id_take_the_oldest_transfer_of_the_lane() -> None:
    """And one that fits none makes its own."""
    story, name = _ordered()
    story.tell(scan("dispatch", 10, seq=1, site=DONOR, counterpart_site=SHOP))
    story.tell(scan("arrive", 10, seq=1, counterpart_site=DONOR))
    assert (story.transfer().transfer_id, story.transfer().state) == (name, "received")
    story.tell(scan("dispatch", 3, seq=2, site=DONOR, counterpart_site=SHOP))
    assert (story.transfer().state, story.transfer().flags) == ("in_transit", ["ad_hoc"])
    assert story.level().in_transit_in_units == 3


def test_arrival_before_dispatch_implies_the_dispatch() -> None:
    """The donor's book follows at once; the late scan moves nothing twice."""
    story, name = _ordered()
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
    story, name = _ordered()
    story.tell(scan("dispatch", 10, seq=1, site=DONOR, transfer_id=name))
    story.tell(scan("arrive", 12, seq=1, transfer_id=name))
    assert (story.level().on_hand_units, story.level(DONOR).on_hand_units) == (32, 38)


def test_less_may_leave_than_was_planned() -> None:
    """When its time is over the transfer ends short."""
    story, name = _ordered()
    story.tell(scan("dispatch", 8, seq=1, site=DONOR, transfer_id=name))
    story.tell(scan("arrive", 8, seq=1, transfer_id=name))
    assert (story.transfer().state, story.level().in_transit_in_units) == ("partly_received", 2)
    story.wait(2 * HOUR_MS)
    assert (story.transfer().state, story.transfer().flags) == ("received", ["ordered", "short"])
    assert story.level().in_transit_in_units == 0


def test_what_never_arrives_is_lost_and_may_be_found() -> None:
    """Lost after lead time and patience; a late arrival takes it out of the lost units."""
    story, name = _ordered()
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
    story, name = _ordered()
    story.wait(HOUR_MS)
    assert story.transfer().state == "expired"
    [withdrawn] = story.plans(ShipmentLineWithdrawn)
    assert withdrawn.transfer_id == name
    assert story.level(DONOR).in_transit_out_units == 0


def test_a_scan_after_the_end_still_moves_stock_and_reopens() -> None:
    """Cancelled, and yet it left."""
    story, name = _ordered()
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
    story, name = _ordered()
    story.tell(command("cancel_transfer", name))
    story.restore()
    story.wait(ENDED_KEPT_MS)
    assert story.transfers() == []


@pytest.mark.parametrize(
    ("verb", "state"),
    [("hold_transfer", "held"), ("cancel_transfer", "cancelled"), ("edit_transfer", "approved")],
)
def test_people_may_change_what_has_not_left(verb: str, state: str) -> None:
    """The planner hears of each."""
    story, name = _ordered()
    story.tell(command(verb, name, quantity_units=7))  # type: ignore[arg-type]
    assert story.transfer().state == state
    assert len(story.plans(ShipmentLineWithdrawn)) == 1
    expected = {"held": 10, "cancelled": 0, "approved": 7}[state]
    assert story.level().in_transit_in_units == expected


def test_a_held_transfer_is_approved_again() -> None:
    """And asks for a place in a shipment again; the planner's answer is kept."""
    story, name = _ordered()
    story.tell(command("hold_transfer", name), command("approve_transfer", name, name="c2"))
    story.tell(command("assign_shipment", name, name="c3", shipment_id="shipment-1"))
    assert (story.transfer().state, story.transfer().shipment_id) == ("approved", "shipment-1")
    assert len(story.plans(ShipmentLine)) == 2


def test_a_person_may_give_up_and_find_again() -> None:
    """Lost by command, reopened by command; then on its way again."""
    story, name = _ordered()
    story.tell(scan("dispatch", 10, seq=1, site=DONOR, transfer_id=name))
    story.tell(command("lose_transfer", name))
    assert (story.transfer().state, story.level().in_transit_in_units) == ("lost", 0)
    story.tell(command("reopen_transfer", name, name="c2"))
    assert (story.transfer().state, story.level().in_transit_in_units) == ("reopened", 10)


def test_a_command_is_answered_once() -> None:
    """A repeat changes nothing within 24 h; then its id is forgotten."""
    story, name = _ordered()
    hold = command("hold_transfer", name)
    story.tell(hold, hold)
    story.restore()
    story.tell(hold)
    answers = [answer.command_id for answer in story.events(CommandAccepted)]
    assert answers == ["order", "c1"]
    story.wait(ANSWERS_KEPT_MS)
    story.tell(hold)
    assert [answer.command_id for answer in story.events(CommandRefused)] == ["c1"]


def test_a_refusal_says_why_and_what_it_found() -> None:
    """Another version, a state that does not allow it, nothing of that name."""
    story, name = _ordered()
    story.tell(command("approve_transfer", name, name="c1"))
    story.tell(command("cancel_transfer", name, name="c2", expected_version=9))
    story.tell(command("cancel_transfer", f"transfer-{SKU}-99", name="c3"))
    refused = story.events(CommandRefused)
    assert [(answer.current_state, answer.current_version) for answer in refused] == [
        *(("approved", 1), ("approved", 1), ("", 0))
    ]
    assert "can't be approved" in refused[0].reason
    assert "version 9 was expected" in refused[1].reason


def test_an_order_may_go_below_the_hold_back_but_not_below_nothing() -> None:
    """The first is flagged, the second refused."""
    story, _ = _ordered(45)
    assert "below_hold_back" in story.transfer().flags
    more = command("order_transfer", site=DONOR, to_site=SHOP, quantity_units=6, name="more")
    story.tell(more)
    assert "only 5 units" in story.events(CommandRefused)[0].reason


def test_outputs_go_to_the_partition_of_their_key() -> None:
    """Plans by donor, alerts by site, the ledger by its own input."""
    story = Story(partition_count=7).tell(policy(), lane(DONOR), opening(20))
    story.tell(opening(60, site=DONOR), scan("sale", 15, seq=1))
    places = {(output.topic.split(".")[1], output.partition) for output in story.outputs}
    assert ("plans", partition_of(DONOR, 7)) in places
    assert ("alert-inputs", partition_of(SHOP, 7)) in places
    assert ("movements", 0) in places


def test_a_barrier_is_answered() -> None:
    """With the partition it passed."""
    story = Story().tell(BarrierInput("b", 0))
    assert [event.barrier_id for event in story.events(BarrierPassed)] == ["b"]


def test_another_installation_stops_the_fold() -> None:
    """The same settings may come again; others may not."""
    story = Story().tell(InstallationInput("i", 1, "wall"), InstallationInput("i", 1, "wall"))
    with pytest.raises(InstallationError, match="installation other"):
        story.tell(InstallationInput("other", 1, "wall"))
    with pytest.raises(InstallationError, match="with 3 partitions"):
        Story().tell(InstallationInput("i", 3, "wall"))


def test_bytes_that_are_no_frame_change_nothing() -> None:
    """The engine makes a dead letter of them."""
    story = Story()
    with pytest.raises(FrameError):
        story.fold.fold(b"\x07nonsense")
    assert story.fold.drain().state == {}


def test_the_spec_names_the_stock_topics() -> None:
    """What the engine needs to run it."""
    spec = stock_spec()
    assert (spec.input_topic, spec.state_topic) == ("shelfstream.inputs", "shelfstream.stock")
    spec.create(0, 1).fold(spec.tick_frame(5))


def test_an_edit_may_not_ask_for_more_than_there_is() -> None:
    """40 more are free beside the 10; less is always possible, also where all was sold."""
    story, name = _ordered()
    story.tell(command("edit_transfer", name, name="c1", quantity_units=51))
    assert story.events(CommandRefused)[0].reason == f"only 40 more are available at {DONOR}"
    story.tell(command("edit_transfer", name, name="c2", quantity_units=50))
    assert story.level(DONOR).in_transit_out_units == 50
    story.tell(scan("sale", 50, seq=1, site=DONOR))
    story.tell(command("edit_transfer", name, name="c3", quantity_units=5))
    assert story.transfer().quantity_units == 5


def test_a_scan_of_nothing_moves_nothing_on() -> None:
    """Neither a transfer that has not left nor one that has ended."""
    story, name = _ordered()
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
    story, name = _ordered()
    story.tell(scan("dispatch", 10, seq=1, site=DONOR, transfer_id=name))
    story.tell(command("lose_transfer", name))
    story.wait(ENDED_KEPT_MS - 1)
    assert [alert.alert_key for alert in story.alerts(AlertEnded)] == []
    story.wait(1)
    assert [alert.alert_key for alert in story.alerts(AlertEnded)] == [name]
    assert story.transfers() == []
