"""Stories of the planning fold: lines of a lane collect, close and are told their shipment."""

from typing import Any

import msgspec
import pytest

from ingest.contracts.errors import FrameError
from ingest.contracts.topics import INPUTS
from ingest.frames import INPUT_FRAMES, CommandInput, TickInput
from ingest.partitions import partition_of
from streams.contracts.plans import PLAN_FRAMES, SHIPMENT, Shipment
from streams.contracts.state import key
from streams.domain.planning import SHIPMENT_KEPT_MS, SHIPMENT_LINES_MAX
from streams.planning import planning_spec
from tests.folds import PARTITIONS, FoldRun
from tests.unit.streams.plan_story import line, withdrawn

FIRST = "shipment-hub>berlin-1"


class PlanStory(FoldRun):
    """One partition of the planning fold."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(planning_spec(), PLAN_FRAMES)

    @property
    def commands(self) -> list[CommandInput]:
        """All commands so far."""
        return self.said(INPUTS.name, INPUT_FRAMES)

    def shipment(self, shipment_id: str = FIRST) -> Shipment:
        """A shipment as its state record has it."""
        return msgspec.msgpack.decode(self.state[key(SHIPMENT, shipment_id)], type=Shipment)

    def shipments(self) -> list[str]:
        """Ids of all shipments in the state."""
        head = key(SHIPMENT, "")
        return sorted(raw.removeprefix(head).decode() for raw in self.state if raw.startswith(head))


def test_lines_of_a_lane_travel_together() -> None:
    """Two lines within the consolidation time get one shipment, told to each transfer."""
    story = PlanStory()
    story.at(1_000, line("transfer-milk-1", 1_000))
    story.at(2_000, line("transfer-rice-1", 2_000, quantity_units=7))
    assert story.commands == []
    assert story.shipment().lines == {"transfer-milk-1": 4, "transfer-rice-1": 7}
    story.at(61_000, TickInput(61_000))
    assert {(c.command_id, c.entity_id, c.sku, c.shipment_id) for c in story.commands} == {
        (f"{FIRST}/transfer-milk-1", "transfer-milk-1", "milk", FIRST),
        (f"{FIRST}/transfer-rice-1", "transfer-rice-1", "rice", FIRST),
    }
    assert {(c.verb, c.actor) for c in story.commands} == {("assign_shipment", "planning")}
    assert story.shipment().state == "closed"


def test_commands_go_to_the_partition_of_their_sku() -> None:
    """The stock fold that owns the transfer hears of it."""
    story = PlanStory()
    story.at(1_000, line("transfer-milk-1", 1_000, consolidation_ms=0))
    found = story.said_when(INPUTS.name, INPUT_FRAMES)
    assert list(found) == [partition_of("milk", PARTITIONS)]
    assert found[partition_of("milk", PARTITIONS)][0][0] == 1_000


def test_without_consolidation_a_shipment_closes_at_once() -> None:
    """Each line has its own shipment, with running numbers."""
    story = PlanStory()
    story.at(1_000, line("transfer-milk-1", 1_000, consolidation_ms=0))
    story.at(1_000, line("transfer-milk-2", 1_000, consolidation_ms=0))
    assert [c.shipment_id for c in story.commands] == [FIRST, "shipment-hub>berlin-2"]


def test_a_later_line_opens_the_next_shipment() -> None:
    """After closing, the lane collects anew; time comes from any frame."""
    story = PlanStory()
    story.at(1_000, line("transfer-milk-1", 1_000))
    story.at(90_000, line("transfer-milk-2", 90_000))
    assert story.shipments() == [FIRST, "shipment-hub>berlin-2"]
    assert story.shipment("shipment-hub>berlin-2").state == "collecting"


def test_a_lane_that_waits_no_longer_lets_its_shipment_go() -> None:
    """The catalogue set consolidation to 0: the next line takes the collected ones along."""
    story = PlanStory()
    story.at(1_000, line("transfer-milk-1", 1_000))
    story.at(2_000, line("transfer-rice-1", 2_000, consolidation_ms=0))
    assert len(story.commands) == 2


def test_withdrawn_lines_leave_and_an_empty_shipment_goes() -> None:
    """Nobody is told of a shipment that has no lines; its number is not used again."""
    story = PlanStory()
    story.at(1_000, line("transfer-milk-1", 1_000), line("transfer-rice-1", 1_000))
    story.at(2_000, withdrawn("transfer-milk-1"), withdrawn("transfer-milk-9"))
    assert story.shipment().lines == {"transfer-rice-1": 4}
    story.at(3_000, withdrawn("transfer-rice-1"))
    assert story.shipments() == []
    story.at(100_000, line("transfer-milk-2", 100_000))
    assert story.shipments() == ["shipment-hub>berlin-2"]
    assert story.commands == []


def test_a_withdrawal_after_the_shipment_closed_changes_nothing() -> None:
    """The stock fold has the transfer's state; the shipment stays as it was told."""
    story = PlanStory()
    story.at(1_000, line("transfer-milk-1", 1_000, consolidation_ms=0))
    story.at(2_000, withdrawn("transfer-milk-1"), withdrawn("transfer-x-1", from_site="other"))
    assert story.shipment().lines == {"transfer-milk-1": 4}


def test_lanes_do_not_mix() -> None:
    """Another destination is another shipment."""
    story = PlanStory()
    story.at(1_000, line("transfer-milk-1", 1_000), line("transfer-milk-2", 1_000, to_site="rome"))
    assert story.shipments() == [FIRST, "shipment-hub>rome-1"]


def test_a_full_shipment_closes_at_once() -> None:
    """The limit of lines is never passed."""
    story = PlanStory()
    lines = [line(f"transfer-milk-{i}", 1_000) for i in range(SHIPMENT_LINES_MAX + 1)]
    story.at(1_000, *lines[:400])
    story.at(1_000, *lines[400:])
    assert len(story.commands) == SHIPMENT_LINES_MAX
    assert len(story.shipment("shipment-hub>berlin-2").lines) == 1


def test_closed_shipments_leave_the_state_in_time() -> None:
    """They are kept for a week; the lane's running number stays."""
    story = PlanStory()
    story.at(1_000, line("transfer-milk-1", 1_000, consolidation_ms=0))
    story.at(999 + SHIPMENT_KEPT_MS, TickInput(0))
    assert story.shipments() == [FIRST]
    story.restore()
    story.at(1_000 + SHIPMENT_KEPT_MS, TickInput(0))
    assert story.shipments() == []


def test_bytes_that_are_no_frame_change_nothing() -> None:
    """The engine writes the dead letter; the fold stays as it was."""
    story = PlanStory()
    with pytest.raises(FrameError):
        story._fold.fold(b"\x02")
    assert story._fold.drain().state == {}


def test_a_tick_frame_of_the_spec_is_a_frame_of_the_fold() -> None:
    """What the engine appends in wall time moves this fold's time."""
    story = PlanStory()
    spec: Any = planning_spec()
    story._fold.fold(spec.tick_frame(5_000))
    assert len(story._fold.drain().state) == 1
