"""A deterministic event loop: virtual time, seeded order, processes that freeze and die.

Time is a number that jumps to the next timer when nothing is ready. Of the callbacks that are
ready any may run next: a seeded generator chooses, so that one seed is one interleaving. There
are no sockets, threads or wall clock: what asks for them fails.

A simulated process is a `Process` in a context variable, so everything that code in it schedules
belongs to it, with no word of it in that code. Frozen (SIGSTOP), its callbacks wait; killed
(SIGKILL), they never run again, nor do its `finally` blocks.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from enum import Enum
from random import Random
from typing import Any, Final, Self, TypeVar, TypeVarTuple, Unpack

STEPS_MAX_DEFAULT: Final = 2_000_000

ResultT = TypeVar("ResultT")
ArgsT = TypeVarTuple("ArgsT")


class DeadlockError(RuntimeError):
    """Nothing is ready and no timer is set, yet the work is not done."""


class StepLimitError(RuntimeError):
    """More callbacks ran than a run may take."""


class ProcessState(Enum):
    """What the simulated operating system does with a process."""

    RUNNING = "running"
    FROZEN = "frozen"
    DEAD = "dead"


class Process:
    """A simulated process: the owner of the callbacks that were scheduled from inside it."""

    def __init__(self, name: str) -> None:
        """Name the process; `VirtualLoop.spawn` starts code in it."""
        self.name = name
        self.state = ProcessState.RUNNING
        self.parked: list[asyncio.Handle] = []
        """What became ready while it was frozen, in order."""

    @property
    def alive(self) -> bool:
        """Tell whether it was not killed; a frozen process is alive."""
        return self.state is not ProcessState.DEAD


_PROCESS: Final[ContextVar[Process | None]] = ContextVar("process", default=None)


def current_process() -> Process | None:
    """Return the simulated process that runs now; None in a broker or the harness."""
    return _PROCESS.get()


class _Handle(asyncio.Handle):
    """A handle that knows the process it belongs to."""

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        context = context if context is not None else copy_context()
        super().__init__(callback, args, loop, context)
        self.process: Process | None = context.get(_PROCESS)


class _Timer(asyncio.TimerHandle):
    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        context = context if context is not None else copy_context()
        super().__init__(when, callback, args, loop, context)
        self.process: Process | None = context.get(_PROCESS)


class VirtualLoop(asyncio.AbstractEventLoop):
    """An asyncio event loop in virtual time; a context manager that closes itself."""

    def __init__(self, rng: Random | None, *, steps_max: int = STEPS_MAX_DEFAULT) -> None:
        """Take the generator that orders ready callbacks; None keeps asyncio's own order.

        `steps_max` bounds the callbacks of the loop's life.
        """
        self._rng = rng
        self._steps_max = steps_max
        self._now_s = 0.0
        self._ready: list[_Handle | _Timer] = []
        self._timers: list[tuple[float, int, _Timer]] = []
        self._timer_number = 0
        self._running = False
        self._closed = False
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self.steps = 0
        """Callbacks run so far."""
        self.errors: list[dict[str, Any]] = []
        """What asyncio's exception handler was told, such as an error in a callback."""

    def __enter__(self) -> Self:
        """Return the loop."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the loop and drop what is unfinished."""
        self.close()

    def time(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self._now_s

    def get_debug(self) -> bool:
        """Return False: debug mode reads the wall clock."""
        return False

    def is_running(self) -> bool:
        """Tell whether `run` is under way."""
        return self._running

    def is_closed(self) -> bool:
        """Tell whether the loop was closed."""
        return self._closed

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, ResultT] | Generator[Any, None, ResultT],
        *,
        name: str | None = None,
        context: Context | None = None,
        **_: Any,
    ) -> asyncio.Task[ResultT]:
        """Schedule a coroutine as a task of the process that asks for it."""
        task: asyncio.Task[ResultT] = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks[task] = None
        task.add_done_callback(self._forget, context=Context())
        return task

    def spawn(
        self, process: Process, coro: Coroutine[Any, Any, ResultT], *, name: str
    ) -> asyncio.Task[ResultT]:
        """Start a coroutine inside a simulated process."""
        context = Context()
        context.run(_PROCESS.set, process)
        return self.create_task(coro, name=name, context=context)

    def call_soon(
        self,
        callback: Callable[[Unpack[ArgsT]], object],
        *args: *ArgsT,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Make a callback ready; among ready callbacks the order is the seed's."""
        handle = _Handle(callback, args, self, context)
        if not self._closed:
            self._ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[ArgsT]], object],
        *args: *ArgsT,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call back after `delay` virtual seconds."""
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[ArgsT]], object],
        *args: *ArgsT,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call back at a virtual time in seconds; a time already passed is now."""
        timer = _Timer(when, callback, args, self, context)
        if not self._closed:
            self._timer_number += 1
            heapq.heappush(self._timers, (when, self._timer_number, timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: a cancelled timer is dropped when its time comes."""

    def freeze(self, process: Process) -> None:
        """Stop a process as SIGSTOP does; what becomes ready for it waits."""
        if process.state is ProcessState.RUNNING:
            process.state = ProcessState.FROZEN

    def thaw(self, process: Process) -> None:
        """Let a frozen process go on, in the belief that no time has passed."""
        if process.state is ProcessState.FROZEN:
            process.state = ProcessState.RUNNING
            parked, process.parked = process.parked, []
            self._ready.extend(parked)  # type: ignore[arg-type] # only _Handle and _Timer are parked

    def kill(self, process: Process) -> None:
        """End a process as SIGKILL does: not one more line of it runs."""
        process.state = ProcessState.DEAD
        process.parked = []

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what asyncio reports; the harness judges it."""
        self.errors.append(context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what asyncio reports; the harness judges it."""
        self.errors.append(context)

    def run(self, main: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Run until `main` is done, and return its result.

        Raises:
            DeadlockError: Nothing could ever run again.
            StepLimitError: More than `steps_max` callbacks ran.
        """
        return self.run_until_complete(main)

    def run_until_complete(
        self, future: Generator[Any, None, ResultT] | Awaitable[ResultT]
    ) -> ResultT:
        """Run until the future is done; see `run`."""
        done = asyncio.ensure_future(future, loop=self)  # type: ignore[arg-type] # as asyncio's own
        self._running = True
        asyncio.events._set_running_loop(self)  # noqa: SLF001 - how a loop tells that it runs
        try:
            while not done.done():
                self._step()
        finally:
            asyncio.events._set_running_loop(None)  # noqa: SLF001 - the same
            self._running = False
        return done.result()

    def close(self) -> None:
        """Drop all that is scheduled; unfinished coroutines are closed without a word."""
        self._closed = True
        self._ready.clear()
        self._timers.clear()
        for task in list(self._tasks):
            task._log_destroy_pending = False  # type: ignore[attr-defined] # noqa: SLF001 - killed on purpose
            coro = task.get_coro()
            with suppress(BaseException):
                coro.close()
        self._tasks.clear()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)

    def _step(self) -> None:
        if not self._ready:
            self._jump()
        handle = self._taken()
        if handle.cancelled():
            return
        process = handle.process
        if process is not None and process.state is not ProcessState.RUNNING:
            if process.alive:
                process.parked.append(handle)
            return
        self.steps += 1
        if self.steps > self._steps_max:
            raise StepLimitError(f"more than {self._steps_max} callbacks at {self._now_s:.3f} s")
        handle._run()  # noqa: SLF001 - how a loop runs a handle

    def _taken(self) -> _Handle | _Timer:
        ready = self._ready
        if self._rng is None:
            return ready.pop(0)
        index = int(self._rng.random() * len(ready))
        handle, ready[index] = ready[index], ready[-1]
        ready.pop()
        return handle

    def _jump(self) -> None:
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        if not self._timers:
            waiting = sorted(task.get_name() for task in self._tasks if not task.done())
            raise DeadlockError(f"nothing will ever run again; waiting: {', '.join(waiting)}")
        self._now_s = max(self._now_s, self._timers[0][0])
        while self._timers and self._timers[0][0] <= self._now_s:
            self._ready.append(heapq.heappop(self._timers)[2])


def virtual_loop(rng: Random | None, *, steps_max: int = STEPS_MAX_DEFAULT) -> VirtualLoop:
    """Return a `VirtualLoop`; what it does not offer (sockets, threads, signals) raises."""
    return VirtualLoop(rng, steps_max=steps_max)  # type: ignore[abstract] # sockets and the like are left out on purpose
