"""Voids and lots: what is taken back is of the lot it was, so that a recall still finds it."""

import pytest

from ingest.contracts.durations import DAY_MS
from ingest.frames import CommandInput, SkuRecord
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    SKU,
    T0,
    Story,
    command,
    lane,
    opening,
    policy,
    reference,
    scan,
)
from tests.unit.streams.test_domain_voids import void_of


@pytest.fixture
def story() -> Story:
    """Return a donor with 5 of lot A and 5 of lot B, and a lane to the shop."""
    told = Story().tell(reference(SkuRecord(SKU, unit_cost_minor=100)), lane(DONOR))
    return told.tell(
        policy(autonomy="observe", lot_tracking="lots"),
        scan("receive", 5, seq=1, site=DONOR, lot="A", expires_at_ms=T0 + 50 * DAY_MS),
        scan("receive", 5, seq=2, site=DONOR, lot="B", expires_at_ms=T0 + 60 * DAY_MS),
        opening(1),
    )


def _last(story: Story, kind: str) -> CommandInput:
    movement = [one for one in story.movements() if one.kind == kind][-1]
    return void_of(story, movement.movement_id)


def _carried(story: Story) -> dict[str, dict[str, int]]:
    return {
        carried.transfer_id: {lot.lot: lot.units for lot in carried.lots}
        for carried in story.carried_lots()
    }


def test_a_voided_dispatch_takes_its_own_lot_back(story: Story) -> None:
    """Of two lots of one transfer the other one stays on its way, and is held when it arrives."""
    order = command("order_transfer", site=DONOR, to_site=SHOP, quantity_units=10, name="order")
    transfer_id = story.tell(order).transfer().transfer_id
    for seq, lot in ((3, "A"), (4, "B")):
        story.tell(scan("dispatch", 5, seq=seq, site=DONOR, transfer_id=transfer_id, lot=lot))
    story.tell(_last(story, "dispatch"))
    assert _carried(story) == {transfer_id: {"A": 5}}
    assert story.lots(DONOR) == {"B": 5}
    story.tell(command("recall_lot", lot="A", name="recall"))
    story.tell(scan("arrive", 5, seq=3, transfer_id=transfer_id))
    assert (story.lots(), story.level().quarantined_units) == ({"A": 5, "": 1}, 5)


def test_a_voided_arrival_has_its_lots_on_their_way_again(story: Story) -> None:
    """They arrive once more as what they are."""
    story.tell(scan("dispatch", 5, seq=3, site=DONOR, counterpart_site=SHOP, lot="A"))
    transfer_id = story.transfer().transfer_id
    story.tell(scan("arrive", 5, seq=3, transfer_id=transfer_id))
    assert _carried(story) == {}
    story.tell(_last(story, "arrive"))
    assert (_carried(story), story.lots()) == ({transfer_id: {"A": 5}}, {"": 1})
    story.tell(command("recall_lot", lot="A", name="recall"))
    story.tell(scan("arrive", 5, seq=4, transfer_id=transfer_id))
    assert (story.lots(), story.level().quarantined_units) == ({"A": 5, "": 1}, 5)


def test_an_arrival_of_two_transfers_is_voided_to_both(story: Story) -> None:
    """Each carries as many units of known lots as are on its way."""
    for seq, lot in ((3, "A"), (4, "B")):
        order = command("order_transfer", site=DONOR, to_site=SHOP, quantity_units=5, name=lot)
        story.tell(order)
        transfer_id = story.transfer().transfer_id
        story.tell(scan("dispatch", 5, seq=seq, site=DONOR, transfer_id=transfer_id, lot=lot))
    before = _carried(story)
    assert sorted(map(tuple, before.values())) == [("A",), ("B",)]
    story.tell(scan("arrive", 10, seq=3))
    assert _carried(story) == {}
    story.tell(_last(story, "arrive"))
    after = _carried(story)
    assert {name: sum(lots.values()) for name, lots in after.items()} == dict.fromkeys(before, 5)
    assert sorted(lot for lots in after.values() for lot in lots) == ["A", "B"]


def test_a_movement_says_what_moved_of_a_lot_that_is_partly_held(story: Story) -> None:
    """Free and held units of one lot leave together: the ledger counts each once."""
    story.tell(command("quarantine", site=DONOR, quantity_units=2, lot="B"))
    story.tell(scan("dispatch", 9, seq=3, site=DONOR, counterpart_site=SHOP))
    [moved] = [one for one in story.movements() if one.kind == "dispatch"]
    assert (moved.quantity_units, moved.lot_units) == (-9, {"A": -5, "B": -4})
    assert list(_carried(story).values()) == [{"A": 5, "B": 4}]
