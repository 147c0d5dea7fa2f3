"""The supervisor as a process: killed, restarted, refused; it leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from deploy.stack.home import Home, is_locked
from deploy.stack.local import start_stack, stop_stack
from deploy.stack.plan import StackOptions, read_plan
from deploy.stack.state import StackState, read_state
from ingest.contracts.errors import InstallationError, StackError

pytestmark = pytest.mark.integration

DEADLINE_S = 60.0
MOSQUITTO_ONLY = StackOptions(apps=False, influx=False, only=("mosquitto",))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Return a home of its own, and end whatever a test left running there."""
    home = Home(tmp_path / "home")
    yield home
    stop_stack(home)


def start(home: Home, options: StackOptions = MOSQUITTO_ONLY) -> StackState:
    """Start a stack that ends with this process."""
    environ = dict(os.environ)  # noqa: TID251 - a main of tests
    return start_stack(home, options, environ, say=lambda _: None, ends_with_caller=True)


def eventually(is_so: Callable[[], bool]) -> None:
    """Wait until it is so, or fail at the deadline."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline_s, "it did not become so in time"
        time.sleep(0.05)


def pid_of(home: Home, name: str) -> int:
    """Return the pid that a part has now, 0 for none."""
    state = read_state(home)
    part = state.part(name) if state else None
    return (part.pid or 0) if part else 0


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended, a zombie counting as ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_killed_supervisor_takes_everything_with_it(home: Home) -> None:
    """A kill -9 leaves no process, and the next start uses the same ports and logins."""
    state = start(home)
    broker_pid, plan = pid_of(home, "mosquitto"), read_plan(home)
    os.kill(state.supervisor_pid, signal.SIGKILL)
    eventually(lambda: is_gone(broker_pid) and not is_locked(home))
    dead = read_state(home)
    assert dead is not None
    assert dead.phase == "stopped"
    assert start(home).phase == "ready"
    assert read_plan(home) == plan


def test_a_killed_part_is_started_again(home: Home) -> None:
    """The supervisor notices, counts the restart, and the part is ready once more."""
    start(home)
    first = pid_of(home, "mosquitto")
    os.kill(first, signal.SIGKILL)

    def is_back() -> bool:
        state = read_state(home)
        part = state.part("mosquitto") if state else None
        return part is not None and part.status == "running" and part.pid != first

    eventually(is_back)
    state = read_state(home)
    assert state is not None
    assert [part.restarts for part in state.parts] == [1]


def test_two_supervisors_never_share_a_home(home: Home) -> None:
    """The second is refused in a sentence and disturbs nothing."""
    start(home)
    pid = pid_of(home, "mosquitto")
    with pytest.raises(StackError, match="a stack already runs"):
        start(home)
    argv = [
        sys.executable,
        "-m",
        "deploy.stack.main",
        str(home.path),
        MOSQUITTO_ONLY.model_dump_json(),
    ]
    second = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "a stack already runs" in second.stderr
    assert pid_of(home, "mosquitto") == pid


def test_another_partition_count_is_refused(home: Home) -> None:
    """An installation keeps the count it was made with."""
    start(home)
    stop_stack(home)
    other = MOSQUITTO_ONLY.model_copy(update={"partition_count": 9})
    with pytest.raises(StackError, match="made with 4 partitions, not 9"):
        start(home, other)
    assert issubclass(InstallationError, Exception)


def test_a_part_that_never_works_is_a_sentence_not_a_wait(home: Home, tmp_path: Path) -> None:
    """A broker whose program fails ends the start, naming its log."""
    broken = tmp_path / "bin" / "mosquitto"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho no luck\nexit 3\n")
    broken.chmod(0o755)
    path = f"{broken.parent}{os.pathsep}{os.environ['PATH']}"  # noqa: TID251 - a main of tests
    environ = dict(os.environ) | {"PATH": path}  # noqa: TID251 - a main of tests
    with pytest.raises(StackError, match=r"mosquitto does not start: .*no luck.*mosquitto\.log"):
        start_stack(home, MOSQUITTO_ONLY, environ, say=lambda _: None, ends_with_caller=True)


def test_interrupting_the_foreground_command_ends_everything(home: Home) -> None:
    """Ctrl-C on `shelfstream up --no-apps` stops Kafka too; data and installation stay."""
    environ = {**os.environ, "SHELFSTREAM_HOME": str(home.path)}  # noqa: TID251 - a main of tests
    argv = [sys.executable, "-m", "deploy.cli", "up", "--no-apps"]
    foreground = subprocess.Popen(
        argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        eventually(lambda: (state := read_state(home)) is not None and state.phase == "ready")
        pids = [part["pid"] for part in json_status(environ)["parts"] if part["pid"]]
        foreground.send_signal(signal.SIGINT)
        output, _ = foreground.communicate(timeout=DEADLINE_S)
    finally:
        foreground.kill()
    assert foreground.returncode == 0, output
    assert pids
    assert all(is_gone(pid) for pid in pids)
    assert (home.data("kafka") / "meta.properties").is_file()


def json_status(environ: dict[str, str]) -> dict[str, list[dict[str, int]]]:
    """Return what `shelfstream status --json` prints."""
    argv = [sys.executable, "-m", "deploy.cli", "status", "--json"]
    answer = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
    found: dict[str, list[dict[str, int]]] = json.loads(answer.stdout)
    return found


def test_a_leash_kills_grandchildren(tmp_path: Path) -> None:
    """When the holder of the pipe goes, a command's own children go with it."""
    script = "sleep 600 & echo $! > pid; wait"
    holder = subprocess.Popen(
        [sys.executable, "-m", "deploy.stack.leash", "sh", "-c", f"cd {tmp_path}; {script}"],
        stdin=subprocess.PIPE,
    )
    pid_file = tmp_path / "pid"
    eventually(lambda: pid_file.is_file() and pid_file.read_text().strip().isdigit())
    grandchild = int(pid_file.read_text())
    assert not is_gone(grandchild)
    assert holder.stdin is not None
    holder.stdin.close()
    holder.wait(DEADLINE_S)
    eventually(lambda: is_gone(grandchild))
