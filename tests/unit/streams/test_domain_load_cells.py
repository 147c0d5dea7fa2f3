"""Measured shelves: transients, drift, settled counts, foreign things, and how sure a count is."""

from typing import Any

import pytest

from ingest.contracts.durations import SECOND_MS
from ingest.frames import ReadingInput
from streams.contracts.events import BreachOpened
from streams.contracts.shelf import LoadCell
from streams.contracts.state import SensedChannel
from streams.domain.areas import seen_units
from streams.domain.load_cells import CONFIDENCE_PCT_MIN, OFFSET_PARTS_MAX, confidence_pct
from tests.unit.streams.builders import T0, Story, policy, reading

UNIT_G = 300
TARE_G = 1_000
SETTLE_MS = 5_000


class Scale:
    """One scale of a story, read once a second."""

    def __init__(self, units: int, **said: int) -> None:
        """Begin with a settled shelf."""
        self.story = Story().tell(policy(lead_witness="shelf", min_units=3, max_units=None, **said))
        self._seq = 0
        self.hold(units * UNIT_G, 8)

    def hold(self, net_g: int, seconds: int) -> None:
        """Read the same weight for so many seconds."""
        for _ in range(seconds):
            self.read(net_g)

    def read(self, net_g: int, **more: int) -> None:
        """Read one weight, a second after the last."""
        self._seq += 1
        self.story.tell(self.weight(net_g, **more), after_ms=SECOND_MS)

    def weight(self, net_g: int, **more: int) -> ReadingInput:
        """Return a weight as the bridge would send it by now."""
        fields: dict[str, Any] = {
            "unit_weight_mg": UNIT_G * 1_000,
            "tare_g": TARE_G,
            "settle_ms": SETTLE_MS,
            "seq": self._seq,
            **more,
        }
        at_ms = T0 + self._seq * SECOND_MS
        return reading(TARE_G + net_g, at_ms=at_ms, kind="weight_g", **fields)

    @property
    def units(self) -> int | None:
        """What the fold sees on the shelf."""
        return seen_units(self.story.level())

    @property
    def channel(self) -> SensedChannel:
        """The channel as written."""
        return self.story.level().sensed[0]

    @property
    def cell(self) -> LoadCell:
        """What the fold remembers of the cell."""
        cell = self.channel.cell
        assert cell is not None
        return cell


def test_a_changed_weight_counts_once_it_has_settled() -> None:
    """Not before it held for `settle_ms`, and then as an absolute count."""
    scale = Scale(10)
    scale.hold(7 * UNIT_G, 5)
    assert scale.units == 10
    scale.read(7 * UNIT_G)
    assert scale.units == 7


def test_a_single_report_counts_by_time_alone() -> None:
    """A device that reports changes only says a new weight once."""
    scale = Scale(10)
    scale.read(6 * UNIT_G)
    assert scale.story.wait(SETTLE_MS).level().sensed[0].units == 6


@pytest.mark.parametrize("press_g", [-4_800, -2_500, -230, 230, 500, 2_750])
def test_a_hand_on_the_shelf_moves_nothing(press_g: int) -> None:
    """Pressing and lifting, never still for long: no count, no breach."""
    scale = Scale(10)
    for second in range(30):
        scale.read(10 * UNIT_G + press_g + (60 if second % 2 else -60))
        assert scale.units == 10
    scale.hold(10 * UNIT_G, 10)
    assert (scale.units, scale.story.events(BreachOpened)) == (10, [])
    assert scale.cell.foreign_parts == 0


def test_the_tare_follows_a_slow_drift_of_more_than_a_unit_s_half() -> None:
    """The count stays, and steps are read from the drifted place."""
    scale = Scale(10)
    for step in range(1, 300):
        scale.read(10 * UNIT_G + step)
        assert scale.units == 10
    assert scale.cell.offset_parts > UNIT_G * 1_000 // 2
    scale.hold(4 * UNIT_G + 300, 8)
    assert scale.units == 4


def test_a_step_that_is_no_multiple_of_a_unit_is_set_aside() -> None:
    """A wrong SKU: the count stays, is doubted, still follows sales, and is sure again after."""
    scale = Scale(10)
    scale.hold(10 * UNIT_G + 730, 8)
    assert (scale.units, scale.cell.foreign_parts) == (10, 730_000)
    assert scale.cell.confidence_pct < CONFIDENCE_PCT_MIN
    scale.hold(8 * UNIT_G + 730, 8)
    assert scale.units == 8
    scale.hold(8 * UNIT_G, 8)
    assert (scale.units, scale.cell.foreign_parts) == (8, 0)
    assert scale.cell.confidence_pct >= CONFIDENCE_PCT_MIN


def test_a_count_is_as_sure_as_its_units_are_equal() -> None:
    """Surely one, not so surely many: sqrt(n) deviations of a unit against half a unit."""
    assert confidence_pct(1) == 100
    assert confidence_pct(100) == 98
    assert confidence_pct(400) == 78


def test_the_tare_is_not_learned_while_the_count_is_doubted() -> None:
    """400 units of 2 % spread can't be told from 401."""
    scale = Scale(400)
    before = scale.cell.offset_parts
    scale.hold(400 * UNIT_G + 15, 20)
    assert scale.cell.offset_parts == before


def test_a_tare_that_drifted_too_far_is_doubted() -> None:
    """Learned up to its limit; then the next settled count is not sure."""
    scale = Scale(0)
    for step in range(430):
        scale.read(step)
    assert scale.cell.offset_parts == OFFSET_PARTS_MAX
    scale.hold(10 * UNIT_G + 420, 8)
    assert scale.cell.confidence_pct < CONFIDENCE_PCT_MIN


def test_fewer_than_none_corrects_a_count_that_was_too_high() -> None:
    """A tare that was wrong from the start shows when the shelf is empty."""
    scale = Scale(10)
    scale.hold(-UNIT_G, 8)
    assert (scale.units, scale.cell.offset_parts) == (10, 0)  # it may be a hand that lifts
    scale.hold(-UNIT_G, 8)
    assert scale.units == 0
    scale.hold(2 * UNIT_G, 8)
    assert scale.units == 3  # the empty shelf was learned: it weighs one unit less


def test_a_new_shelf_is_unknown_until_its_first_value_has_settled() -> None:
    """A hand may have been there."""
    story = Scale(0).story
    assert seen_units(story.level()) == 0
    fresh = Story().tell(Scale(0).weight(3 * UNIT_G))
    assert seen_units(fresh.level()) is None
    assert seen_units(fresh.wait(SETTLE_MS).level()) == 3


def test_another_tare_in_the_catalogue_begins_anew() -> None:
    """A planogram change while it runs: what was learned of the old shelf is not carried over."""
    scale = Scale(10)
    for _ in range(8):
        scale.read(4 * UNIT_G + 250, tare_g=TARE_G + 250)
    assert (scale.units, scale.cell.offset_parts) == (4, 0)


def test_a_distance_settles_too() -> None:
    """A hand before the beam is no empty shelf."""
    story = Story()
    for second in range(20):
        hand = 9 <= second < 12
        value = 40 + 30 * second if hand else 100
        story.tell(
            reading(
                value,
                at_ms=T0 + second,
                seq=second,
                kind="distance_mm",
                span_mm=400,
                unit_depth_mm=60,
                settle_ms=SETTLE_MS,
            ),
            after_ms=SECOND_MS,
        )
        assert seen_units(story.level()) == (5 if second >= 5 else None)


@pytest.mark.parametrize("lifts_g", [-3_100, -1_000, -640])
def test_a_hand_that_lifts_for_a_moment_spoils_no_tare(lifts_g: int) -> None:
    """Still for longer than `settle_ms`, and too low for goods: neither count nor tare move."""
    scale = Scale(2)
    scale.hold(2 * UNIT_G + lifts_g, 9)
    scale.hold(2 * UNIT_G, 8)
    assert (scale.units, scale.cell.offset_parts, scale.cell.foreign_parts) == (2, 0, 0)


def test_nothing_foreign_weighs_less_than_nothing() -> None:
    """A count that was too high is not kept up by a thing of negative weight: it is read anew."""
    scale = Scale(10)
    scale.hold(10 * UNIT_G - 1_350, 8)
    assert (scale.units, scale.cell.foreign_parts) == (10, 0)
    scale.hold(10 * UNIT_G - 1_350, 8)
    assert scale.units in {5, 6}
    assert abs(scale.cell.foreign_parts) <= UNIT_G * 1_000 // 2
    assert scale.cell.confidence_pct < CONFIDENCE_PCT_MIN
    scale.hold(6 * UNIT_G, 16)
    assert (scale.units, scale.cell.foreign_parts) == (6, 0)


def test_values_that_nearly_agree_do_not_settle() -> None:
    """A hand that wavers by 15 g beside the weight of fewer units: the shelf keeps its count."""
    scale = Scale(10)
    for second in range(30):
        scale.read(2 * UNIT_G + (15 if second % 2 else 0))
        assert scale.units == 10
    assert scale.story.events(BreachOpened) == []


def test_a_device_that_reports_often_is_heard_once_more_before_a_value_counts() -> None:
    """By time alone a value waits for the report that is owed; by the report it counts at once."""
    interval_ms = 2 * SECOND_MS
    scale = Scale(10)
    scale.read(2 * UNIT_G, report_interval_ms=interval_ms)
    scale.story.wait(SETTLE_MS)
    assert scale.units == 10
    scale.story.wait(interval_ms)
    assert scale.units == 2
    scale = Scale(10)
    for _ in range(1 + SETTLE_MS // SECOND_MS):
        assert scale.units == 10
        scale.read(2 * UNIT_G, report_interval_ms=SECOND_MS)
    assert scale.units == 2


def test_a_second_stretch_begun_before_a_restore_goes_on_after_it() -> None:
    """What has been still so far is part of the state."""
    scale = Scale(10)
    scale.hold(-UNIT_G, 8)
    assert scale.cell.still_stretches == 1
    scale.story.restore()
    scale.hold(-UNIT_G, 4)
    assert scale.units == 0


def test_a_waiting_value_survives_a_restore() -> None:
    """Its time comes up in the restored fold as in the live one."""
    scale = Scale(10)
    scale.read(2 * UNIT_G)
    scale.story.restore()
    scale.story.wait(SETTLE_MS)
    assert scale.units == 2
    assert len(scale.story.events(BreachOpened)) == 1
