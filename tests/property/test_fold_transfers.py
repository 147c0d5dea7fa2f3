"""What holds for each transfer after every input, in whatever order people and scans come."""

from collections import defaultdict

import msgspec
from hypothesis import given

from ingest.frames import CommandInput, OpeningInput, ScanInput
from streams.contracts.events import TransferChanged
from streams.contracts.plans import ShipmentLine, ShipmentLineWithdrawn
from streams.contracts.state import TRANSFER_OPEN, Transfer
from streams.contracts.voids import kind_in_effect
from streams.domain.transfers import REFUSED, expected_units, on_the_way_units, planned_units
from tests.property.fold_scripts import Step, run, scripts
from tests.unit.streams.builders import Story

_NOT_LEFT = {"proposed", "approved", "held"} | REFUSED
_ON_THE_WAY = {"dispatched", "in_transit", "partly_received"}


def _check_numbers(transfer: Transfer) -> None:
    counts = (transfer.dispatched_units, transfer.received_units, transfer.lost_units)
    assert min(*counts, on_the_way_units(transfer), transfer.inferred_units) >= 0
    assert transfer.inferred_units <= transfer.dispatched_units
    if on_the_way_units(transfer) == 0:
        assert transfer.value_minor == 0


def _check_state(transfer: Transfer) -> None:
    if transfer.state in _NOT_LEFT:
        assert transfer.dispatched_units == 0
    if transfer.state in _ON_THE_WAY:
        assert transfer.dispatched_units > 0
        assert transfer.dispatched_at_ms > 0
    if transfer.state in TRANSFER_OPEN:
        assert transfer.closed_at_ms == 0
        assert expected_units(transfer) > 0
        assert transfer.state == "held" or transfer.deadline_ms > 0
    else:
        assert transfer.closed_at_ms > 0
        assert (on_the_way_units(transfer), planned_units(transfer)) == (0, 0)
    if transfer.state == "received":
        assert transfer.received_units > 0


def _check_lists(story: Story) -> None:
    store = story.fold._store
    for sku in store.skus:
        mine = [transfer for transfer in story.transfers() if transfer.sku == sku]
        still_open = [one.transfer_id for one in mine if one.state in TRANSFER_OPEN]
        assert store.book(sku).transfers == still_open


def _check(story: Story, _number: int) -> None:
    story.drain()
    for transfer in story.transfers():
        _check_numbers(transfer)
        _check_state(transfer)
    _check_lists(story)


@given(scripts(ScanInput, CommandInput, OpeningInput))
def test_each_state_says_what_its_numbers_say(script: list[Step]) -> None:
    """Nothing is on its way that has not left, and nothing ended is still expected."""
    run(script, _check)


@given(scripts())
def test_a_transfer_s_numbers_are_the_sums_of_its_movements(script: list[Step]) -> None:
    """Units and value on the way, and what left and arrived: by the ledger."""
    story = run(script)
    sums: dict[tuple[str, str], int] = defaultdict(int)
    values: dict[str, int] = defaultdict(int)
    for movement in story.movements():
        name = movement.transfer_id
        if movement.bucket == "in_transit":
            assert movement.quantity_units
            sums[name, "on_the_way"] += movement.quantity_units
            values[name] += movement.value_minor
            assert movement.after_units == sums[name, "on_the_way"] >= 0
        elif kind_in_effect(movement) in {"dispatch", "dispatch_inferred"}:
            sums[name, "dispatched"] -= movement.quantity_units
        if movement.kind == "loss":
            sums[name, "lost"] -= movement.quantity_units
    for transfer in story.transfers():
        name = transfer.transfer_id
        assert sums[name, "dispatched"] == transfer.dispatched_units
        assert sums[name, "lost"] == transfer.lost_units
        assert sums[name, "on_the_way"] == on_the_way_units(transfer)
        assert values[name] == transfer.value_minor


@given(scripts())
def test_every_change_is_told_once_and_in_order(script: list[Step]) -> None:
    """Versions of a transfer go up by one, and the last one told is the one that stands."""
    story = run(script)
    last: dict[str, Transfer] = {}
    for event in story.events(TransferChanged):
        name = event.transfer.transfer_id
        assert event.transfer.version == (last[name].version + 1 if name in last else 1)
        last[name] = event.transfer
    assert last == {transfer.transfer_id: transfer for transfer in story.transfers()}


@given(scripts())
def test_the_planner_knows_each_approved_transfer_once(script: list[Step]) -> None:
    """A line is asked for, withdrawn, asked for; it stands while its transfer is approved."""
    story = run(script)
    lines: dict[str, int] = {}
    for item in story.plans(msgspec.Struct):
        if isinstance(item, ShipmentLineWithdrawn):
            lines.pop(item.transfer_id, None)  # a void can't know whether it stands
        elif isinstance(item, ShipmentLine):
            assert item.transfer_id not in lines
            lines[item.transfer_id] = item.quantity_units
    for transfer in story.transfers():
        if transfer.state == "approved":
            assert lines[transfer.transfer_id] == transfer.quantity_units
        elif transfer.state in _NOT_LEFT:
            assert transfer.transfer_id not in lines
