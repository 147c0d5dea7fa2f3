"""The partitions that one worker runs: taken over, fed each at its own pace, and given back.

No Faust in here: the source of frames tells which partitions are owned, hands frames over without
waiting, and is told when a partition has too many waiting.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from streams.engine.fold import FoldSpec
from streams.engine.partition import PartitionRunner
from streams.engine.ports import InputLog, StateLog
from streams.engine.settings import EngineSettings
from streams.engine.standby import Follower
from streams.engine.store import StateStore, StoreOpener, memory_store

_log = structlog.get_logger(__name__)


class LogOpener(Protocol):
    """Makes the logs of a partition; the adapter keeps what they share."""

    def open(self, partition: int) -> tuple[StateLog, InputLog]:
        """Return the logs of a partition, not connected yet."""

    async def close(self) -> None:
        """Release what the logs share."""


class Source(Protocol):
    """Where frames come from."""

    def pause(self, partition: int) -> None:
        """Read no further frames of a partition for now."""

    def go_on(self, partition: int) -> None:
        """Read frames of a paused partition again."""


@dataclass(slots=True)
class _Owned:
    runner: PartitionRunner
    waiting: deque[tuple[int, bytes]] = field(default_factory=deque)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    end_offset: int = 0
    """The log's, as last told; what is between has not been read yet."""
    paused: bool = False
    restore: asyncio.Task[None] | None = None
    pump: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class _Followed:
    follower: Follower
    task: asyncio.Task[None]


class PartitionHost:
    """Runs the fold of each owned partition, independently of the others."""

    def __init__(
        self,
        spec: FoldSpec,
        partition_count: int,
        *,
        logs: LogOpener,
        engine: EngineSettings,
        now_ms: Callable[[], int],
        on_failed: Callable[[BaseException], None],
        ticks: bool,
        stores: StoreOpener = memory_store,
    ) -> None:
        """Take the fold and its logs; `on_failed` hears of the first error, then all must end."""
        self.spec = spec
        self.partition_count = partition_count
        self.source: Source | None = None
        self.state: Mapping[bytes, bytes] = LiveState(self)
        self._logs = logs
        self._engine = engine
        self._now_ms = now_ms
        self._on_failed = on_failed
        self._ticks = ticks
        self._stores = stores
        self._owned: dict[int, _Owned] = {}
        self._followed: dict[int, _Followed] = {}
        self._restoring = asyncio.Semaphore(engine.restore_parallel_max)

    @property
    def runners(self) -> dict[int, PartitionRunner]:
        """The owned partitions and their runners."""
        return {partition: owned.runner for partition, owned in sorted(self._owned.items())}

    def waiting_frames(self, partition: int) -> int:
        """Return how many frames of a partition are read and not yet folded."""
        owned = self._owned.get(partition)
        return len(owned.waiting) if owned is not None else 0

    @property
    def followed(self) -> list[int]:
        """The partitions that others own and this worker stands by for."""
        return sorted(self._followed)

    async def assign(self, partitions: set[int], followed: AbstractSet[int] = frozenset()) -> None:
        """Own exactly these: give back the others, fence the last owners of the new ones.

        Returns once the new ones are fenced; they are restored behind it, see `ready`. Behind
        that, the state of the `followed` ones is read, and kept at hand from then on.
        """
        for partition in sorted(set(self._owned) - partitions):
            await self._release(partition)
        stores = await self._unfollow(set(self._followed) - (followed - partitions))
        for owned in self._owned.values():
            owned.runner.resume()
        new = sorted(partitions - set(self._owned))
        for partition in new:
            self._owned[partition] = _Owned(
                self._new_runner(partition, stores.pop(partition, None))
            )
        for store in stores.values():
            store.close()
        fences = [self._spawn(self._owned[p].runner.fence(), f"fence-{p}") for p in new]
        if fences:
            await asyncio.wait(fences)
        for partition, fence in zip(new, fences, strict=True):
            if not fence.cancelled() and fence.exception() is None:
                owned = self._owned[partition]
                owned.restore = self._spawn(self._restore(owned), f"restore-{partition}")
                owned.pump = self._spawn(self._pump(owned), f"pump-{partition}")
        for partition in sorted(followed - partitions - set(self._followed)):
            self._follow(partition)
        _log.info(
            "partitions assigned",
            fold=self.spec.name,
            owned=sorted(self._owned),
            new=new,
            followed=self.followed,
        )

    async def ready(self) -> None:
        """Wait until every owned partition is restored."""
        restores = [owned.restore for owned in self._owned.values() if owned.restore is not None]
        if restores:
            await asyncio.wait(restores)

    def receive(self, partition: int, offset: int, value: bytes) -> None:
        """Take one frame without waiting.

        Frames of partitions not owned are dropped, and so are those that come between `drain` and
        `assign`: frames before them were dropped too, and all of them are read again.
        """
        owned = self._owned.get(partition)
        if owned is None or owned.runner.is_draining:
            return
        owned.waiting.append((offset, value))
        owned.arrived.set()
        if len(owned.waiting) >= self._engine.waiting_frames_max and not owned.paused:
            owned.paused = True
            if self.source is not None:
                self.source.pause(partition)

    def tell_end(self, partition: int, end_offset: int) -> None:
        """Take how far the log of a partition reaches, as far as its source knows."""
        owned = self._owned.get(partition)
        if owned is not None:
            owned.end_offset = end_offset

    async def drain(self) -> None:
        """Drop what is not folded, commit what is; the partitions may be taken away now.

        What was dropped is not applied, so it is read again by whoever owns it then.
        """
        for owned in self._owned.values():
            owned.waiting.clear()
            owned.paused = False
        drains = [
            self._spawn(owned.runner.drain(), f"drain-{p}") for p, owned in self._owned.items()
        ]
        if drains:
            await asyncio.wait(drains)

    async def close(self) -> None:
        """Commit what is folded and give all partitions back."""
        await self.drain()
        for partition in sorted(self._owned):
            await self._release(partition)
        for store in (await self._unfollow(set(self._followed))).values():
            store.close()
        await self._logs.close()

    def _follow(self, partition: int) -> None:
        origin = f"{self.spec.input_topic}/{partition}"
        state_log, _ = self._logs.open(partition)
        follower = Follower(origin, state_log, self._stores(partition), self._now_ms)

        async def follow() -> None:
            await self.ready()  # what is owned comes first
            await follower.follow()

        self._followed[partition] = _Followed(
            follower, self._spawn(follow(), f"follow-{partition}")
        )

    async def _unfollow(self, partitions: AbstractSet[int]) -> dict[int, StateStore]:
        """Stop following; return the stores, still open."""
        stores = {}
        for partition in sorted(partitions):
            followed = self._followed.pop(partition)
            followed.task.cancel()
            await asyncio.wait([followed.task])
            await followed.follower.close()
            stores[partition] = followed.follower.store
        return stores

    def _new_runner(self, partition: int, store: StateStore | None) -> PartitionRunner:
        state_log, input_log = self._logs.open(partition)
        return PartitionRunner(
            self.spec,
            partition,
            self.partition_count,
            state_log=state_log,
            input_log=input_log,
            store=store if store is not None else self._stores(partition),
            engine=self._engine,
            now_ms=self._now_ms,
            on_failed=self._on_failed,
            ticks=self._ticks,
        )

    async def _restore(self, owned: _Owned) -> None:
        async with self._restoring:
            await owned.runner.restore()
        _log.info(
            "partition restored",
            fold=self.spec.name,
            partition=owned.runner.partition,
            records=owned.runner.counts.restored_records,
            from_offset=owned.runner.counts.restored_from_offset,
            applied_offset=owned.runner.applied_offset,
        )

    async def _pump(self, owned: _Owned) -> None:
        if owned.restore is not None:
            await asyncio.wait([owned.restore])
        while True:
            if not owned.waiting:
                owned.arrived.clear()
                await owned.arrived.wait()
                continue
            offset, value = owned.waiting.popleft()
            if owned.paused and len(owned.waiting) <= self._engine.waiting_frames_max // 2:
                owned.paused = False
                if self.source is not None:
                    self.source.go_on(owned.runner.partition)
            behind = max(len(owned.waiting), owned.end_offset - offset - 1)
            await owned.runner.offer(offset, value, frames_behind=behind)

    async def _release(self, partition: int) -> None:
        owned = self._owned.pop(partition)
        for task in (owned.pump, owned.restore):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        close = self._spawn(owned.runner.close(), f"close-{partition}")
        await asyncio.wait([close])

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"{self.spec.name}-{name}")
        task.add_done_callback(self._task_ended)
        return task

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            error = task.exception()
            if error is not None:
                self._on_failed(error)


class LiveState(Mapping[bytes, bytes]):
    """The state of all owned partitions, as it is folded; to look at, not to change."""

    def __init__(self, host: PartitionHost) -> None:
        """Take the host whose partitions these are."""
        self._host = host

    def __getitem__(self, key: bytes) -> bytes:
        """Return the value of a key.

        Raises:
            KeyError: No owned partition has it.
        """
        for runner in self._host.runners.values():
            if key in runner.state:
                return runner.state[key]
        raise KeyError(key)

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over all keys, partition by partition."""
        for runner in self._host.runners.values():
            yield from runner.state

    def __len__(self) -> int:
        """Return how many keys there are."""
        return sum(len(runner.state) for runner in self._host.runners.values())
