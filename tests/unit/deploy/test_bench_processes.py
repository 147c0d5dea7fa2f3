"""Processes under measurement: heard, measured, ended."""

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

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
