"""Processes under measurement: started, heard, and their CPU-seconds taken, each apart."""

import contextlib
import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import psutil

from deploy.stack.children import dying_with
from deploy.stack.logs import last_line, open_log
from ingest.contracts.errors import BenchError

END_TIMEOUT_S: Final = 10.0
LINES_WAITING_MAX: Final = 10_000


class Usage(NamedTuple):
    """What a process has used since it began."""

    wall_s: float
    cpu_s: float
    """User and system time of the process, its threads, and children it has waited for."""
    resident_bytes: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line that a process said on its stdout, and what it had used by then."""

    text: str
    at_s: float
    """By the monotonic clock."""
    cpu_s: float


def cpu_s(pid: int) -> float:
    """Return the CPU-seconds of any process (a broker's, say): user, system, waited-for children.

    Raises:
        BenchError: There is no such process any more.
    """
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess as error:
        raise BenchError(f"process {pid} has ended") from error
    return float(times.user + times.system + times.children_user + times.children_system)


class BenchProcess:
    """A running process; its stdout is read line by line, its stderr goes to its log."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        held: bool = False,
    ) -> None:
        """Start it; the kernel ends it with us. No environment: ours.

        The stdin of a `held` one stays open until `go`; all others' is at its end.
        """
        self.log = log
        self._name = log.stem
        self._begun_s = time.monotonic()
        with open_log(log) as out:
            self._popen = subprocess.Popen(  # noqa: S603 - the benchmark's own words
                argv,
                stdin=subprocess.PIPE if held else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=out,
                text=True,
                env=dict(environment) if environment is not None else None,
                preexec_fn=dying_with(os.getpid()),  # noqa: PLW1509 - allocates nothing
            )
        self._lines: queue.Queue[Line | None] = queue.Queue(LINES_WAITING_MAX)
        # Its own thread, so that time and CPU are those of when the line was said.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    def go(self, told: Mapping[str, str] | None = None) -> None:
        """Let a held process begin, and tell it this on its stdin; no other process hears it."""
        stdin = self._popen.stdin
        if stdin is None or stdin.closed:
            return
        with contextlib.suppress(BrokenPipeError):  # it has ended, which is told to who listens
            if told:
                stdin.write(json.dumps(dict(told)))
            stdin.close()

    def next_line(self, timeout_s: float) -> Line:
        """Return the next line of its stdout.

        Raises:
            BenchError: It ended, or said nothing for so long; the last line of its log says why.
        """
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty as error:
            raise BenchError(f"{self._name} said nothing for {timeout_s:.0f} s") from error
        if line is None:
            raise self._ended(self._popen.wait())
        return line

    def check_alive(self) -> None:
        """Do nothing while it runs.

        Raises:
            BenchError: It has ended; the last line of its log says why.
        """
        code = self._popen.poll()
        if code is not None:
            raise self._ended(code)

    def await_line(self, prefix: str, timeout_s: float) -> Line:
        """Return the next line that begins with `prefix`; others before it are dropped.

        Raises:
            BenchError: It ended or did not say so in time.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            line = self.next_line(max(0.0, deadline_s - time.monotonic()))
            if line.text.startswith(prefix):
                return line

    def lines_so_far(self) -> list[Line]:
        """Return the lines of its stdout that nobody has taken yet."""
        found: list[Line] = []
        with contextlib.suppress(queue.Empty):
            while (line := self._lines.get_nowait()) is not None:
                found.append(line)
        return found

    def usage(self) -> Usage:
        """Return what it has used so far.

        Raises:
            BenchError: It has ended.
        """
        used_s = cpu_s(self.pid)
        resident_bytes = int(psutil.Process(self.pid).memory_info().rss)
        return Usage(time.monotonic() - self._begun_s, used_s, resident_bytes)

    def kill(self) -> None:
        """Kill it, where its own way to end is of no interest; `end` it afterwards."""
        self._popen.kill()

    def end(self) -> int:
        """Send SIGTERM, kill it if it stays; return its code."""
        if self._popen.poll() is None:
            self._popen.terminate()
        try:
            code = self._popen.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            code = self._popen.wait()
        self.go()
        if self._popen.stdout is not None:
            self._drop_lines()
            self._reader.join(END_TIMEOUT_S)
            self._popen.stdout.close()
        return code

    def _ended(self, code: int) -> BenchError:
        reason = last_line(self.log) or "without a word"
        return BenchError(f"{self._name} ended with code {code}: {reason}")

    def _read(self) -> None:
        for text in self._popen.stdout or ():
            at_s = time.monotonic()
            with contextlib.suppress(BenchError, psutil.Error):
                self._lines.put(Line(text.rstrip("\n"), at_s, cpu_s(self.pid)))
        self._lines.put(None)

    def _drop_lines(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._lines.get_nowait()


@contextlib.contextmanager
def running(
    argv: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[BenchProcess]:
    """Run a process for the length of a `with` block."""
    process = BenchProcess(argv, log=log, environment=environment)
    try:
        yield process
    finally:
        process.end()
