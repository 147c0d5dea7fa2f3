"""What people and the planner may do to a transfer, and what they are told if not."""

from typing import Any

import pytest

from ingest.frames import SiteRecord
from streams.command_answers import ANSWERS_KEPT_MS
from streams.contracts.events import (
    CommandAccepted,
    CommandRefused,
)
from streams.contracts.plans import ShipmentLine, ShipmentLineWithdrawn
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    SKU,
    WAREHOUSE,
    Story,
    command,
    opening,
    ordered_story,
    reference,
    scan,
)


@pytest.mark.parametrize(
    ("verb", "state"),
    [("hold_transfer", "held"), ("cancel_transfer", "cancelled"), ("edit_transfer", "approved")],
)
def test_people_may_change_what_has_not_left(verb: str, state: str) -> None:
    """The planner hears of each."""
    story, name = ordered_story()
    story.tell(command(verb, name, quantity_units=7))  # type: ignore[arg-type]
    assert story.transfer().state == state
    assert len(story.plans(ShipmentLineWithdrawn)) == 1
    expected = {"held": 10, "cancelled": 0, "approved": 7}[state]
    assert story.level().in_transit_in_units == expected


def test_a_held_transfer_is_approved_again() -> None:
    """And asks for a place in a shipment again; the planner's answer is kept."""
    story, name = ordered_story()
    story.tell(command("hold_transfer", name), command("approve_transfer", name, name="c2"))
    story.tell(command("assign_shipment", name, name="c3", shipment_id="shipment-1"))
    assert (story.transfer().state, story.transfer().shipment_id) == ("approved", "shipment-1")
    assert len(story.plans(ShipmentLine)) == 2


def test_a_person_may_give_up_and_find_again() -> None:
    """Lost by command, reopened by command; then on its way again."""
    story, name = ordered_story()
    story.tell(scan("dispatch", 10, seq=1, site=DONOR, transfer_id=name))
    story.tell(command("lose_transfer", name))
    assert (story.transfer().state, story.level().in_transit_in_units) == ("lost", 0)
    story.tell(command("reopen_transfer", name, name="c2"))
    assert (story.transfer().state, story.level().in_transit_in_units) == ("reopened", 10)


def test_a_command_is_answered_once() -> None:
    """A repeat changes nothing within 24 h; then its id is forgotten."""
    story, name = ordered_story()
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
    story, name = ordered_story()
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
    story, _ = ordered_story(45)
    assert "below_hold_back" in story.transfer().flags
    more = command("order_transfer", site=DONOR, to_site=SHOP, quantity_units=6, name="more")
    story.tell(more)
    assert "only 5 units" in story.events(CommandRefused)[0].reason


def test_a_transfer_to_a_misspelt_site_is_refused_and_leaves_no_level() -> None:
    """Where the catalogue has sites; a site without stock as yet is one, too."""
    story, _ = ordered_story()
    story.tell(reference(SiteRecord(SHOP)), reference(SiteRecord(WAREHOUSE)))
    order: dict[str, Any] = {"site": DONOR, "quantity_units": 2}
    story.tell(command("order_transfer", name="wrong", to_site="shp-1", **order))
    [refused] = story.events(CommandRefused)
    assert refused.reason == "there is no site shp-1"
    assert [level.site for level in story.levels()] == [SHOP, DONOR]
    story.tell(command("order_transfer", name="right", to_site=WAREHOUSE, **order))
    assert story.transfer().to_site == WAREHOUSE


def test_without_sites_in_the_catalogue_any_name_is_one() -> None:
    """Nothing tells a misspelt name from a new one."""
    story, _ = ordered_story()
    order: dict[str, Any] = {"site": DONOR, "quantity_units": 2}
    story.tell(command("order_transfer", name="new", to_site="shp-1", **order))
    assert (story.transfer().to_site, story.events(CommandRefused)) == ("shp-1", [])


def test_an_edit_may_not_ask_for_more_than_there_is() -> None:
    """40 more are free beside the 10; less is always possible, also where all was sold."""
    story, name = ordered_story()
    story.tell(command("edit_transfer", name, name="c1", quantity_units=51))
    assert story.events(CommandRefused)[0].reason == f"only 40 more are available at {DONOR}"
    story.tell(command("edit_transfer", name, name="c2", quantity_units=50))
    assert story.level(DONOR).in_transit_out_units == 50
    story.tell(scan("sale", 50, seq=1, site=DONOR))
    story.tell(command("edit_transfer", name, name="c3", quantity_units=5))
    assert story.transfer().quantity_units == 5


def test_cancelling_the_rest_ends_what_has_arrived() -> None:
    """4 of 10 have come; the other 6 are not expected any more, and no more can be cancelled."""
    story, name = ordered_story()
    story.tell(scan("dispatch", 4, seq=1, site=DONOR, transfer_id=name))
    story.tell(scan("arrive", 4, seq=1, transfer_id=name))
    story.tell(command("cancel_transfer", name, name="c1"))
    story.tell(command("cancel_transfer", name, name="c2"))
    assert (story.transfer().state, story.level().in_transit_in_units) == ("received", 0)
    assert "rest_cancelled" in story.transfer().flags
    assert story.events(CommandRefused)[0].reason == "nothing of it is still to leave"


@pytest.mark.parametrize(
    ("verb", "more", "reason"),
    [
        ("reject_transfer", {}, "a transfer that is approved can't be rejected"),
        ("reopen_transfer", {}, "a transfer that is approved can't be reopened"),
        ("lose_transfer", {}, "nothing of it is on its way"),
        ("edit_transfer", {"quantity_units": 0}, "the quantity must be positive"),
        ("approve_transfer", {}, "a transfer that is approved can't be approved"),
    ],
)
def test_what_an_approved_transfer_refuses(verb: str, more: dict[str, int], reason: str) -> None:
    """In these words; the transfer stays as it was."""
    story, name = ordered_story()
    story.tell(command(verb, name, **more))  # type: ignore[arg-type]
    [refused] = story.events(CommandRefused)
    assert (refused.reason, refused.current_state) == (reason, "approved")
    assert story.transfer().version == 1


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"site": SHOP, "to_site": SHOP, "quantity_units": 1}, "needs two different sites"),
        ({"site": DONOR, "to_site": SHOP, "quantity_units": 0}, "must be positive"),
        ({"site": "moon", "to_site": SHOP, "quantity_units": 1}, f"nothing is known of {SKU} at"),
    ],
)
def test_orders_that_make_no_sense_are_refused(more: dict[str, Any], reason: str) -> None:
    """And make no transfer."""
    story = Story().tell(opening(9, site=DONOR), command("order_transfer", **more))
    assert reason in story.events(CommandRefused)[0].reason
    assert story.transfers() == []


@pytest.mark.parametrize("verb", ["edit_transfer", "approve_transfer"])
def test_what_has_left_is_not_changed_at_the_desk(verb: Any) -> None:
    """Reopened by a scan after a cancellation: units are on the road."""
    story, name = ordered_story()
    story.tell(command("cancel_transfer", name, name="c1"))
    story.tell(scan("dispatch", 4, seq=1, site=DONOR, transfer_id=name))
    story.tell(command(verb, name, name="c2", quantity_units=3))
    assert story.events(CommandRefused)[0].reason == "units have already left"
