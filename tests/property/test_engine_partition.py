"""One partition under any schedule: each frame's effects once, in order, applied with them."""

import asyncio
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.streams.engine_fakes import FakeStateLog, Rig, run_virtual

Step = tuple[Literal["offer", "again", "quiet", "bad", "wait", "rebalance"], int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["offer", "offer", "again", "quiet", "bad", "wait", "rebalance"]),
        st.integers(0, 400),
    ),
    max_size=40,
)


class Schedule:
    """Plays a script against a runner as a source of frames would, and looks while it does."""

    def __init__(self, commit_ms: int, pending_frames_max: int, backlog_frames_min: int) -> None:
        """Take how long a commit takes, the limit of frames that wait for one, and what is much."""
        self.rig = Rig(
            state_log=FakeStateLog(commit_s=commit_ms / 1000),
            pending_frames_max=pending_frames_max,
            backlog_frames_min=backlog_frames_min,
        )
        self.log: list[bytes] = []
        """The input: a frame's offset is its place."""
        self.position = 0

    async def play(self, steps: list[Step]) -> None:
        """Run the script, then close."""
        await self.rig.runner.take_over()
        for step, number in steps:
            if step == "wait":
                await asyncio.sleep(number / 100)
            elif step == "rebalance":
                await self.rebalance()
            elif step == "again":
                await self.read_from(max(0, self.position - number % 4))
            else:
                names = {"offer": b"%d" % len(self.log), "quiet": b"quiet", "bad": b"bad"}
                self.log.append(names[step])
                await self.read_from(self.position)
            self.look()
        await self.rig.runner.close()
        self.look()

    async def rebalance(self) -> None:
        """Drain, offer what is refused then, and read on after the applied offset."""
        await self.rig.runner.drain()
        await self.rig.offer(len(self.log), b"refused")
        self.rig.runner.resume()
        self.position = self.rig.runner.applied_offset + 1

    async def read_from(self, position: int) -> None:
        """Offer all frames from a position on."""
        for offset in range(position, len(self.log)):
            behind = len(self.log) - 1 - offset
            await self.rig.offer(offset, self.log[offset], frames_behind=behind)
            assert self.rig.runner.pending_frames <= self.rig.runner._engine.pending_frames_max
        self.position = len(self.log)

    def look(self) -> None:
        """What is applied is what was committed last, and it only grows."""
        assert self.rig.runner.applied_offset == max(self.rig.committed, default=-1)
        assert self.rig.committed == sorted(set(self.rig.committed))


@given(
    STEPS,
    st.sampled_from([0, 30, 250, 1_200]),
    st.sampled_from([1, 2, 7]),
    st.sampled_from([1, 3, 64]),
)
def test_any_schedule_applies_each_frame_once_and_in_order(
    steps: list[Step], commit_ms: int, pending_frames_max: int, backlog_frames_min: int
) -> None:
    """Frames that come again, quiet and bad ones, drains and slow commits make no difference."""
    schedule = Schedule(commit_ms, pending_frames_max, backlog_frames_min)
    run_virtual(schedule.play(steps))
    rig, log = schedule.rig, schedule.log
    assert rig.failures == []
    assert rig.runner.applied_offset == len(log) - 1
    assert rig.fold.folded == [frame for frame in log if frame != b"bad"]
    outputs = [output for changes, _ in rig.state_log.commits for output in changes.outputs]
    told = [output.value for output in outputs if output.topic == "out"]
    assert told == [frame for frame in log if frame not in (b"bad", b"quiet")]
    letters = [output.key for output in outputs if output.topic != "out"]
    assert letters == [b"in-2-%d" % n for n, frame in enumerate(log) if frame == b"bad"]
