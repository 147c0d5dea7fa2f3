"""Voids: a mistaken scan is taken back in units and money, once, and transfers with it."""

from typing import Any

import msgspec
import pytest

from ingest.contracts.durations import HOUR_MS
from ingest.frames import CommandInput, InputItem, SkuRecord
from streams.contracts.alerts import AlertRaised
from streams.contracts.events import CommandAccepted, CommandRefused
from streams.contracts.state import key
from streams.contracts.voids import VOIDED, kind_in_effect
from streams.domain.voids import VOIDABLE_MS
from streams.journal import Accounts, entry_of
from streams.scan_movements import ScanFinder, lead_of, voided_movement
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    SKU,
    Story,
    command,
    lane,
    opening,
    ordered_story,
    policy,
    reference,
    scan,
)


def void_of(story: Story, wanted: str, name: str = "v1", **changed: Any) -> CommandInput:
    """Return the command that voids a scan, by its movement or its cause."""
    finder = ScanFinder(wanted)
    for movement in story.movements():
        finder.take(0, movement)
    [found] = finder.scans()
    said = [msgspec.structs.replace(voided_movement(one), **changed) for one in found]
    lead = lead_of(found)
    return command("void_movement", lead.movement_id, name=name, movements=tuple(said))


def stocked(**rules: Any) -> Story:
    """Return 20 for 2000 at the shop and 50 at the donor, with a lane between them."""
    story = Story().tell(reference(SkuRecord(SKU, unit_cost_minor=100)), lane(DONOR))
    return story.tell(policy(autonomy="observe", **rules), opening(20), opening(50, site=DONOR))


def refusal(story: Story) -> str:
    """Return why the last command was refused."""
    return story.events(CommandRefused)[-1].reason


@pytest.mark.parametrize(
    "mistake",
    [
        scan("sale", 3, seq=1),
        scan("pick", 3, seq=1),
        scan("waste", 20, seq=1),
        scan("waste", 25, seq=1),
        scan("receive", 7, seq=1, unit_cost_minor=333, lot="L1"),
        scan("return", 2, seq=1),
        scan("adjust", -4, seq=1),
        scan("adjust", 4, seq=1),
        scan("count", 11, seq=1),
    ],
    ids=lambda mistake: f"{mistake.action} {mistake.quantity_units}",
)
def test_a_void_restores_units_value_and_what_was_issued(mistake: Any) -> None:
    """The level is as if the scan had never been, and the ledger keeps both."""
    story = stocked()
    before = story.level()
    story.tell(mistake)
    cause = f"scanner-{SHOP}/b1/1"
    booked = story.movements()[-1]
    story.tell(void_of(story, cause))
    after = story.level()
    assert (after.on_hand_units, after.value_minor) == (before.on_hand_units, before.value_minor)
    assert (after.issued_units, after.issued_next_units) == (0, 0)
    reversal = story.movements()[-1]
    assert (reversal.kind, reversal.cause) == ("void", f"void/{booked.movement_id}")
    assert reversal.quantity_units == -booked.quantity_units
    assert (reversal.lot, kind_in_effect(reversal)) == (booked.lot, mistake.action)
    assert story.events(CommandAccepted)[-1].entity_id == booked.movement_id


def test_finance_takes_a_void_back_from_the_account_that_bore_the_mistake() -> None:
    """A voided sale is no stock adjustment: cost of goods sold gets it back."""
    story = stocked().tell(scan("sale", 3, seq=1))
    story.tell(void_of(story, f"scanner-{SHOP}/b1/1"))
    entry = entry_of(story.movements()[-1], Accounts())
    assert entry is not None
    assert (entry.debit_account, entry.credit_account) == ("inventory", "cost_of_goods_sold")
    assert entry.amount_minor == 300


def test_a_void_is_booked_when_it_is_known() -> None:
    """The reversal stands in the present period, with the mistake's own time beside it."""
    story = stocked().tell(scan("sale", 3, seq=1))
    sale = story.movements()[-1]
    story.tell(void_of(story, sale.movement_id), after_ms=HOUR_MS)
    reversal = story.movements()[-1]
    assert reversal.recorded_at_ms == sale.recorded_at_ms + HOUR_MS
    assert reversal.effective_at_ms == sale.effective_at_ms


def test_a_book_bears_no_more_than_it_can() -> None:
    """What was sold at a mixed average leaves an empty book worth nothing, none below it."""
    story = stocked().tell(scan("receive", 10, seq=1, unit_cost_minor=400))
    story.tell(scan("waste", 20, seq=2))  # 10 left of 30 for 6000: worth 2000
    story.tell(void_of(story, f"scanner-{SHOP}/b1/1"))
    assert (story.level().on_hand_units, story.level().value_minor) == (0, 0)


def test_the_same_scan_is_voided_once() -> None:
    """A second command is refused, even after a restore; the same command changes nothing."""
    story = stocked().tell(scan("sale", 3, seq=1))
    wanted = story.movements()[-1].movement_id
    first = void_of(story, wanted)
    story.tell(first, first)
    assert story.level().on_hand_units == 20
    story.restore()
    story.tell(void_of(story, wanted, name="v2"))
    assert refusal(story) == "it is already voided, by command v1"
    assert story.level().on_hand_units == 20


def test_what_is_too_old_is_refused_and_forgotten() -> None:
    """The record of a void lives exactly as long as a second one would be possible."""
    story = stocked().tell(scan("sale", 3, seq=1), scan("sale", 1, seq=2))
    first, second = [one.movement_id for one in story.movements()[-2:]]
    story.tell(void_of(story, first))
    story.wait(VOIDABLE_MS - 1)
    assert key(VOIDED, first) in story.state
    story.tell(void_of(story, first, name="v2"))
    assert refusal(story) == "it is already voided, by command v1"
    story.wait(1)
    assert key(VOIDED, first) not in story.state
    for name, wanted in (("v3", first), ("v4", second)):
        story.tell(void_of(story, wanted, name=name))
        assert refusal(story) == "it is older than 35 days: book an adjustment"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"movement_id": f"movement-{SKU}-99"}, "there is no movement"),
        ({"movement_id": "movement-tea-1"}, "there is no movement"),
        ({"recorded_at_ms": 1 << 60}, "there is no movement"),
        ({"site": "nowhere"}, "there is no movement"),
        ({"quantity_units": 0}, "it moved nothing"),
        ({"kind": "refused"}, "a movement of kind refused can't be voided"),
        ({"kind": "fulfil"}, "a handed over order is taken back by a return"),
        ({"bucket": "reserved"}, "a movement of kind sale can't be voided"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_the_ledger_does_not_have_is_refused(changed: dict[str, Any], why: str) -> None:
    """An unknown movement, or one that no void undoes, changes nothing."""
    story = stocked().tell(scan("sale", 3, seq=1))
    sent = void_of(story, f"scanner-{SHOP}/b1/1", **changed)
    if "movement_id" in changed:
        sent = msgspec.structs.replace(sent, entity_id=changed["movement_id"])
    story.tell(sent)
    assert refusal(story).startswith(why)
    assert story.level().on_hand_units == 17


def test_a_command_that_brings_other_movements_is_refused() -> None:
    """The movement that is named must be among those that are brought."""
    story = stocked().tell(scan("sale", 3, seq=1))
    sent = void_of(story, f"scanner-{SHOP}/b1/1")
    story.tell(msgspec.structs.replace(sent, entity_id=f"movement-{SKU}-1"))
    assert refusal(story) == f"the command does not bring movement-{SKU}-1 as the ledger has it"


def test_a_void_of_a_void_is_refused() -> None:
    """What is right is booked anew."""
    story = stocked().tell(scan("sale", 3, seq=1))
    story.tell(void_of(story, f"scanner-{SHOP}/b1/1"))
    story.tell(void_of(story, story.movements()[-1].movement_id, name="v2"))
    assert refusal(story) == "a void is not voided: book what is right"


def test_a_policy_that_refuses_negative_stock_refuses_a_void_too() -> None:
    """A receipt whose units are sold can't be taken back there; elsewhere it is flagged."""
    for rules, units in (({"negative_stock": "refuse"}, 5), ({}, -5)):
        story = stocked(**rules).tell(scan("receive", 10, seq=1), scan("sale", 25, seq=2))
        story.tell(void_of(story, f"scanner-{SHOP}/b1/1"))
        assert story.level().on_hand_units == units
    assert "negative" in story.movements()[-1].flags


def test_a_request_misses_again_what_a_voided_receipt_served() -> None:
    """What is on order does not fall behind."""
    story = Story().tell(policy(autonomy="suggest"), opening(4))
    story.tell(scan("receive", 1, seq=1))
    story.tell(scan("receive", 6, seq=2), after_ms=10)
    [need] = story.needs()
    assert (need.received_units, story.level().on_order_units) == (7, need.quantity_units - 7)
    story.tell(void_of(story, f"scanner-{SHOP}/b1/2"))
    [need] = story.needs()
    assert (need.received_units, story.level().on_order_units) == (1, need.quantity_units - 1)


def test_a_receipt_of_before_a_request_did_not_serve_it() -> None:
    """What came later did, and stays received."""
    story = Story().tell(policy(autonomy="suggest"), opening(20))
    story.tell(scan("receive", 2, seq=1))
    story.tell(scan("waste", 18, seq=2), scan("receive", 3, seq=3), after_ms=10)
    assert [need.received_units for need in story.needs()] == [3]
    story.tell(void_of(story, f"scanner-{SHOP}/b1/1"))
    assert [need.received_units for need in story.needs()] == [3]


def _received_whole() -> tuple[Story, int]:
    """Return a story whose request was closed by its receipt, and of how many units it was."""
    story = Story().tell(policy(autonomy="suggest"), opening(4))
    [need] = story.needs()
    story.tell(scan("receive", need.quantity_units, seq=1), after_ms=10)
    assert [one.state for one in story.needs()] == ["closed"]
    assert story.movements()[-1].served == {need.need_id: need.quantity_units}
    return story, need.quantity_units


def test_a_request_that_a_voided_receipt_had_closed_is_open_again() -> None:
    """The goods are still to come: they are on order, told as opened, and not asked for twice."""
    story, units = _received_whole()
    story.tell(void_of(story, f"scanner-{SHOP}/b1/1"))
    [need] = story.needs()
    assert (need.state, need.received_units, need.closed_at_ms) == ("open", 0, 0)
    assert (story.level().need_id, story.level().on_order_units) == (need.need_id, units)
    opened = [one for one in story.alerts(AlertRaised) if one.alert_key == need.need_id]
    assert [one.kind for one in opened] == ["need_opened", "need_opened"]
    story.restore()
    story.tell(scan("receive", units, seq=2), after_ms=10)
    assert [(one.state, one.received_units) for one in story.needs()] == [("closed", units)]
    assert story.level().on_order_units == 0
    story.wait(36 * 24 * HOUR_MS)
    assert story.needs() == []


def test_more_than_was_asked_for_reopens_what_was_asked_for() -> None:
    """The surplus of the receipt had served nobody."""
    story = Story().tell(policy(autonomy="suggest"), opening(4))
    units = story.needs()[0].quantity_units
    story.tell(scan("receive", units + 5, seq=1), after_ms=10)
    story.tell(void_of(story, f"scanner-{SHOP}/b1/1"))
    assert story.level().on_order_units == units
    assert story.level().on_hand_units == 4


def test_what_a_person_has_closed_stays_closed() -> None:
    """Its receipt is voided, and what the shelf misses then is asked for anew."""
    story = Story().tell(policy(autonomy="suggest"), opening(4))
    [need] = story.needs()
    story.tell(scan("receive", 3, seq=1), after_ms=10)
    story.tell(command("close_need", need.need_id, name="close"))
    story.tell(void_of(story, f"scanner-{SHOP}/b1/1"))
    assert story.needs()[0].state == "closed"
    assert story.needs()[0].received_units == 3


def test_a_request_that_opened_meanwhile_stays_beside_the_older() -> None:
    """Both are on order; what comes serves the older first, then the other."""
    story, units = _received_whole()
    story.tell(scan("waste", 26, seq=2), after_ms=10)
    first, second = story.needs()
    assert (first.state, second.state) == ("closed", "open")
    story.tell(void_of(story, f"scanner-{SHOP}/b1/1"))
    assert story.level().need_id == first.need_id
    assert story.level().on_order_units >= units + second.quantity_units
    story.tell(scan("receive", units + 1, seq=3), after_ms=10)
    assert story.movements()[-1].served == {first.need_id: units, second.need_id: 1}
    first, second = story.needs()
    assert (first.state, second.received_units) == ("closed", 1)
    assert story.level().need_id == second.need_id
    story.tell(void_of(story, f"scanner-{SHOP}/b1/3", name="v2"))
    first, second = story.needs()
    assert (first.state, first.received_units, second.received_units) == ("open", 0, 0)
    assert story.level().need_id == first.need_id


def test_a_receipt_of_an_older_version_meets_what_is_open() -> None:
    """Its movement does not say what it served: the open request misses it, if it was before."""
    story = Story().tell(policy(autonomy="suggest"), opening(4))
    story.tell(scan("receive", 3, seq=1), after_ms=10)
    story.tell(void_of(story, f"scanner-{SHOP}/b1/1", served=None))
    assert [need.received_units for need in story.needs()] == [0]


def test_an_arrival_from_nobody_knows_where_is_taken_back_from_its_request() -> None:
    """It had served the open one, for which it can have been sent."""
    story = Story().tell(policy(autonomy="suggest"), opening(4))
    units = story.needs()[0].quantity_units
    story.tell(scan("arrive", units, seq=1), after_ms=10)
    assert [need.state for need in story.needs()] == ["closed"]
    story.tell(void_of(story, f"scanner-{SHOP}/b1/1"))
    assert [(need.state, need.received_units) for need in story.needs()] == [("open", 0)]


def _shipped(*scans: InputItem) -> tuple[Story, str]:
    story, transfer_id = ordered_story()
    story.tell(*scans)
    return story, transfer_id


def test_a_voided_dispatch_is_back_at_the_donor_and_still_to_leave() -> None:
    """The transfer is approved again, nothing is on its way, and the book has its value back."""
    story, transfer_id = ordered_story()
    before = story.level(DONOR)
    story.tell(scan("dispatch", 4, seq=1, site=DONOR, transfer_id=transfer_id))
    story.tell(void_of(story, f"scanner-{DONOR}/b1/1"))
    transfer, donor = story.transfer(), story.level(DONOR)
    assert (transfer.state, transfer.dispatched_units, transfer.value_minor) == ("approved", 0, 0)
    assert (donor.on_hand_units, donor.value_minor) == (before.on_hand_units, before.value_minor)
    assert donor.in_transit_out_units == before.in_transit_out_units
    assert story.level().in_transit_in_units == 10


def test_an_ad_hoc_dispatch_that_was_a_mistake_is_cancelled() -> None:
    """Nobody but the scan had asked for that transfer."""
    story = stocked().tell(scan("dispatch", 4, seq=1, site=DONOR, counterpart_site=SHOP))
    story.tell(void_of(story, f"scanner-{DONOR}/b1/1"))
    assert story.transfer().state == "cancelled"
    assert story.level().in_transit_in_units == 0
    assert story.level(DONOR).on_hand_units == 50


def test_what_has_arrived_is_voided_before_what_left() -> None:
    """A dispatch stands while its units are not on their way; first the arrival, then it."""
    story, transfer_id = _shipped(
        scan("dispatch", 10, seq=1, site=DONOR), scan("arrive", 10, seq=1)
    )
    sent = f"scanner-{DONOR}/b1/1"
    story.tell(void_of(story, sent))
    assert "void the arrival" in refusal(story)
    story.tell(void_of(story, f"scanner-{SHOP}/b1/1", name="v2"))
    transfer = story.transfer()
    assert (transfer.state, transfer.received_units) == ("in_transit", 0)
    assert transfer.value_minor == 1_000
    assert (story.level().on_hand_units, story.level().in_transit_in_units) == (20, 10)
    story.tell(void_of(story, sent, name="v3"))
    assert story.transfer().state == "approved"
    assert (story.level(DONOR).on_hand_units, story.level(DONOR).value_minor) == (50, 5_000)
    assert transfer_id == story.transfer().transfer_id


def test_an_arrival_takes_the_dispatch_back_that_it_implied() -> None:
    """Both were the same mistake; a dispatch that was seen after all stays."""
    story, _ = _shipped(scan("arrive", 10, seq=1))
    story.tell(void_of(story, f"scanner-{SHOP}/b1/1"))
    assert (story.level().on_hand_units, story.level(DONOR).on_hand_units) == (20, 50)
    assert (story.transfer().state, story.transfer().inferred_units) == ("approved", 0)
    story, _ = _shipped(scan("arrive", 10, seq=1), scan("dispatch", 10, seq=1, site=DONOR))
    story.tell(void_of(story, f"scanner-{SHOP}/b1/1"))
    assert (story.level().on_hand_units, story.level(DONOR).on_hand_units) == (20, 40)
    assert story.transfer().state == "in_transit"


def test_a_dispatch_that_confirmed_an_arrival_is_not_voided() -> None:
    """It moved nothing, or the arrival has to go first."""
    story, _ = _shipped(scan("arrive", 4, seq=1), scan("dispatch", 6, seq=1, site=DONOR))
    story.tell(void_of(story, f"scanner-{DONOR}/b1/1"))
    assert refusal(story) == "it confirmed what an arrival had implied: void the arrival"


def test_a_scan_of_a_forgotten_transfer_is_refused() -> None:
    """A transfer that has left the state can't be brought in line any more."""
    story, _ = _shipped(scan("dispatch", 10, seq=1, site=DONOR), scan("arrive", 10, seq=1))
    wanted = story.movements()[-1].movement_id
    story.wait(VOIDABLE_MS)
    story.tell(void_of(story, wanted, recorded_at_ms=story.now_ms))
    assert "no longer known" in refusal(story)


def test_an_arrival_has_to_be_brought_whole() -> None:
    """A command that leaves a part of the ledger out changes nothing."""
    story, _ = _shipped(scan("dispatch", 10, seq=1, site=DONOR), scan("arrive", 10, seq=1))
    sent = void_of(story, f"scanner-{SHOP}/b1/1")
    lead = tuple(one for one in sent.movements if one.movement_id == sent.entity_id)
    story.tell(msgspec.structs.replace(sent, movements=lead))
    assert refusal(story) == (
        "the transfers it served are no longer known, or the command does not bring them"
    )
    assert story.level().on_hand_units == 30
