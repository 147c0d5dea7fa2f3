"""Logs, a fold and a source of frames that remember what the engine asked of them, in order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ingest.contracts.errors import FencedError, FrameError
from simulators.whole.loop import virtual_loop
from streams.engine.fold import Changes, Fold, FoldSpec, Output
from streams.engine.partition import PartitionRunner
from streams.engine.ports import Applied, InputFacts, StateBatch, StateFacts, StateRecord
from streams.engine.settings import EngineSettings

TOPIC_ID = "topic-1"
PARTITION_COUNT = 4
ResultT = TypeVar("ResultT")


def run_virtual(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a scenario in virtual time."""
    with virtual_loop(None) as loop:
        return loop.run(work)


def now_s() -> float:
    """Return the loop's time in seconds."""
    return asyncio.get_running_loop().time()


@dataclass
class FakeStateLog:
    """A state log in memory whose commits take `commit_s` and may fail."""

    records: list[StateRecord] = field(default_factory=list)
    commit_s: float = 0.0
    read_s: float = 0.0
    fenced: bool = False
    """A newer owner has taken it: commits fail."""
    topic_id: str = "state-1"
    calls: list[str] = field(default_factory=list)
    commits: list[tuple[Changes, Applied]] = field(default_factory=list)
    began_at_s: list[float] = field(default_factory=list)

    async def fence(self) -> None:
        """Remember."""
        self.calls.append("fence")

    async def facts(self) -> StateFacts:
        """Return one offset more than there are records: a marker stands last."""
        self.calls.append("facts")
        return StateFacts(self.topic_id, len(self.records) + 1)

    async def read(
        self, begin_offset: int, end_offset: int | None = None
    ) -> AsyncIterator[StateBatch]:
        """Yield the records, two at a time; without an end, whatever comes every second."""
        self.calls.append(f"read {begin_offset} {end_offset}")
        await asyncio.sleep(self.read_s)
        while True:
            for begin in range(begin_offset, len(self.records), 2):
                begin_offset = min(begin + 2, len(self.records))
                yield StateBatch(self.records[begin : begin + 2], begin_offset)
            if end_offset is not None:
                return
            await asyncio.sleep(1)

    async def commit(self, changes: Changes, applied: Applied) -> int:
        """Keep what was committed, `commit_s` later."""
        self.began_at_s.append(now_s())
        self.calls.append("commit")
        await asyncio.sleep(self.commit_s)
        if self.fenced:
            raise FencedError("a newer owner")
        self.commits.append((changes, applied))
        return len(self.records)

    async def close(self) -> None:
        """Remember."""
        self.calls.append("close")


@dataclass
class FakeInputLog:
    """What a broker would say of the input, and the ticks appended."""

    facts_now: InputFacts = field(
        default_factory=lambda: InputFacts(TOPIC_ID, begin_offset=0, partition_count=4)
    )
    appended: list[bytes] = field(default_factory=list)

    async def facts(self) -> InputFacts:
        """Return the facts."""
        return self.facts_now

    async def append(self, value: bytes) -> None:
        """Keep the frame."""
        self.appended.append(value)


class FakeFold:
    """Each frame sets the key of its name and writes one output.

    `quiet` changes nothing, `bad` is no frame, `burst` raises half-way.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self.started_with: dict[bytes, bytes] | None = None
        self.folded: list[bytes] = []
        self._changes = Changes()

    def start(self, state: Mapping[bytes, bytes]) -> None:
        """Remember the restored state."""
        self.started_with = dict(state)

    def fold(self, value: bytes) -> None:
        """Fold one frame."""
        if value == b"bad":
            raise FrameError("no frame at all")
        self.folded.append(value)
        if value == b"quiet":
            return
        self._changes.state[value] = b"1"
        if value == b"burst":
            raise ZeroDivisionError
        if value.startswith(b"drop-"):
            self._changes.state[value.removeprefix(b"drop-")] = None
        self._changes.outputs.append(Output("out", 0, None, value))

    def drain(self) -> Changes:
        """Return what changed."""
        changes, self._changes = self._changes, Changes()
        return changes


class Rig:
    """A runner on fakes, and the offsets that were applied."""

    def __init__(
        self,
        *,
        state_log: FakeStateLog | None = None,
        input_log: FakeInputLog | None = None,
        ticks: bool = False,
        reads_state: bool = True,
        **engine: int,
    ) -> None:
        """Take the fakes; `engine` are settings that differ from the defaults."""
        self.fold = FakeFold()
        self.state_log = state_log if state_log is not None else FakeStateLog()
        self.input_log = input_log if input_log is not None else FakeInputLog()
        self.failures: list[BaseException] = []
        self.runner = PartitionRunner(
            fake_spec(lambda: self.fold, reads_state=reads_state),
            2,
            PARTITION_COUNT,
            state_log=self.state_log,
            input_log=self.input_log,
            engine=EngineSettings.model_validate(engine),
            now_ms=lambda: 1_000,
            on_failed=self.failures.append,
            ticks=ticks,
        )

    async def offer(
        self, offset: int, value: bytes | None = None, *, frames_behind: int = 0
    ) -> None:
        """Offer a frame; by default one that is named like its offset."""
        frame = value if value is not None else b"%d" % offset
        await self.runner.offer(offset, frame, frames_behind=frames_behind)

    @property
    def committed(self) -> list[int]:
        """The applied offset of each commit."""
        return [applied.input_offset for _, applied in self.state_log.commits]


def fake_spec(create: Callable[[], Fold], *, reads_state: bool = True) -> FoldSpec:
    """Return a spec whose folds are made by `create`."""
    return FoldSpec(
        name="fake",
        input_topic="in",
        state_topic="state",
        create=lambda _partition, _count: create(),
        tick_frame=lambda at_ms: b"tick-%d" % at_ms,
        reads_state=reads_state,
    )
