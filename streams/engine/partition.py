"""One partition of one fold: take over, fold, commit in fenced transactions, leave.

No Faust and no Kafka in here: only the ports and asyncio, so that it runs on any event loop, also
on one whose time is virtual. Intervals are measured by the loop's own clock.

While a transaction commits, the next frames are folded. A frame is applied by the transaction that
holds what it caused, and by the offset in it; nobody else is told. After any error the runner is
dead: memory may be ahead of the log, so the process must end and begin again from what is
committed.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from ingest.contracts.errors import FrameError
from streams.engine.fold import Changes, Fold, FoldSpec, Output
from streams.engine.ports import Applied, InputLog, StateLog
from streams.engine.records import bad_frame_letter
from streams.engine.restore import Fenced, check_topic, fence, restore
from streams.engine.settings import EngineSettings
from streams.engine.store import MemoryStore, StateStore, StorePosition


@dataclass(slots=True)
class PartitionCounts:
    """What a partition's runner has done since it took over."""

    frames_folded: int = 0
    frames_skipped: int = 0
    """Delivered again after they had been applied."""
    frames_refused: int = 0
    """Written to the dead letters."""
    commits: int = 0
    restored_records: int = 0
    restored_from_offset: int = 0
    """Where reading the state began; above 0 when a store had most of it already."""


class PartitionRunner:
    """Runs one partition's fold over the ports; `offer` has one caller at a time."""

    def __init__(
        self,
        spec: FoldSpec,
        partition: int,
        partition_count: int,
        *,
        state_log: StateLog,
        input_log: InputLog,
        store: StateStore | None = None,
        engine: EngineSettings,
        now_ms: Callable[[], int],
        on_failed: Callable[[BaseException], None],
        ticks: bool,
    ) -> None:
        """Take the partition's ports; `ticks` asks for ticks in wall time.

        The store, by default an empty one in memory, is the runner's from now on.

        `now_ms` is UTC milliseconds; `on_failed` hears of the error of a background commit or
        tick, once: the process must then end.
        """
        self.partition = partition
        self.counts = PartitionCounts()
        self.end_offset = -1
        """Uncommitted end of the state partition when it was taken over; -1 before."""
        self._spec = spec
        self._origin = f"{spec.input_topic}/{partition}"
        self._partition_count = partition_count
        self._state_log = state_log
        self._input_log = input_log
        self._engine = engine
        self._now_ms = now_ms
        self._on_failed = on_failed
        self._ticks = ticks
        self._fold: Fold = spec.create(partition, partition_count)
        self._store = store if store is not None else MemoryStore()
        self._fenced: Fenced | None = None
        self._topic_id = ""
        self._folded_offset = -1
        self._committed_offset = -1
        self._pending_frames = 0
        self._frames_behind = 0
        self._letters: list[Output] = []
        self._failure: BaseException | None = None
        self._mid_fold = False
        self._draining = False
        self._closing = False
        self._began_at_s = float("-inf")
        self._waiting_since_s: float | None = None
        self._work = asyncio.Event()
        self._room = asyncio.Event()
        self._grown = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def applied_offset(self) -> int:
        """Offset of the last input frame whose effects are committed; -1 before the first."""
        return self._committed_offset

    @property
    def state(self) -> Mapping[bytes, bytes]:
        """The state as of the last drain of the fold."""
        return self._store.view

    @property
    def pending_frames(self) -> int:
        """How many frames are folded and not yet committed."""
        return self._pending_frames

    @property
    def is_draining(self) -> bool:
        """Whether frames are refused, because the partition may be taken away."""
        return self._draining

    @property
    def failure(self) -> BaseException | None:
        """The error that ended this runner, if one did."""
        return self._failure

    async def take_over(self) -> None:
        """Fence the last owner, restore its state, start the fold; then frames may be offered.

        Raises:
            InstallationError: The input log is not the one that the state was folded from.
            TimeoutError: It took longer than `takeover_timeout_ms`.
        """
        await self.fence()
        await self.restore()

    async def fence(self) -> None:
        """Do the first and short part of a take-over: afterwards the last owner can't write.

        Raises:
            PartitionCountError: The input topic has another number of partitions.
            TimeoutError: It took longer than `takeover_timeout_ms`.
        """
        async with asyncio.timeout(self._engine.takeover_timeout_ms / 1000):
            self._fenced = await fence(
                self._spec, self._partition_count, self._state_log, self._input_log
            )
        self.end_offset = self._fenced.state.end_offset

    async def restore(self) -> None:
        """Do the rest of a take-over: read the state as it was fenced and start the fold.

        Raises:
            InstallationError: The input log is not the one that the state was folded from.
            TimeoutError: It took longer than `takeover_timeout_ms`.
        """
        if self._fenced is None:
            raise RuntimeError("a partition is fenced before it is restored")
        async with asyncio.timeout(self._engine.takeover_timeout_ms / 1000):
            restored = await restore(
                self._origin, self._fenced, self._state_log, self._store, self._now_ms()
            )
        self._topic_id = restored.applied.input_topic_id
        self._folded_offset = self._committed_offset = restored.applied.input_offset
        self.counts.restored_records = restored.records_read
        self.counts.restored_from_offset = restored.begin_offset
        self._fold.start(self._store.view)
        if not self._spec.reads_state:
            self._store.release()
        self._spawn(self._commit_when_due(), "commit")
        if self._ticks:
            self._spawn(self._tick(), "tick")

    def check_topic(self, topic_id_now: str) -> None:
        """Refuse to go on when the input topic was made again under its name.

        Its offsets begin anew, so its frames would be taken for ones that were applied before.

        Raises:
            TopicIdentityError: It was.
        """
        if self._topic_id:
            check_topic(self._origin, self._topic_id, topic_id_now)

    async def offer(self, offset: int, value: bytes, *, frames_behind: int = 0) -> None:
        """Fold one frame; wait while `pending_frames_max` frames are uncommitted.

        A frame that was folded before is not folded again. `frames_behind` says how many stand
        behind it: where they are many, transactions are larger and fewer.

        Raises:
            BaseException: What the fold raised, or what ended a commit; the process must end.
        """
        self._raise_failure()
        if offset <= self._folded_offset:
            self.counts.frames_skipped += 1
            return
        while self._pending_frames >= self._engine.pending_frames_max and not self._draining:
            self._room.clear()
            self._work.set()
            await self._room.wait()
            self._raise_failure()
        if self._draining:
            return
        self._fold_one(offset, value)
        self._frames_behind = frames_behind
        self._pending_frames += 1
        self._folded_offset = offset
        if self._waiting_since_s is None:
            self._waiting_since_s = asyncio.get_running_loop().time()
        self._work.set()
        if not self._may_grow():
            self._grown.set()
        await asyncio.sleep(0)  # the commit under way gets its turn between two frames

    async def drain(self) -> None:
        """Refuse frames from now on and commit what is folded, within `drain_timeout_ms`.

        The partition is about to be taken away. A refused frame must be offered again, after
        `resume` or to the next owner.

        Raises:
            BaseException: What ended the last commit.
        """
        self._draining = True
        self._work.set()
        self._room.set()
        self._grown.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._engine.drain_timeout_ms / 1000):
                while self._pending_frames and self._failure is None:
                    self._room.clear()
                    await self._room.wait()
        self._raise_failure()

    def resume(self) -> None:
        """Take frames again, from the one after the last that was applied."""
        self._draining = False

    async def close(self) -> None:
        """Commit what is folded, within `drain_timeout_ms`, and release the logs.

        Raises:
            BaseException: What ended the last commit.
        """
        self._closing = True
        self._work.set()
        self._grown.set()
        commits, others = self._tasks[:1], self._tasks[1:]
        await _end(others)
        if commits:
            await asyncio.wait(commits, timeout=self._engine.drain_timeout_ms / 1000)
        await self.abandon()
        self._raise_failure()

    async def abandon(self) -> None:
        """Stop without a commit and release the logs; what was not committed was never done."""
        await _end(self._tasks)
        self._tasks = []
        self._store.close()
        await self._state_log.close()

    def _fold_one(self, offset: int, value: bytes) -> None:
        self._mid_fold = True  # stays true when the fold raises: then nothing may be committed
        try:
            self._fold.fold(value)
        except FrameError as error:
            self.counts.frames_refused += 1
            self._letters.append(
                bad_frame_letter(
                    topic=self._spec.input_topic,
                    partition=self.partition,
                    offset=offset,
                    value=value,
                    detail=str(error),
                    now_ms=self._now_ms(),
                )
            )
        self._mid_fold = False
        self.counts.frames_folded += 1

    async def _commit_when_due(self) -> None:
        loop = asyncio.get_running_loop()
        while self._pending_frames or not self._closing:
            await self._wait_for_work()
            self._work.clear()
            await self._sleep_until_due()
            if self._mid_fold:
                return
            if not self._pending_frames:
                continue
            changes = self._drain()
            if changes.state or changes.outputs or self._applied_due():
                self._began_at_s = loop.time()
                await self._commit(changes)

    async def _wait_for_work(self) -> None:
        try:
            async with asyncio.timeout_at(self._applied_due_at_s()):
                await self._work.wait()
        except TimeoutError:
            return

    async def _sleep_until_due(self) -> None:
        due_at_s = self._began_at_s + self._engine.commit_interval_ms / 1000
        await asyncio.sleep(due_at_s - asyncio.get_running_loop().time())
        if self._may_grow():
            self._grown.clear()
            last_at_s = self._began_at_s + self._engine.commit_interval_ms_max / 1000
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(last_at_s):
                    await self._grown.wait()

    def _may_grow(self) -> bool:
        """Whether a transaction that is due may take in more: it is behind, and has room."""
        behind = self._frames_behind >= self._engine.backlog_frames_min
        # The other half is for the frames that are folded while it commits.
        roomy = self._pending_frames < self._engine.pending_frames_max // 2
        return behind and roomy and not (self._draining or self._closing)

    def _applied_due(self) -> bool:
        full = self._pending_frames >= self._engine.pending_frames_max
        due_at_s = self._applied_due_at_s()
        if full or self._draining or self._closing or due_at_s is None:
            return True
        return asyncio.get_running_loop().time() >= due_at_s

    def _applied_due_at_s(self) -> float | None:
        # One sum for both the timer and the check: a rounding between them would make it spin.
        if self._waiting_since_s is None:
            return None
        return self._waiting_since_s + self._engine.applied_interval_ms / 1000

    def _drain(self) -> Changes:
        changes = self._fold.drain()
        self._store.change(changes.state)
        if self._letters:
            changes.outputs.extend(self._letters)
            self._letters = []
        return changes

    async def _commit(self, changes: Changes) -> None:
        self._waiting_since_s = None
        committing = self._pending_frames
        applied = Applied(input_topic_id=self._topic_id, input_offset=self._folded_offset)
        async with asyncio.timeout(self._engine.commit_timeout_ms / 1000):
            next_offset = await self._state_log.commit(changes, applied)
        self._save(next_offset, applied)
        self._committed_offset = applied.input_offset
        self.counts.commits += 1
        self._pending_frames -= committing
        self._room.set()

    def _save(self, next_offset: int, applied: Applied) -> None:
        if self._fenced is not None:
            topic_id = self._fenced.state.topic_id
            self._store.save(StorePosition(topic_id, next_offset, applied, self._now_ms()))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._engine.tick_interval_ms / 1000)
            await self._input_log.append(self._spec.tick_frame(self._now_ms()))

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=f"{self._spec.name}-{self.partition}-{name}")
        task.add_done_callback(self._task_ended)
        self._tasks.append(task)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and self._failure is None:
            self._failure = error
            self._room.set()
            self._on_failed(error)

    def _raise_failure(self) -> None:
        if self._mid_fold:
            raise RuntimeError("a fold that raised can't go on: its memory is half changed")
        if self._failure is not None:
            raise self._failure


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
