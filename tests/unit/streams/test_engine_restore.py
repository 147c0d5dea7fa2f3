"""What a take-over says when the broker holds something else than the state was folded from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.contracts.errors import (
    InstallationError,
    LogGapError,
    PartitionCountError,
    TopicIdentityError,
)
from streams.engine.ports import Applied, InputFacts, StateRecord
from streams.engine.records import applied_record
from streams.engine.restore import Fenced, Restored, fence, restore
from tests.unit.streams.engine_fakes import (
    TOPIC_ID,
    FakeFold,
    FakeInputLog,
    FakeStateLog,
    Rig,
    fake_spec,
    run_virtual,
)

FACTS = InputFacts(TOPIC_ID, begin_offset=0, partition_count=4)
KEYS = st.sampled_from([b"a", b"b", b"c", b"\x00other"])


def restored(log: FakeStateLog, facts: InputFacts = FACTS) -> Restored:
    """Return what a take-over of partition 2 reads."""
    return run_virtual(restore("in/2", Fenced(facts, len(log.records)), log))


@given(st.lists(st.tuples(KEYS, st.sampled_from([None, b"1", b"2"])), max_size=30))
def test_the_last_word_on_each_key_is_the_state(records: list[tuple[bytes, bytes | None]]) -> None:
    """Whatever came before it; the engine's own keys are no state, tombstones delete."""
    log = FakeStateLog(records=[StateRecord(key, value) for key, value in records])
    last = {key: value for key, value in records if value is not None and key[:1] != b"\x00"}
    for key in list(last):
        newest = [value for other, value in records if other == key][-1]
        if newest is None:
            del last[key]
        else:
            last[key] = newest
    found = restored(log)
    assert (found.state, found.records_read) == (last, len(records))
    assert found.applied == Applied(TOPIC_ID, -1)


def test_the_last_applied_record_counts() -> None:
    """Also when state stands after it: a transaction that a compaction has reordered."""
    records = [applied_record(Applied(TOPIC_ID, offset)) for offset in (3, 9)]
    assert restored(FakeStateLog(records=[*records, StateRecord(b"a", b"1")])).applied == Applied(
        TOPIC_ID, 9
    )


def test_a_topic_made_again_is_named_with_both_ids() -> None:
    """A person must be able to tell which is which."""
    log = FakeStateLog(records=[applied_record(Applied("topic-0", 9))])
    sentence = (
        r"^in/2: the topic was made again \(its id is topic-1, the state was folded from topic-0\)$"
    )
    with pytest.raises(TopicIdentityError, match=sentence):
        restored(log)


@pytest.mark.parametrize("begin_offset", [11, 12, 500])
def test_a_gap_is_named_with_both_offsets(begin_offset: int) -> None:
    """The next frame needed is gone; the state is not folded on over a hole."""
    log = FakeStateLog(records=[applied_record(Applied(TOPIC_ID, 9))])
    sentence = f"^in/2: the log begins at {begin_offset}, but the state needs 10$"
    with pytest.raises(LogGapError, match=sentence):
        restored(log, InputFacts(TOPIC_ID, begin_offset, 4))


def test_another_partition_count_is_refused_before_the_end_is_asked() -> None:
    """Keys would be folded in the wrong partition."""
    log, facts = FakeStateLog(), InputFacts(TOPIC_ID, 0, 8)
    sentence = "^in has 8 partitions, but the installation was made with 4$"
    with pytest.raises(PartitionCountError, match=sentence):
        run_virtual(fence(fake_spec(FakeFold), 4, log, FakeInputLog(facts)))
    assert log.calls == ["fence"]


def test_a_running_partition_notices_that_its_topic_was_made_again() -> None:
    """Offsets begin anew there: its frames would be skipped as applied, in silence."""

    async def scenario() -> Rig:
        rig = Rig()
        rig.runner.check_topic("anything")  # not restored yet: nothing to compare with
        await rig.runner.take_over()
        return rig

    rig = run_virtual(scenario())
    rig.runner.check_topic(TOPIC_ID)
    with pytest.raises(TopicIdentityError, match=r"^in/2: the topic was made again"):
        rig.runner.check_topic("topic-2")


def test_every_refusal_is_an_installation_error() -> None:
    """So that one exit code tells the supervisor not to just start again."""
    kinds = (TopicIdentityError, LogGapError, PartitionCountError)
    assert all(issubclass(kind, InstallationError) for kind in kinds)
