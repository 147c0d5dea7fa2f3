"""Processes under measurement: heard, measured, ended."""

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from deploy.bench.peers.told import READY
from deploy.bench.processes import BenchProcess, cpu_s, running
from ingest.contracts.errors import BenchError

BUSY = """
import time
while time.process_time() < 0.3: pass
print('a'); print('ready x', flush=True)
time.sleep(60)
"""


def test_a_line_comes_with_the_cpu_used_until_then(tmp_path: Path) -> None:
    """Waiting skips other lines; the process has used at least what it burned, and is ended."""
    with running([sys.executable, "-c", BUSY], log=tmp_path / "busy.log") as process:
        line = process.await_line("ready", 30.0)
        usage = process.usage()
        pid = process.pid
    assert line.text == "ready x"
    assert 0.25 <= line.cpu_s <= usage.cpu_s
    assert usage.resident_bytes > 1_000_000
    assert not psutil.pid_exists(pid)


def test_an_early_end_is_told_with_its_reason(tmp_path: Path) -> None:
    """The error names the process, its code and the last line of its log."""
    program = "import sys; sys.exit('no such broker')"
    with running([sys.executable, "-c", program], log=tmp_path / "peer.log") as process:  # noqa: SIM117 - the raise is what is tested
        with pytest.raises(BenchError, match="peer ended with code 1: no such broker"):
            process.await_line("ready", 30.0)


def test_silence_is_an_error(tmp_path: Path) -> None:
    """A process that says nothing in time is not waited for; it is ended."""
    program = "import time; time.sleep(60)"
    process = BenchProcess([sys.executable, "-c", program], log=tmp_path / "silent.log")
    with pytest.raises(BenchError, match="silent said nothing"):
        process.await_line("ready", 0.01)
    assert process.end() == -signal.SIGTERM
    assert not psutil.pid_exists(process.pid)


def test_the_cpu_of_a_process_that_is_gone_is_an_error() -> None:
    """Never a figure of 0."""
    assert cpu_s(os.getpid()) > 0
    with pytest.raises(BenchError, match="has ended"):
        cpu_s(2**22 + 1)


HELD = """
import os
from deploy.bench.peers.told import await_go
await_go()
print("begun", os.environ.get("BENCH_PEER_TOPIC", "nothing"), flush=True)
import time; time.sleep(60)
"""


@pytest.mark.parametrize(
    ("told", "heard"), [({"BENCH_PEER_TOPIC": "bench-few-all"}, "bench-few-all"), ({}, "nothing")]
)
def test_a_held_process_begins_when_its_turn_comes(
    tmp_path: Path, told: dict[str, str], heard: str
) -> None:
    """It says that it is ready, then waits; what it is told is in its environment."""
    process = BenchProcess([sys.executable, "-c", HELD], log=tmp_path / "held.log", held=True)
    process.await_line(READY, 30.0)
    with pytest.raises(BenchError, match="said nothing"):
        process.next_line(0.3)
    process.go(told)
    assert process.next_line(30.0).text == f"begun {heard}"
    process.go(told)
    assert process.end() == -signal.SIGTERM


def test_a_held_process_that_never_began_is_ended(tmp_path: Path) -> None:
    """Also one that is gone already can be told to begin."""
    program = "import sys; sys.exit('no memory')"
    for text, ready in ((HELD, True), (program, False)):
        process = BenchProcess([sys.executable, "-c", text], log=tmp_path / "held.log", held=True)
        if ready:
            process.await_line(READY, 30.0)
        else:
            with pytest.raises(BenchError, match="no memory"):
                process.await_line(READY, 30.0)
            process.go({"A": "b"})
        process.end()
        assert not psutil.pid_exists(process.pid)
