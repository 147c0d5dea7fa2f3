"""The engine in virtual time: where the clock stands still between two timers, nothing spins."""

import asyncio
from collections.abc import Mapping
from random import Random

import pytest

from simulators.whole.loop import virtual_loop
from simulators.whole.memory import InMemoryInputLog, InMemoryStateLog, MemoryKafka
from streams.engine.fold import Changes, FoldSpec
from streams.engine.partition import PartitionRunner
from streams.engine.settings import EngineSettings


class Idle:
    """A fold that nothing changes."""

    def start(self, state: Mapping[bytes, bytes]) -> None:
        """Take no state."""

    def fold(self, value: bytes) -> None:
        """Change nothing."""

    def drain(self) -> Changes:
        """Return no changes."""
        return Changes()


SPEC = FoldSpec(
    name="idle",
    input_topic="in",
    state_topic="state",
    create=lambda _partition, _count: Idle(),
    tick_frame=lambda _at_ms: b"",
)


def _never(error: BaseException) -> None:
    pytest.fail(repr(error))


async def _offered_now_and_then(rng: Random) -> tuple[int, int]:
    kafka = MemoryKafka()
    kafka.create_topic("in", 1)
    kafka.create_topic("state", 1)
    runner = PartitionRunner(
        SPEC,
        0,
        1,
        state_log=InMemoryStateLog(kafka, transactional_id="t", topic="state", partition=0),
        input_log=InMemoryInputLog(kafka, topic="in", partition=0),
        engine=EngineSettings(applied_interval_ms=500, commit_interval_ms=1),
        now_ms=lambda: 0,
        on_failed=_never,
        ticks=False,
    )
    await runner.take_over()
    for offset in range(200):
        await asyncio.sleep(rng.random())
        await runner.offer(offset, b"")
    await runner.close()
    return runner.applied_offset, runner.counts.commits


def test_idle_frames_are_applied_by_time_alone() -> None:
    """Frames that change nothing are committed about each half second, with few steps."""
    with virtual_loop(Random(1), steps_max=10_000) as loop:
        applied_offset, commits = loop.run(_offered_now_and_then(Random(1)))
        lasted_s = loop.time()
    assert applied_offset == 199
    assert commits <= lasted_s / 0.5 + 1
