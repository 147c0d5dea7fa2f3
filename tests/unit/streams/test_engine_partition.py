"""One partition: taken over in order, committed as promised, dead after any error."""

import asyncio
import base64
import json
from itertools import pairwise

import pytest

from ingest.contracts.errors import (
    FencedError,
    InstallationError,
    LogGapError,
    PartitionCountError,
    TopicIdentityError,
)
from ingest.contracts.topics import DEAD_LETTERS
from streams.engine.ports import APPLIED_KEY, Applied, InputFacts, StateRecord
from streams.engine.records import applied_record, decode_applied
from tests.unit.streams.engine_fakes import (
    TOPIC_ID,
    FakeInputLog,
    FakeStateLog,
    Rig,
    now_s,
    run_virtual,
)


def restored_log(input_offset: int, *records: StateRecord) -> FakeStateLog:
    """Return a state log that was folded up to an offset."""
    return FakeStateLog(records=[*records, applied_record(Applied(TOPIC_ID, input_offset))])


def facts(topic_id: str = TOPIC_ID, begin_offset: int = 0, partition_count: int = 4) -> InputFacts:
    """Return facts of an input topic."""
    return InputFacts(topic_id, begin_offset, partition_count)


def test_takes_over_in_order_and_restores_what_is_alive() -> None:
    """Fence, end, records below it; tombstones and the engine's records are no state."""
    log = restored_log(
        5,
        StateRecord(b"a", b"1"),
        StateRecord(b"b", b"1"),
        StateRecord(b"\x00other", b"x"),
        StateRecord(b"a", b"2"),
        StateRecord(b"b", None),
    )

    async def scenario() -> Rig:
        rig = Rig(state_log=log)
        await rig.runner.take_over()
        return rig

    rig = run_virtual(scenario())
    assert log.calls == ["fence", "facts", "read 0 7"]
    assert rig.fold.started_with == {b"a": b"2"}
    assert (rig.runner.applied_offset, rig.runner.end_offset) == (5, 7)
    assert rig.runner.counts.restored_records == 6


@pytest.mark.parametrize(
    ("found", "error"),
    [
        (facts(partition_count=8), PartitionCountError),
        (facts(topic_id="made-again"), TopicIdentityError),
        (facts(begin_offset=7), LogGapError),
    ],
)
def test_refuses_an_input_log_that_does_not_continue_the_state(
    found: InputFacts, error: type[Exception]
) -> None:
    """Another partition count, another topic or a gap each stop it by name."""

    async def scenario() -> None:
        await Rig(state_log=restored_log(5), input_log=FakeInputLog(found)).runner.take_over()

    with pytest.raises(error):
        run_virtual(scenario())


def test_accepts_a_log_that_begins_right_after_the_applied_offset() -> None:
    """Everything before the next frame may be gone."""

    async def scenario() -> int:
        rig = Rig(state_log=restored_log(5), input_log=FakeInputLog(facts(begin_offset=6)))
        await rig.runner.take_over()
        return rig.runner.applied_offset

    assert run_virtual(scenario()) == 5


def test_an_empty_state_needs_the_log_from_its_beginning() -> None:
    """A new state on a log whose beginning is gone would be a silent gap."""

    async def scenario() -> None:
        await Rig(input_log=FakeInputLog(facts(begin_offset=1))).runner.take_over()

    with pytest.raises(LogGapError):
        run_virtual(scenario())


def test_a_restore_before_fencing_is_refused() -> None:
    """The order is a promise."""

    async def scenario() -> None:
        await Rig().runner.restore()

    with pytest.raises(RuntimeError):
        run_virtual(scenario())


def test_skips_what_was_applied() -> None:
    """Frames at or below the applied offset are not folded again."""

    async def scenario() -> Rig:
        rig = Rig(state_log=restored_log(5))
        await rig.runner.take_over()
        await rig.offer(4)
        await rig.offer(5)
        await rig.offer(8)  # 6 and 7 are markers
        await asyncio.sleep(1)
        return rig

    rig = run_virtual(scenario())
    assert rig.fold.folded == [b"8"]
    assert rig.runner.counts.frames_skipped == 2
    assert rig.runner.applied_offset == 8
    assert rig.committed == [8]


def test_a_frame_delivered_again_before_its_commit_is_folded_once() -> None:
    """The folded offset is ahead of the applied one for as long as a transaction takes."""

    async def scenario() -> tuple[int, Rig]:
        rig = Rig(state_log=FakeStateLog(commit_s=1.0))
        await rig.runner.take_over()
        await rig.offer(0)
        await rig.offer(0)
        early = rig.runner.applied_offset
        await asyncio.sleep(3)
        return early, rig

    early, rig = run_virtual(scenario())
    assert (early, rig.fold.folded, rig.committed) == (-1, [b"0"], [0])
    assert rig.runner.counts.frames_skipped == 1


def test_an_idle_partition_commits_at_once_and_a_busy_one_every_interval() -> None:
    """The first frame does not wait; the next transaction begins 100 ms after the last began."""

    async def scenario() -> Rig:
        rig = Rig(state_log=FakeStateLog(commit_s=0.02))
        await rig.runner.take_over()
        await asyncio.sleep(10)
        for offset in range(25):
            await rig.offer(offset)
            await asyncio.sleep(0.01)
        await asyncio.sleep(5)
        return rig

    rig = run_virtual(scenario())
    assert rig.state_log.began_at_s == pytest.approx([10.0, 10.1, 10.2, 10.3])
    assert rig.runner.applied_offset == 24
    assert rig.runner.counts.commits == 4


async def offer_for_a_second(rig: Rig, *, frames_behind: int) -> None:
    """Offer a frame every 10 ms, with so many said to stand behind each, for 1.15 s."""
    await rig.runner.take_over()
    for offset in range(115):
        await rig.offer(offset, frames_behind=frames_behind)
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("frames_behind", "interval_s"), [(0, 0.1), (63, 0.1), (64, 0.5), (10_000, 0.5)]
)
def test_a_partition_that_is_behind_has_larger_transactions(
    frames_behind: int, interval_s: float
) -> None:
    """From 64 waiting frames on one begins 500 ms after the last, and not later."""

    async def scenario() -> Rig:
        rig = Rig(state_log=FakeStateLog(commit_s=0.02))
        await offer_for_a_second(rig, frames_behind=frames_behind)
        return rig

    rig = run_virtual(scenario())
    begun = rig.state_log.began_at_s
    assert begun == pytest.approx([number * interval_s for number in range(len(begun))])
    assert len(begun) == (12 if interval_s == 0.1 else 3)


def test_a_partition_that_has_caught_up_is_not_kept_waiting() -> None:
    """What it folded last is committed at once, for the interval is over."""

    async def scenario() -> Rig:
        rig = Rig(state_log=FakeStateLog(commit_s=0.02))
        await rig.runner.take_over()
        await rig.offer(0)
        await asyncio.sleep(0.03)
        await rig.offer(1, frames_behind=64)
        await asyncio.sleep(0.1)
        await rig.offer(2, frames_behind=0)
        await asyncio.sleep(1)
        return rig

    rig = run_virtual(scenario())
    assert rig.committed == [0, 2]
    assert rig.state_log.began_at_s == pytest.approx([0.0, 0.13])


def test_a_large_transaction_leaves_room_for_what_is_folded_while_it_commits() -> None:
    """It begins once half of the pending limit is folded, so no frame waits for it."""

    async def scenario() -> Rig:
        rig = Rig(state_log=FakeStateLog(commit_s=0.02), pending_frames_max=40)
        await offer_for_a_second(rig, frames_behind=64)
        return rig

    rig = run_virtual(scenario())
    assert [end - begin for begin, end in pairwise(rig.committed[:4])] == [20, 20, 20]


def test_a_partition_that_is_behind_is_given_back_at_once() -> None:
    """A drain waits for no larger transaction."""

    async def scenario() -> tuple[float, Rig]:
        rig = Rig()
        await rig.runner.take_over()
        await rig.offer(0)
        await asyncio.sleep(0.01)
        await rig.offer(1, frames_behind=64)
        await rig.runner.drain()
        return now_s(), rig

    ended_at_s, rig = run_virtual(scenario())
    assert ended_at_s == pytest.approx(0.1)
    assert rig.runner.applied_offset == 1


def test_folds_while_a_transaction_commits() -> None:
    """Frames that come meanwhile are in the next transaction, the last one without a successor."""

    async def scenario() -> Rig:
        rig = Rig(state_log=FakeStateLog(commit_s=1.0))
        await rig.runner.take_over()
        await rig.offer(0)
        await asyncio.sleep(0.5)
        await rig.offer(1)
        await rig.offer(2)
        assert rig.fold.folded == [b"0", b"1", b"2"]
        assert rig.runner.applied_offset == -1
        await asyncio.sleep(5)
        return rig

    rig = run_virtual(scenario())
    assert rig.committed == [0, 2]
    assert [[o.value for o in changes.outputs] for changes, _ in rig.state_log.commits] == [
        [b"0"],
        [b"1", b"2"],
    ]
    assert rig.runner.applied_offset == 2


def test_waits_at_the_pending_limit() -> None:
    """At the limit the next frame waits for a commit; below it none does."""

    async def scenario() -> list[float]:
        rig = Rig(state_log=FakeStateLog(commit_s=1.0), pending_frames_max=3)
        await rig.runner.take_over()
        offered_at_s: list[float] = []
        for offset in range(4):
            await rig.offer(offset)
            offered_at_s.append(now_s())
            assert rig.runner.pending_frames <= 3
        return offered_at_s

    assert run_virtual(scenario()) == [0.0, 0.0, 0.0, 1.0]


def test_frames_that_change_nothing_are_applied_within_five_seconds() -> None:
    """An applied-only transaction: no state, no outputs."""

    async def scenario() -> Rig:
        rig = Rig()
        await rig.runner.take_over()
        await rig.offer(0, b"quiet")
        await rig.offer(1, b"quiet")
        await asyncio.sleep(4.9)
        assert rig.runner.applied_offset == -1
        await asyncio.sleep(0.2)
        return rig

    rig = run_virtual(scenario())
    assert rig.state_log.began_at_s == [5.0]
    changes, applied = rig.state_log.commits[0]
    assert (changes.state, changes.outputs, applied.input_offset) == ({}, [], 1)
    assert rig.runner.applied_offset == 1


def test_the_pending_limit_does_not_wait_for_a_change() -> None:
    """Quiet frames up to the limit are committed as applied at once."""

    async def scenario() -> float:
        rig = Rig(pending_frames_max=2)
        await rig.runner.take_over()
        for offset in range(5):
            await rig.offer(offset, b"quiet")
        return now_s()

    assert run_virtual(scenario()) < 1.0


def test_a_frame_that_cannot_be_read_becomes_a_dead_letter_in_the_transaction() -> None:
    """With its bytes and where it was; the offset goes on."""

    async def scenario() -> Rig:
        rig = Rig()
        await rig.runner.take_over()
        await rig.offer(0, b"bad")
        await rig.offer(1)
        await asyncio.sleep(1)
        return rig

    rig = run_virtual(scenario())
    letters = [
        output
        for changes, _ in rig.state_log.commits
        for output in changes.outputs
        if output.topic == DEAD_LETTERS.name
    ]
    assert rig.runner.counts.frames_refused == 1
    assert rig.runner.applied_offset == 1
    body = json.loads(letters[0].value)
    assert len(letters) == 1
    assert (body["reason"], body["origin"]) == ("bad_frame", "in/2/0")
    assert base64.b64decode(body["payload_base64"]) == b"bad"


def test_state_follows_each_drain() -> None:
    """Changed keys are set, deleted ones are gone."""

    async def scenario() -> dict[bytes, bytes]:
        rig = Rig(state_log=restored_log(-1, StateRecord(b"a", b"1"), StateRecord(b"b", b"1")))
        await rig.runner.take_over()
        await rig.offer(0, b"drop-a")
        await asyncio.sleep(1)
        return dict(rig.runner.state)

    assert run_virtual(scenario()) == {b"b": b"1", b"drop-a": b"1"}


def test_a_fold_that_reads_no_state_has_no_second_copy_in_memory() -> None:
    """It is started with what was restored, its changes are committed, and nothing is held."""

    async def scenario() -> Rig:
        records = [StateRecord(b"a", b"1")]
        rig = Rig(state_log=restored_log(-1, *records), reads_state=False)
        await rig.runner.take_over()
        await rig.offer(0)
        await asyncio.sleep(1)
        return rig

    rig = run_virtual(scenario())
    assert rig.fold.started_with == {b"a": b"1"}
    assert [changes.state for changes, _ in rig.state_log.commits] == [{b"0": b"1"}]
    assert dict(rig.runner.state) == {}


def test_a_fenced_commit_ends_the_runner() -> None:
    """It is told once, nothing is applied, and no frame is taken any more."""

    async def scenario() -> Rig:
        rig = Rig(state_log=FakeStateLog(fenced=True))
        await rig.runner.take_over()
        await rig.offer(0)
        await asyncio.sleep(1)
        with pytest.raises(FencedError):
            await rig.offer(1)
        with pytest.raises(FencedError):
            await rig.runner.close()
        return rig

    rig = run_virtual(scenario())
    assert [type(error) for error in rig.failures] == [FencedError]
    assert rig.runner.applied_offset == -1


def test_who_waits_at_the_limit_hears_of_the_failure() -> None:
    """A waiting frame does not wait for ever."""

    async def scenario() -> None:
        rig = Rig(state_log=FakeStateLog(fenced=True, commit_s=1.0), pending_frames_max=1)
        await rig.runner.take_over()
        await rig.offer(0)
        await rig.offer(1)

    with pytest.raises(FencedError):
        run_virtual(scenario())


def test_a_commit_without_an_answer_ends_the_runner() -> None:
    """The deadline is `commit_timeout_ms`."""

    async def scenario() -> list[BaseException]:
        rig = Rig(state_log=FakeStateLog(commit_s=1e6), commit_timeout_ms=1_000)
        await rig.runner.take_over()
        await rig.offer(0)
        await asyncio.sleep(2)
        return rig.failures

    assert [type(error) for error in run_virtual(scenario())] == [TimeoutError]


def test_half_a_fold_is_never_committed() -> None:
    """A fold that raised has changed half; neither the timer nor closing writes it."""

    async def scenario() -> Rig:
        rig = Rig()
        await rig.runner.take_over()
        await rig.offer(0)
        await asyncio.sleep(1)
        with pytest.raises(ZeroDivisionError):
            await rig.offer(1, b"burst")
        await asyncio.sleep(10)
        with pytest.raises(RuntimeError):
            await rig.offer(2)
        with pytest.raises(RuntimeError):
            await rig.runner.close()
        return rig

    assert run_virtual(scenario()).committed == [0]


def test_closing_commits_what_is_folded_and_releases_the_log() -> None:
    """Also frames that changed nothing, without the five seconds."""

    async def scenario() -> Rig:
        rig = Rig()
        await rig.runner.take_over()
        await rig.offer(0, b"quiet")
        await rig.runner.close()
        return rig

    rig = run_virtual(scenario())
    assert rig.committed == [0]
    assert rig.runner.applied_offset == 0
    assert rig.state_log.calls[-1] == "close"


def test_closing_gives_up_at_the_drain_limit() -> None:
    """What is not committed by then was never done."""

    async def scenario() -> tuple[float, Rig]:
        rig = Rig(state_log=FakeStateLog(commit_s=1e6), drain_timeout_ms=500)
        await rig.runner.take_over()
        await rig.offer(0)
        await rig.runner.close()
        return now_s(), rig

    ended_at_s, rig = run_virtual(scenario())
    assert ended_at_s == pytest.approx(0.5)
    assert (rig.committed, rig.runner.applied_offset) == ([], -1)


def test_abandoning_commits_nothing() -> None:
    """The partition is lost already."""

    async def scenario() -> Rig:
        rig = Rig()
        await rig.runner.take_over()
        await rig.offer(0, b"quiet")
        await rig.runner.abandon()
        await asyncio.sleep(10)
        return rig

    assert run_virtual(scenario()).committed == []


def test_draining_refuses_frames_until_resumed() -> None:
    """A refused frame is neither folded nor applied: it comes again."""

    async def scenario() -> Rig:
        rig = Rig()
        await rig.runner.take_over()
        await rig.offer(0, b"quiet")
        await rig.runner.drain()
        assert rig.committed == [0]
        await rig.offer(1)
        assert rig.fold.folded == [b"quiet"]
        rig.runner.resume()
        await rig.offer(1)
        await asyncio.sleep(1)
        return rig

    rig = run_virtual(scenario())
    assert rig.committed == [0, 1]
    assert rig.runner.applied_offset == 1


def test_draining_drops_the_frame_that_waits_at_the_limit() -> None:
    """It would be folded after the partition has gone."""

    async def scenario() -> Rig:
        rig = Rig(state_log=FakeStateLog(commit_s=1.0), pending_frames_max=1)
        await rig.runner.take_over()
        await rig.offer(0)
        waiting = asyncio.create_task(rig.offer(1))
        await asyncio.sleep(0.1)
        await rig.runner.drain()
        await waiting
        return rig

    rig = run_virtual(scenario())
    assert rig.fold.folded == [b"0"]
    assert rig.committed == [0]


def test_the_owner_appends_ticks_in_wall_time_only() -> None:
    """About one a second; none where time is driven."""

    async def scenario(*, ticks: bool) -> list[bytes]:
        rig = Rig(ticks=ticks)
        await rig.runner.take_over()
        await asyncio.sleep(3.5)
        await rig.runner.close()
        await asyncio.sleep(3)
        return rig.input_log.appended

    assert run_virtual(scenario(ticks=True)) == [b"tick-1000"] * 3
    assert run_virtual(scenario(ticks=False)) == []


def test_the_applied_record_is_read_as_it_was_written() -> None:
    """And bytes that are none are refused by name."""
    record = applied_record(Applied("t", 2**40))
    assert record.key == APPLIED_KEY
    assert decode_applied(record.value or b"") == Applied("t", 2**40)
    with pytest.raises(InstallationError):
        decode_applied(b"\xc1")


def test_a_tick_that_cannot_be_appended_ends_the_runner() -> None:
    """Without time the fold stands still; a worker that lives on would hide it."""

    class Away(FakeInputLog):
        async def append(self, value: bytes) -> None:
            raise ConnectionError(f"{len(value)} bytes not taken")

    async def scenario() -> Rig:
        rig = Rig(input_log=Away(), ticks=True)
        await rig.runner.take_over()
        await asyncio.sleep(0.9)
        assert rig.failures == []
        await asyncio.sleep(0.2)
        with pytest.raises(ConnectionError):
            await rig.offer(0)
        return rig

    rig = run_virtual(scenario())
    assert [str(error) for error in rig.failures] == ["9 bytes not taken"]
    assert rig.committed == []


def test_a_drain_that_takes_too_long_lets_the_partition_go() -> None:
    """The rebalance does not wait for a broker; what is not committed was never done."""

    async def scenario() -> tuple[float, Rig]:
        rig = Rig(state_log=FakeStateLog(commit_s=10.0), drain_timeout_ms=500)
        await rig.runner.take_over()
        await rig.offer(0)
        await rig.runner.drain()
        return now_s(), rig

    drained_at_s, rig = run_virtual(scenario())
    assert drained_at_s == 0.5
    assert (rig.runner.applied_offset, rig.runner.pending_frames) == (-1, 1)


def test_a_drain_hears_of_the_commit_that_failed() -> None:
    """It does not wait for its time-out."""

    async def scenario() -> float:
        rig = Rig(state_log=FakeStateLog(fenced=True, commit_s=0.2))
        await rig.runner.take_over()
        await rig.offer(0)
        with pytest.raises(FencedError):
            await rig.runner.drain()
        return now_s()

    assert run_virtual(scenario()) == pytest.approx(0.2)


def test_letters_follow_the_outputs_of_their_transaction_in_order() -> None:
    """Each names its own offset; what the fold said comes first."""

    async def scenario() -> Rig:
        rig = Rig()
        await rig.runner.take_over()
        for offset, value in enumerate([b"bad", b"a", b"bad", b"b"]):
            await rig.offer(offset, value)
        await asyncio.sleep(1)
        return rig

    rig = run_virtual(scenario())
    outputs = [output for changes, _ in rig.state_log.commits for output in changes.outputs]
    assert [o.key for o in outputs if o.topic == DEAD_LETTERS.name] == [b"in-2-0", b"in-2-2"]
    assert [o.value for o in outputs if o.topic == "out"] == [b"a", b"b"]
    assert (rig.runner.counts.frames_folded, rig.runner.counts.frames_refused) == (4, 2)


def test_a_take_over_without_an_answer_ends() -> None:
    """Each half has the whole limit; a broker that hangs does not hang the worker for ever."""

    async def scenario() -> None:
        rig = Rig(state_log=FakeStateLog(read_s=1e6), takeover_timeout_ms=2_000)
        await rig.runner.fence()
        try:
            await rig.runner.restore()
        finally:
            assert now_s() == 2.0
            assert rig.fold.started_with is None

    with pytest.raises(TimeoutError):
        run_virtual(scenario())


def test_one_failure_is_told_once() -> None:
    """Ticks and commits that fail after the first add nothing."""

    async def scenario() -> Rig:
        rig = Rig(state_log=FakeStateLog(fenced=True), ticks=True)
        await rig.runner.take_over()
        await rig.offer(0)
        await asyncio.sleep(5)
        return rig

    rig = run_virtual(scenario())
    assert len(rig.failures) == 1
    assert rig.runner.failure is rig.failures[0]
