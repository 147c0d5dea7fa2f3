"""The state file: what the supervisor says of itself and its parts, for status, down and tests."""

import os
import signal
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from deploy.stack.home import Home, is_locked, write_private
from deploy.stack.parts import PartState

Phase = Literal["starting", "ready", "failed", "stopping", "stopped"]


class PartReport(BaseModel):
    """One part, as written to the state file."""

    model_config = ConfigDict(extra="forbid")

    name: str
    status: str
    pid: int | None
    started_s: float | None = None
    """When the kernel says the process began (seconds since the epoch); tells pids apart."""
    restarts: int
    port: int | None
    log: str
    note: str


class StackState(BaseModel):
    """The whole stack, as written to the state file."""

    model_config = ConfigDict(extra="forbid")

    phase: Phase
    failure: str = ""
    supervisor_pid: int
    parts: list[PartReport]

    def part(self, name: str) -> PartReport | None:
        """Return one part's report, or None where it is not in this stack."""
        return next((part for part in self.parts if part.name == name), None)


def write_state(home: Home, phase: Phase, failure: str, parts: list[PartState]) -> StackState:
    """Write what runs now; return it."""
    state = StackState(
        phase=phase, failure=failure, supervisor_pid=os.getpid(), parts=[_report(p) for p in parts]
    )
    write_private(home.state_file, state.model_dump_json(indent=1))
    return state


def read_state(home: Home) -> StackState | None:
    """Return the newest state, or None; one whose supervisor is gone reads as `stopped`."""
    if not home.state_file.is_file():
        return None
    try:
        state = StackState.model_validate_json(home.state_file.read_text(encoding="utf-8"))
    except ValidationError:
        return None
    if is_locked(home):
        return state
    return state.model_copy(update={"phase": "failed" if state.failure else "stopped"})


def orphans(state: StackState | None) -> list[PartReport]:
    """Return the parts of an old state whose very processes still run."""
    return [part for part in state.parts if _runs(part)] if state else []


def kill_orphans(state: StackState | None) -> list[str]:
    """Kill what an old supervisor left behind; return the names.

    The kernel has done so already where it could; this is the second of two checks.
    """
    left = orphans(state)
    for part in left:
        if part.pid is not None:
            os.killpg(part.pid, signal.SIGKILL)
    return [part.name for part in left]


def started_s(pid: int) -> float | None:
    """Return when a process began, or None where there is none."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None


def _runs(part: PartReport) -> bool:
    if part.pid is None or part.started_s is None:
        return False
    try:
        process = psutil.Process(part.pid)
        same = process.create_time() == part.started_s
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _report(part: PartState) -> PartReport:
    return PartReport(
        name=part.name,
        status=part.status,
        pid=part.pid,
        started_s=started_s(part.pid) if part.pid is not None else None,
        restarts=part.restarts,
        port=part.port,
        log=part.log,
        note=part.note,
    )
