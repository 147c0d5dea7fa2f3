"""The fold as a whole: where its outputs go, what stops it, what a restore holds."""

import msgspec
import pytest

from ingest.contracts.errors import FrameError, InstallationError
from ingest.frames import BarrierInput, InstallationInput
from ingest.partitions import partition_of
from streams.contracts.events import (
    BarrierPassed,
)
from streams.contracts.state import COMMAND, AnsweredCommand, key
from streams.domain.records import RECORDS_CACHED_MAX
from streams.stock import stock_spec
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    Story,
    lane,
    opening,
    policy,
    scan,
)


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


def test_a_restore_does_not_hold_all_of_the_state_decoded() -> None:
    """Each record is looked at for its timer, and only the newest stay."""
    story = Story()
    for number in range(2 * RECORDS_CACHED_MAX + 5):
        answered = AnsweredCommand(command_id=f"c{number}", at_ms=number)
        story.state[key(COMMAND, answered.command_id)] = msgspec.msgpack.encode(answered)
    story.restore()
    store = story.fold._store
    assert len(store.timers) == 2 * RECORDS_CACHED_MAX + 5
    assert len(store.commands.entries) == RECORDS_CACHED_MAX
