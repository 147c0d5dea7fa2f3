"""What a take-over says when the broker holds something else than the state was folded from."""

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from ingest.contracts.errors import (
    InstallationError,
    LogGapError,
    PartitionCountError,
    TopicIdentityError,
)
from streams.engine.ports import Applied, InputFacts, StateFacts, StateRecord
from streams.engine.records import applied_record
from streams.engine.restore import Fenced, Restored, fence, restore
from streams.engine.store import SAVED_AGE_MS_MAX, MemoryStore, StateStore, StorePosition
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
NOW_MS = 1_000_000


def restored(
    log: FakeStateLog, facts: InputFacts = FACTS, store: StateStore | None = None
) -> Restored:
    """Return what a take-over of partition 2 finds."""
    fenced = Fenced(facts, StateFacts(log.topic_id, len(log.records)))
    store = store if store is not None else MemoryStore()
    return run_virtual(restore("in/2", fenced, log, store, NOW_MS))


@given(st.lists(st.tuples(KEYS, st.sampled_from([None, b"1", b"2"])), max_size=30))
def test_the_last_word_on_each_key_is_the_state(records: list[tuple[bytes, bytes | None]]) -> None:
    """Whatever came before it; the engine's own keys are no state, tombstones delete."""
    log = FakeStateLog(records=[StateRecord(key, value) for key, value in records])
    newest = {key: value for key, value in records if key[:1] != b"\x00"}
    store = MemoryStore()
    found = restored(log, store=store)
    assert store.view == {key: value for key, value in newest.items() if value is not None}
    assert (found.applied, found.records_read) == (Applied(TOPIC_ID, -1), len(records))


@given(
    st.lists(st.tuples(KEYS, st.sampled_from([None, b"1", b"2"])), max_size=30),
    st.integers(0, 30),
    st.integers(0, 30),
)
def test_a_store_needs_only_the_rest(
    records: list[tuple[bytes, bytes | None]], begin: int, more: int
) -> None:
    """From its position, also when it had taken more than that before it was left."""
    log = FakeStateLog(records=[StateRecord(key, value) for key, value in records])
    begin = min(begin, len(records))
    store, whole = MemoryStore(), MemoryStore()
    store.load([pair for pair in records[: begin + more] if pair[0][:1] != b"\x00"])
    store.save(StorePosition(log.topic_id, begin, Applied(TOPIC_ID, 4), NOW_MS))
    found = restored(log, store=store)
    restored(log, store=whole)
    assert store.view == whole.view
    assert (found.begin_offset, found.records_read) == (begin, len(records) - begin)
    assert found.applied == Applied(TOPIC_ID, 4)


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        (StorePosition("state-0", 1, None, NOW_MS), "the state topic was made again"),
        (StorePosition("state-1", 3, None, NOW_MS), "it is of offset 3, the log ends at 2"),
        (StorePosition("state-1", 1, None, NOW_MS - SAVED_AGE_MS_MAX - 1), "ms old"),
    ],
)
def test_a_store_that_is_not_of_this_log_is_discarded_aloud(
    position: StorePosition, reason: str
) -> None:
    """Then all is read, as if there had been no store."""
    log = FakeStateLog(records=[StateRecord(b"a", b"1"), StateRecord(b"b", b"2")])
    store = MemoryStore()
    store.load([(b"stale", b"9")])
    store.save(position)
    with structlog.testing.capture_logs() as said:
        found = restored(log, store=store)
    assert [(line["event"], reason in line["reason"]) for line in said] == [
        ("store discarded", True)
    ]
    assert (found.begin_offset, store.view) == (0, {b"a": b"1", b"b": b"2"})


def test_what_a_store_without_a_position_holds_is_forgotten() -> None:
    """It was left while it was first filled: nobody knows with what."""
    store = MemoryStore()
    store.load([(b"stale", b"9")])
    restored(FakeStateLog(records=[StateRecord(b"a", b"1")]), store=store)
    assert store.view == {b"a": b"1"}


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
