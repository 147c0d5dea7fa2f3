"""A local stack from outside: start one in the background, wait for it, end it.

`shelfstream up --detach`, the demo and the tests use these. Example:

    with running_stack(home, StackOptions(apps=False), environ, say=print) as state:
        ...
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from deploy.stack.children import ending_with, import_path
from deploy.stack.home import Home, is_locked
from deploy.stack.logs import last_line, open_log
from deploy.stack.parts import SETTLED
from deploy.stack.plan import StackOptions
from deploy.stack.run import install_parts
from deploy.stack.state import StackState, kill_orphans, read_state
from ingest.contracts.errors import StackError

SUPERVISOR: Final = "supervisor"
START_TIMEOUT_S: Final = 120.0
STOP_TIMEOUT_S: Final = 60.0
POLL_S: Final = 0.1


def start_stack(
    home: Home,
    options: StackOptions,
    environ: Mapping[str, str],
    *,
    say: Callable[[str], None],
    ends_with_caller: bool = False,
    timeout_s: float = START_TIMEOUT_S,
) -> StackState:
    """Start a stack in the background and wait until it is ready.

    With `ends_with_caller` the kernel asks the supervisor to end when this process does.

    Raises:
        StackError: A part is missing, or the stack did not become ready in time.
    """
    if is_locked(home):
        raise StackError(f"a stack already runs in {home.path}: `shelfstream down` ends it")
    install_parts(say)
    home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "deploy.stack.main", str(home.path), options.model_dump_json()]
    with open_log(home.log(SUPERVISOR)) as log:
        supervisor = subprocess.Popen(  # noqa: S603 - our own words
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**environ, "PYTHONPATH": import_path(environ)},
            start_new_session=True,
            preexec_fn=ending_with(os.getpid()) if ends_with_caller else None,  # noqa: PLW1509 - allocates nothing
        )
    return _await_ready(home, supervisor, say, timeout_s)


def stop_stack(home: Home, timeout_s: float = STOP_TIMEOUT_S) -> bool:
    """End the stack of a home and wait for it; return False where none ran.

    Raises:
        StackError: It had to be killed.
    """
    state = read_state(home)
    if not is_locked(home):
        kill_orphans(state)
        return False
    if state is None:
        raise StackError(f"{home.state_file} is missing while a stack runs: end it by its terminal")
    os.kill(state.supervisor_pid, signal.SIGTERM)
    if _poll(lambda: not is_locked(home), timeout_s):
        return True
    os.kill(state.supervisor_pid, signal.SIGKILL)
    _poll(lambda: not is_locked(home), timeout_s)
    kill_orphans(read_state(home))
    raise StackError(f"the stack did not end within {timeout_s:.0f} s and was killed")


@contextmanager
def running_stack(
    home: Home,
    options: StackOptions,
    environ: Mapping[str, str],
    *,
    say: Callable[[str], None],
) -> Iterator[StackState]:
    """Run a stack for the length of a `with` block; it ends with this process in any case."""
    state = start_stack(home, options, environ, say=say, ends_with_caller=True)
    try:
        yield state
    finally:
        stop_stack(home)


def await_part(home: Home, name: str, timeout_s: float) -> bool:
    """Wait until a part runs or is done; False where it is absent, left out, failed or late."""

    def settled() -> bool:
        state = read_state(home)
        part = state.part(name) if state else None
        return part is None or part.status in SETTLED | {"failed"}

    _poll(settled, timeout_s)
    state = read_state(home)
    part = state.part(name) if state else None
    return part is not None and part.status in {"running", "done"}


def _await_ready(
    home: Home,
    supervisor: "subprocess.Popen[bytes]",
    say: Callable[[str], None],
    timeout_s: float,
) -> StackState:
    said: dict[str, str] = {}

    def settled() -> bool:
        state = _state_of(home, supervisor)
        for part in state.parts if state else ():
            if said.get(part.name) != part.status:
                said[part.name] = part.status
                say(f"{part.name}: {part.status}")
        ready = state is not None and state.phase == "ready"
        return ready or supervisor.poll() is not None

    in_time = _poll(settled, timeout_s)
    state = _state_of(home, supervisor)
    if state is not None and state.phase == "ready" and supervisor.poll() is None:
        return state
    if not in_time:
        supervisor.terminate()
        supervisor.wait(STOP_TIMEOUT_S)
        raise StackError(f"the stack was not ready within {timeout_s:.0f} s: see {home.path}/logs")
    raise StackError(last_line(home.log(SUPERVISOR)) or "the supervisor ended without a word")


def _state_of(home: Home, supervisor: "subprocess.Popen[bytes]") -> StackState | None:
    state = read_state(home)
    return state if state and state.supervisor_pid == supervisor.pid else None


def _poll(is_so: Callable[[], bool], timeout_s: float) -> bool:
    deadline_s = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(POLL_S)
    return True
