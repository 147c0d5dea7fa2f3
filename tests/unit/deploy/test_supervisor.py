"""The supervisor on small real processes: order, readiness, failure, end."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from deploy.stack.parts import Part, PartState
from deploy.stack.supervisor import Supervisor
from ingest.contracts.errors import StackError

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
DEADLINE_S = 30.0


class Watched:
    """A supervisor and what it said."""

    def __init__(self, parts: Sequence[Part]) -> None:
        """Take the table."""
        self.seen: list[tuple[str, str]] = []
        self.pids: set[int] = set()
        self.stop = asyncio.Event()
        self.was_ready = False
        self.supervisor = Supervisor(parts, {"PATH": "/usr/bin:/bin"}, self._observe)

    def _observe(self, state: PartState) -> None:
        self.seen.append((state.name, state.status))
        if state.pid is not None:
            self.pids.add(state.pid)

    def _on_ready(self) -> None:
        self.was_ready = True
        self.stop.set()

    async def run(self) -> str:
        """Run until ready or failed, within the deadline."""
        async with asyncio.timeout(DEADLINE_S):
            return await self.supervisor.run(self.stop, self._on_ready)


def run(*parts: Part) -> tuple[Watched, str]:
    """Run a table; return what was seen and why it ended."""

    async def both() -> tuple[Watched, str]:
        watched = Watched(parts)
        return watched, await watched.run()

    return asyncio.run(both())


def test_parts_start_in_order_and_end_with_the_supervisor(tmp_path: Path) -> None:
    """The second starts when the first is ready; nothing runs afterwards."""
    first = Part(name="first", argv=SLEEPER, log=tmp_path / "first.log")
    second = Part(name="second", argv=SLEEPER, log=tmp_path / "second.log", needs=["first"])
    watched, failure = run(second, first)
    assert not failure
    assert watched.was_ready
    assert watched.seen.index(("first", "running")) < watched.seen.index(("second", "starting"))
    assert watched.seen[-2:] == [("second", "stopped"), ("first", "stopped")]
    assert not any(psutil.pid_exists(pid) for pid in watched.pids)


def test_a_process_deaf_to_sigterm_is_killed(tmp_path: Path) -> None:
    """After its grace comes SIGKILL."""
    program = (
        "import signal, sys, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True)"
    )
    log = tmp_path / "deaf.log"

    async def is_deaf() -> bool:
        return log.is_file() and "deaf" in log.read_text()

    argv = [sys.executable, "-c", f"{program}; time.sleep(600)"]
    watched, failure = run(Part(name="deaf", argv=argv, log=log, probe=is_deaf, grace_s=0.2))
    assert not failure
    assert not any(psutil.pid_exists(pid) for pid in watched.pids)


def test_a_task_ends_and_lets_others_start(tmp_path: Path) -> None:
    """Who needs a task waits for its end, and its failure stops nobody else."""
    task = Part(name="task", argv=["true"], log=tmp_path / "task.log", is_task=True)
    after = Part(name="after", argv=SLEEPER, log=tmp_path / "after.log", needs=["task"])
    watched, failure = run(task, after)
    assert not failure
    assert ("task", "done") in watched.seen
    assert ("after", "running") in watched.seen


def test_the_stack_is_ready_without_an_optional_part(tmp_path: Path) -> None:
    """A failed build and whoever waits for it hold nobody up; its reason is kept."""
    argv = ["sh", "-c", "echo no compiler; exit 1"]
    build = Part(name="build", argv=argv, log=tmp_path / "b.log", is_task=True, is_optional=True)
    server = Part(
        name="server", argv=SLEEPER, log=tmp_path / "s.log", needs=["build"], is_optional=True
    )
    out = Part(name="out", argv=[], log=tmp_path / "o.log", left_out="there is none")

    made: list[Watched] = []

    async def build_failed() -> bool:
        return made[0].supervisor.states["build"].status == "failed"

    main = Part(name="main", argv=SLEEPER, log=tmp_path / "m.log", probe=build_failed)

    async def both() -> str:
        made.append(Watched([build, server, out, main]))
        return await made[0].run()

    assert not asyncio.run(both())
    watched = made[0]
    assert watched.was_ready
    assert watched.supervisor.states["build"].note == "no compiler"
    assert watched.supervisor.states["out"].note == "there is none"


@pytest.mark.slow
def test_a_part_that_never_works_ends_the_stack(tmp_path: Path) -> None:
    """Five restarts, then one sentence with the process's own last line and its log."""
    argv = ["sh", "-c", "echo out of luck; exit 3"]
    log = tmp_path / "broken.log"

    async def never() -> bool:
        return False

    watched, failure = run(Part(name="broken", argv=argv, log=log, probe=never))
    assert failure == f"broken does not start: ended with code 3: out of luck (see {log})"
    assert not watched.was_ready


def test_a_refusal_when_ready_ends_the_stack(tmp_path: Path) -> None:
    """What follows a part's readiness may refuse, for instance another installation."""

    async def refuse() -> bool:
        raise StackError("this is another installation")

    part = Part(name="part", argv=SLEEPER, log=tmp_path / "p.log", on_ready=refuse)
    watched, failure = run(part)
    assert failure == "this is another installation"
    assert not any(psutil.pid_exists(pid) for pid in watched.pids)


def test_a_missing_program_is_a_sentence(tmp_path: Path) -> None:
    """It ends the stack at once, where the part is needed; the rest runs where it is not."""
    absent = str(tmp_path / "no-such-broker")
    part = Part(name="broker", argv=[absent], log=tmp_path / "b.log")
    _, failure = run(part)
    assert failure == f"broker can't be started: {absent}: No such file or directory"
    optional = Part(name="extra", argv=[absent], log=tmp_path / "e.log", is_optional=True)
    watched, failure = run(optional, Part(name="main", argv=SLEEPER, log=tmp_path / "m.log"))
    assert not failure
    assert watched.was_ready
    assert ("extra", "failed") in watched.seen


def test_a_process_that_dies_while_it_is_set_up_is_started_again(tmp_path: Path) -> None:
    """The set-up of the dead one is given up: it would wait for an answer until its deadline."""
    given_up: list[bool] = []
    made: list[Watched] = []

    async def set_up() -> bool:
        if given_up:
            return True
        [pid] = made[0].pids
        psutil.Process(pid).kill()
        try:
            await asyncio.sleep(DEADLINE_S)
        finally:
            given_up.append(True)
        return True

    part = Part(name="part", argv=SLEEPER, log=tmp_path / "p.log", on_ready=set_up)

    async def both() -> str:
        made.append(Watched([part]))
        return await made[0].run()

    assert not asyncio.run(both())
    assert made[0].was_ready
    assert made[0].supervisor.states["part"].restarts == 1
    assert given_up == [True]


def test_what_is_not_well_after_all_is_started_again(tmp_path: Path) -> None:
    """A broker that stumbles during its set-up is no reason to end the whole stack."""
    answers = iter([False, True])

    async def set_up() -> bool:
        return next(answers)

    watched, failure = run(Part(name="p", argv=SLEEPER, log=tmp_path / "p.log", on_ready=set_up))
    assert not failure
    assert watched.was_ready
    assert len(watched.pids) == 2
    assert not any(psutil.pid_exists(pid) for pid in watched.pids)


def test_an_error_of_the_supervisor_is_never_silent(tmp_path: Path) -> None:
    """What nobody foresaw ends the stack with a sentence, instead of a start that never ends."""

    async def broken() -> bool:
        raise ZeroDivisionError("a slip")

    part = Part(name="part", argv=SLEEPER, log=tmp_path / "p.log", probe=broken)
    watched, failure = run(part)
    assert failure == "the supervisor of part failed: ZeroDivisionError('a slip')"
    assert not any(psutil.pid_exists(pid) for pid in watched.pids)


def test_files_of_a_process_are_its_owners_only(tmp_path: Path) -> None:
    """Logs and data are made so that others can't read them."""
    made = tmp_path / "data"

    async def is_made() -> bool:
        return made.is_file()

    argv = ["sh", "-c", f"echo hello; touch {made}; exec sleep 600"]
    log = tmp_path / "logs" / "p.log"
    run(Part(name="p", argv=argv, log=log, probe=is_made))
    assert [path.stat().st_mode & 0o777 for path in (log, made)] == [0o600, 0o600]
