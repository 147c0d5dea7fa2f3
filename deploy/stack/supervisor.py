"""Starts the parts in order, keeps them running, and ends every one of them with itself."""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from deploy.stack.children import dying_with
from deploy.stack.home import PRIVATE_UMASK
from deploy.stack.logs import last_line, limit_log, open_log
from deploy.stack.parts import READY, SETTLED, Part, PartState, PartStatus, in_levels
from deploy.stack.restarts import RestartHistory
from ingest.contracts.errors import ShelfstreamError, StackError

PROBE_PAUSE_S: Final = 0.1
LOG_CHECK_S: Final = 5.0

Observer = Callable[[PartState], None]


class Supervisor:
    """Runs a process table in one event loop; the caller writes down what it observes."""

    def __init__(
        self, parts: Sequence[Part], environment: Mapping[str, str], observer: Observer
    ) -> None:
        """Take the table, the environment that every part inherits, and who hears of changes."""
        self._levels = in_levels(parts)
        self._parts = list(parts)
        self._environment = environment
        self._observer = observer
        self.states = {
            part.name: PartState(name=part.name, port=part.port, log=str(part.log))
            for part in parts
        }
        self._ready = {part.name: asyncio.Event() for part in parts}
        self._processes: dict[str, Process] = {}
        self._changed = asyncio.Event()
        self._fatal = ""

    async def run(self, stop: asyncio.Event, on_ready: Callable[[], None]) -> str:
        """Run until `stop` is set; return why it ended by itself, or an empty text.

        A part that fails before the stack was ready, or whose `prepare` or `on_ready` raises,
        ends the stack: a stack that never worked should not look as if it did.
        """
        tasks = [asyncio.create_task(self._keep(part), name=part.name) for part in self._parts]
        tasks.append(asyncio.create_task(self._limit_logs(), name="the logs"))
        for task in tasks:
            task.add_done_callback(self._tell_failure)
        try:
            await self._watch(stop, on_ready)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._end_all()
        return self._fatal

    async def _watch(self, stop: asyncio.Event, on_ready: Callable[[], None]) -> None:
        was_ready = False
        stopping = asyncio.create_task(stop.wait())
        while not stop.is_set() and not self._fatal:
            if not was_ready and self._is_ready():
                was_ready = True
                on_ready()
            if not was_ready and (failed := self._failed_part()):
                self._fatal = f"{failed.name} does not start: {failed.note} (see {failed.log})"
                break
            self._changed.clear()
            change = asyncio.create_task(self._changed.wait())
            await asyncio.wait({stopping, change}, return_when=asyncio.FIRST_COMPLETED)
            change.cancel()
        stopping.cancel()

    def _is_ready(self) -> bool:
        return all(
            self.states[part.name].status in SETTLED for part in self._parts if not part.is_optional
        )

    def _failed_part(self) -> PartState | None:
        states = (self.states[part.name] for part in self._parts if not part.is_optional)
        return next((state for state in states if state.status == "failed"), None)

    async def _keep(self, part: Part) -> None:
        if part.left_out:
            self._note(part, "left out", part.left_out)
            return
        history = RestartHistory()
        while True:
            for need in part.needs:
                await self._ready[need].wait()
            try:
                code = await self._run_once(part)
            except ShelfstreamError as error:
                self._fail_for_good(part, str(error))
                return
            self._ready[part.name].clear()
            if part.is_task and self._end_task(part, code):
                return
            await self._back_off(part, history, code)

    async def _run_once(self, part: Part) -> int:
        self._note(part, "starting", "")
        if part.prepare is not None:
            await asyncio.to_thread(part.prepare)
        process = await self._spawn(part)
        ending = asyncio.create_task(process.wait())
        try:
            if part.is_task:
                return await ending
            if await self._becomes_ready(part, ending) and await self._is_set_up(part, ending):
                self._note(part, "running", "")
                self._ready[part.name].set()
            elif not ending.done():
                await self._end(part)
            return await ending
        finally:
            ending.cancel()

    async def _spawn(self, part: Part) -> Process:
        try:
            process = await self._start(part)
        except OSError as error:
            raise StackError(
                f"{part.name} can't be started: {error.filename}: {error.strerror}"
            ) from error
        self._processes[part.name] = process
        self.states[part.name].pid = process.pid
        self._note(part, "starting", "")
        return process

    async def _start(self, part: Part) -> Process:
        with open_log(part.log) as log:
            return await asyncio.create_subprocess_exec(
                *part.argv,
                # A pipe nobody writes to: a leash at the other end sees it close.
                stdin=PIPE if part.is_task else DEVNULL,
                stdout=log,
                stderr=STDOUT,
                env={**self._environment, **part.environment},
                start_new_session=True,
                umask=PRIVATE_UMASK,
                preexec_fn=None if part.is_task else dying_with(os.getpid()),
            )

    async def _becomes_ready(self, part: Part, ending: "asyncio.Task[int]") -> bool:
        if part.probe is None:
            return not ending.done()
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + part.ready_timeout_s
        while not ending.done() and loop.time() < deadline_s:
            if await part.probe():
                return True
            await asyncio.wait({ending}, timeout=PROBE_PAUSE_S)
        return False

    async def _is_set_up(self, part: Part, ending: "asyncio.Task[int]") -> bool:
        if part.on_ready is None:
            return True
        work = asyncio.ensure_future(part.on_ready())
        try:
            # A process that dies meanwhile is started again, not waited for until a deadline.
            await asyncio.wait({work, ending}, return_when=asyncio.FIRST_COMPLETED)
            return not ending.done() and await work
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    def _end_task(self, part: Part, code: int) -> bool:
        self.states[part.name].pid = None
        if code == 0:
            self._note(part, "done", "")
            self._ready[part.name].set()
        else:
            self._note(part, "failed", last_line(part.log))
        return True

    def _fail_for_good(self, part: Part, reason: str) -> None:
        self._note(part, "failed", reason)
        if not part.is_optional:
            self._fatal = reason
            self._changed.set()

    def _tell_failure(self, task: "asyncio.Task[None]") -> None:
        # Without this a part would just not be kept any more, and nobody would hear of it.
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fatal = f"the supervisor of {task.get_name()} failed: {error!r}"
            self._changed.set()

    async def _back_off(self, part: Part, history: RestartHistory, code: int) -> None:
        restart = history.ended(asyncio.get_running_loop().time())
        state = self.states[part.name]
        state.pid = None
        note = f"ended with code {code}: {last_line(part.log)}"
        self._note(part, "failed" if restart.is_failure else "backing off", note)
        await asyncio.sleep(restart.delay_s)
        state.restarts += 1

    async def _end_all(self) -> None:
        for level in reversed(self._levels):
            await asyncio.gather(*(self._end(part) for part in level))
        for part in self._parts:
            if self.states[part.name].status not in {"failed", "left out", "done"}:
                self._note(part, "stopped", "")

    async def _end(self, part: Part) -> None:
        process = self._processes.get(part.name)
        if process is None:
            return
        if process.returncode is None:
            _signal(process, signal.SIGTERM)
            try:
                async with asyncio.timeout(part.grace_s):
                    await process.wait()
            except TimeoutError:
                _signal(process, signal.SIGKILL)
                await process.wait()
        self.states[part.name].pid = None

    async def _limit_logs(self) -> None:
        while True:
            for part in self._parts:
                limit_log(part.log)
            await asyncio.sleep(LOG_CHECK_S)

    def _note(self, part: Part, status: PartStatus, note: str) -> None:
        state = self.states[part.name]
        state.status, state.note = status, note
        if status in READY | {"failed", "backing off", "left out"}:
            self._changed.set()
        self._observer(state)


def _signal(process: Process, number: signal.Signals) -> None:
    # The whole group: a part may have children of its own.
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
