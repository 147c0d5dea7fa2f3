"""The partitions of a worker: independent, bounded, given back clean."""

import asyncio

import pytest

from ingest.contracts.errors import FencedError, LogGapError, PartitionCountError
from streams.engine.host import PartitionHost
from streams.engine.ports import Applied, InputFacts, StateRecord
from streams.engine.records import applied_record
from streams.engine.settings import EngineSettings
from tests.unit.streams.engine_fakes import (
    TOPIC_ID,
    FakeFold,
    FakeInputLog,
    FakeStateLog,
    fake_spec,
    now_s,
    run_virtual,
)


class FakeLogs:
    """Opens fake logs and keeps them by partition, newest last."""

    def __init__(self) -> None:
        """Prepare logs that a test may change before they are opened."""
        self.state = {partition: FakeStateLog() for partition in range(4)}
        self.inputs = {partition: FakeInputLog() for partition in range(4)}
        self.closed = False

    def open(self, partition: int) -> tuple[FakeStateLog, FakeInputLog]:
        """Return a partition's logs."""
        return self.state[partition], self.inputs[partition]

    async def close(self) -> None:
        """Remember."""
        self.closed = True


class HostRig:
    """A host on fakes; it is its own source."""

    def __init__(self, **engine: int) -> None:
        """Take engine settings that differ from the defaults."""
        self.logs = FakeLogs()
        self.failures: list[BaseException] = []
        self.paused: list[str] = []
        self.host = PartitionHost(
            fake_spec(FakeFold),
            4,
            logs=self.logs,
            engine=EngineSettings.model_validate(engine),
            now_ms=lambda: 0,
            on_failed=self.failures.append,
            ticks=False,
        )
        self.host.source = self

    def pause(self, partition: int) -> None:
        """Remember."""
        self.paused.append(f"pause {partition}")

    def go_on(self, partition: int) -> None:
        """Remember."""
        self.paused.append(f"go on {partition}")

    def receive(self, partition: int, offset: int) -> None:
        """Hand a frame over."""
        self.host.receive(partition, offset, b"%d-%d" % (partition, offset))

    def committed(self, partition: int) -> list[int]:
        """Return the applied offset of each commit."""
        return [applied.input_offset for _, applied in self.logs.state[partition].commits]

    def applied(self) -> dict[int, int]:
        """Return the applied offsets."""
        return {p: runner.applied_offset for p, runner in self.host.runners.items()}


def test_assigning_fences_at_once_and_restores_behind() -> None:
    """The rebalance callback is short; `ready` waits for the restore."""

    async def scenario() -> tuple[float, float]:
        rig = HostRig()
        for log in rig.logs.state.values():
            log.read_s = 30.0
        await rig.host.assign({0, 1})
        assert [rig.logs.state[p].calls for p in (0, 1)] == [["fence", "facts"]] * 2
        fenced_at_s = now_s()
        await rig.host.ready()
        return fenced_at_s, now_s()

    assert run_virtual(scenario()) == (0.0, 30.0)


def test_restores_are_bounded() -> None:
    """Two at a time: four of 10 s take 20 s."""

    async def scenario() -> float:
        rig = HostRig(restore_parallel_max=2)
        for log in rig.logs.state.values():
            log.read_s = 10.0
        await rig.host.assign({0, 1, 2, 3})
        await rig.host.ready()
        return now_s()

    assert run_virtual(scenario()) == 20.0


def test_a_slow_partition_does_not_hold_up_another() -> None:
    """Its frames wait in its own queue, and only its reading is paused."""

    async def scenario() -> HostRig:
        rig = HostRig(pending_frames_max=1, waiting_frames_max=4)
        rig.logs.state[0].commit_s = 5.0
        await rig.host.assign({0, 1})
        await rig.host.ready()
        for offset in range(8):
            rig.receive(0, offset)
            rig.receive(1, offset)
            await asyncio.sleep(0.2)
        assert rig.applied() == {0: -1, 1: 7}
        assert rig.paused == ["pause 0"]
        assert rig.host.waiting_frames(0) == 6
        await asyncio.sleep(60)
        return rig

    rig = run_virtual(scenario())
    assert rig.paused == ["pause 0", "go on 0"]
    assert rig.applied() == {0: 7, 1: 7}
    assert rig.committed(0) == list(range(8))


def test_giving_a_partition_back_keeps_the_others() -> None:
    """What was folded is committed, what only waited is dropped."""

    async def scenario() -> HostRig:
        rig = HostRig()
        await rig.host.assign({0, 1})
        await rig.host.ready()
        rig.receive(0, 0)
        await asyncio.sleep(1)
        rig.receive(0, 1)  # nobody has come to fold it
        await rig.host.drain()
        await rig.host.assign({1, 2})
        await rig.host.ready()
        rig.receive(0, 2)
        rig.receive(1, 0)
        await asyncio.sleep(1)
        return rig

    rig = run_virtual(scenario())
    assert (rig.committed(0), rig.committed(1)) == ([0], [0])
    assert rig.applied() == {1: 0, 2: -1}
    assert rig.logs.state[0].calls[-1] == "close"
    assert rig.logs.state[1].calls.count("fence") == 1


def test_a_partition_given_back_while_it_is_restored_is_let_go() -> None:
    """The restore is cut off; nothing is committed and nothing fails."""

    async def scenario() -> HostRig:
        rig = HostRig()
        rig.logs.state[0].read_s = 1e6
        await rig.host.assign({0})
        await asyncio.sleep(1)
        await rig.host.drain()
        await rig.host.assign(set())
        return rig

    rig = run_virtual(scenario())
    assert (rig.failures, rig.host.runners) == ([], {})
    assert rig.logs.state[0].calls[-1] == "close"


def test_a_failed_take_over_is_told() -> None:
    """The worker ends with the error that names the fault."""

    async def scenario() -> HostRig:
        rig = HostRig()
        rig.logs.inputs[0].facts_now = InputFacts(TOPIC_ID, begin_offset=9, partition_count=4)
        await rig.host.assign({0})
        await rig.host.ready()
        await asyncio.sleep(0)
        return rig

    assert [type(error) for error in run_virtual(scenario()).failures] == [LogGapError]


def test_a_fold_that_raises_is_told() -> None:
    """From the partition's own task, where Faust would acknowledge the frame."""

    async def scenario() -> HostRig:
        rig = HostRig()
        await rig.host.assign({0})
        await rig.host.ready()
        rig.host.receive(0, 0, b"burst")
        await asyncio.sleep(1)
        return rig

    rig = run_virtual(scenario())
    assert [type(error) for error in rig.failures] == [ZeroDivisionError]
    assert rig.committed(0) == []


def test_shows_the_state_of_all_partitions() -> None:
    """As one mapping, to look at."""

    async def scenario() -> HostRig:
        rig = HostRig()
        for partition in (0, 1):
            rig.logs.state[partition].records = [
                StateRecord(b"key-%d" % partition, b"v"),
                applied_record(Applied(TOPIC_ID, 0)),
            ]
        await rig.host.assign({0, 1})
        await rig.host.ready()
        return rig

    state = run_virtual(scenario()).host.state
    assert dict(state) == {b"key-0": b"v", b"key-1": b"v"}
    assert len(state) == 2
    with pytest.raises(KeyError):
        state[b"key-2"]


def test_closing_gives_all_back() -> None:
    """What is folded is committed, then the logs are released."""

    async def scenario() -> HostRig:
        rig = HostRig()
        await rig.host.assign({0, 3})
        await rig.host.ready()
        rig.receive(3, 0)
        await asyncio.sleep(0.5)
        await rig.host.close()
        return rig

    rig = run_virtual(scenario())
    assert (rig.committed(3), rig.logs.closed, rig.host.runners) == ([0], True, {})


def test_frames_between_drain_and_assign_are_dropped() -> None:
    """Those before them were dropped at the drain: folding them would leave a hole behind."""

    async def scenario() -> HostRig:
        rig = HostRig()
        await rig.host.assign({0})
        await rig.host.ready()
        for offset in range(3):
            rig.receive(0, offset)
        await rig.host.drain()
        rig.receive(0, 3)
        assert rig.host.waiting_frames(0) == 0
        await rig.host.assign({0})
        rig.receive(0, 0)
        await asyncio.sleep(1)
        return rig

    rig = run_virtual(scenario())
    assert (rig.applied(), rig.committed(0)) == ({0: 0}, [0])


def test_a_partition_lost_and_regained_is_taken_over_anew() -> None:
    """Somebody else may have folded meanwhile: what counts is the log, not the memory."""

    async def scenario() -> HostRig:
        rig = HostRig()
        await rig.host.assign({0})
        await rig.host.ready()
        rig.receive(0, 0)
        await rig.host.drain()
        await rig.host.assign(set())
        rig.receive(0, 1)  # still in the queue of the source
        rig.logs.state[0].records = [applied_record(Applied(TOPIC_ID, 7))]
        await rig.host.assign({0})
        await rig.host.ready()
        for offset in (7, 8):
            rig.receive(0, offset)
        await asyncio.sleep(1)
        return rig

    rig = run_virtual(scenario())
    assert rig.logs.state[0].calls.count("fence") == 2
    assert rig.applied() == {0: 8}
    assert rig.committed(0) == [8]


def test_a_rebalance_during_a_restore_lets_it_go_on() -> None:
    """It is neither begun again nor waited for by the callback; frames follow it."""

    async def scenario() -> tuple[HostRig, float]:
        rig = HostRig()
        rig.logs.state[0].read_s = 30.0
        await rig.host.assign({0})
        await asyncio.sleep(10)
        await rig.host.drain()
        await rig.host.assign({0, 1})
        assert now_s() == 10.0
        await rig.host.ready()
        rig.receive(0, 0)
        await asyncio.sleep(1)
        return rig, now_s()

    rig, ended_at_s = run_virtual(scenario())
    assert ended_at_s == 31.0
    assert rig.logs.state[0].calls[:3] == ["fence", "facts", "read 0 1"]
    assert rig.applied() == {0: 0, 1: -1}


def test_reading_is_paused_at_the_limit_and_resumed_at_half() -> None:
    """Once each: at 4 of 4 waiting, and when 2 are left."""

    async def scenario() -> list[tuple[int, list[str]]]:
        rig = HostRig(waiting_frames_max=4, pending_frames_max=1)
        rig.logs.state[0].commit_s = 1.0
        await rig.host.assign({0})
        await rig.host.ready()
        seen = []
        for offset in range(4):
            rig.receive(0, offset)
            seen.append((rig.host.waiting_frames(0), list(rig.paused)))
        await asyncio.sleep(1.5)  # one is folded and committed, one waits in `offer`
        assert rig.paused == ["pause 0", "go on 0"]
        return seen

    assert run_virtual(scenario()) == [(1, []), (2, []), (3, []), (4, ["pause 0"])]


@pytest.mark.parametrize(("end_offset", "told"), [(0, [2, 1, 0]), (70, [69, 68, 67])])
def test_a_runner_is_told_how_many_frames_stand_behind_each(
    monkeypatch: pytest.MonkeyPatch, end_offset: int, told: list[int]
) -> None:
    """Those that were read, or all in the log as far as its end is known."""

    async def scenario() -> list[int]:
        rig = HostRig()
        await rig.host.assign({0})
        await rig.host.ready()
        heard: list[int] = []
        runner = rig.host.runners[0]
        offer = runner.offer

        async def hear(offset: int, value: bytes, *, frames_behind: int) -> None:
            heard.append(frames_behind)
            await offer(offset, value, frames_behind=frames_behind)

        monkeypatch.setattr(runner, "offer", hear)
        rig.host.tell_end(0, end_offset)
        for offset in range(3):
            rig.receive(0, offset)
        await asyncio.sleep(1)
        assert rig.applied() == {0: 2}
        return heard

    assert run_virtual(scenario()) == told


def test_frames_of_partitions_never_owned_are_dropped() -> None:
    """Nothing waits for them and nothing is committed."""

    async def scenario() -> HostRig:
        rig = HostRig()
        rig.receive(2, 0)
        rig.host.tell_end(2, 1)
        assert (rig.host.waiting_frames(2), rig.paused) == (0, [])
        await asyncio.sleep(1)
        return rig

    assert run_virtual(scenario()).committed(2) == []


def test_a_failed_fence_is_told_and_nothing_is_restored() -> None:
    """The others are, so that the one error is not hidden behind a hang."""

    async def scenario() -> HostRig:
        rig = HostRig()
        rig.logs.inputs[1].facts_now = InputFacts(TOPIC_ID, begin_offset=0, partition_count=5)
        await rig.host.assign({0, 1})
        await rig.host.ready()
        return rig

    rig = run_virtual(scenario())
    assert [type(error) for error in rig.failures] == [PartitionCountError]
    assert rig.logs.state[1].calls == ["fence"]
    assert rig.applied()[0] == -1


def test_a_fenced_partition_ends_the_worker_once() -> None:
    """The commit is told of, also when it fails while the partition is given back."""

    async def scenario() -> HostRig:
        rig = HostRig()
        await rig.host.assign({0})
        await rig.host.ready()
        rig.logs.state[0].fenced = True
        rig.receive(0, 0)
        await asyncio.sleep(0)
        await rig.host.drain()
        return rig

    rig = run_virtual(scenario())
    assert {type(error) for error in rig.failures} == {FencedError}
    assert rig.committed(0) == []
