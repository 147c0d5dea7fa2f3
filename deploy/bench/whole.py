"""A whole pipeline under measurement: the stack of `shelfstream up`, in a folder that goes away."""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from deploy.bench.processes import cpu_s
from deploy.stack.home import Home
from deploy.stack.local import running_stack
from deploy.stack.plan import StackOptions
from deploy.stack.run import environment_of
from deploy.stack.state import read_state
from ingest.contracts.errors import BenchError
from ingest.contracts.settings import (
    ENV_PREFIX,
    HOME_VARIABLE,
    InfluxSettings,
    KafkaSettings,
    load,
    read_env_file,
)

_POLL_S: Final = 0.05


class Whole:
    """A running stack: where its parts are, and what they have used."""

    def __init__(self, home: Home, environ: Mapping[str, str]) -> None:
        """Take the home of a stack that is ready."""
        self.home = home
        self.environ = environment_of(home, environ)
        self.kafka = load(KafkaSettings, self.environ)
        self.influx = load(InfluxSettings, self.environ)

    @property
    def devices_environ(self) -> dict[str, str]:
        """The environment of a process that speaks MQTT as the devices do."""
        return {**self.environ, **read_env_file(self.home.devices_env_file)}

    def pids(self) -> dict[str, int]:
        """Return the process id of each part that runs."""
        state = read_state(self.home)
        parts = state.parts if state is not None else []
        return {part.name: part.pid for part in parts if part.pid is not None}

    def restarts(self) -> int:
        """Return how often any part had to be started again; above 0, figures mean nothing."""
        state = read_state(self.home)
        return sum(part.restarts for part in state.parts) if state is not None else 0

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU-seconds of each part so far."""
        return {name: cpu_s(pid) for name, pid in self.pids().items()}

    def log_bytes(self) -> dict[str, int]:
        """Return the bytes of each topic's records on the broker's disk."""
        found: dict[str, int] = {}
        for segment in self.home.data("kafka").glob("*/*.log"):
            topic = segment.parent.name.rpartition("-")[0]
            with contextlib.suppress(FileNotFoundError):  # a segment just cleaned away
                found[topic] = found.get(topic, 0) + segment.stat().st_size
        return found

    def await_log(self, part: str, word: str, timeout_s: float) -> None:
        """Wait until a part's log holds a word.

        Raises:
            BenchError: It does not in time.
        """
        deadline_s = time.monotonic() + timeout_s
        log = self.home.log(part)
        while not (log.is_file() and word in log.read_text(encoding="utf-8", errors="replace")):
            if time.monotonic() > deadline_s:
                raise BenchError(f"{part} did not say {word} within {timeout_s:.0f} s")
            time.sleep(_POLL_S)


@contextlib.contextmanager
def running_whole(options: StackOptions, **settings: str) -> Iterator[Whole]:
    """Run a stack in a temporary home; it ends with the block, and with this process in any case.

    Settings of this process's environment do not reach it: only `settings` are added.
    """
    ours = os.environ  # noqa: TID251 - handed on
    clean = {name: value for name, value in ours.items() if not name.startswith(ENV_PREFIX)}
    environ = {**clean, **settings}
    with tempfile.TemporaryDirectory(prefix="shelfstream-bench-") as folder:
        home = Home(Path(folder) / "home")
        with running_stack(home, options, environ, say=lambda _: None):
            yield Whole(home, {**environ, HOME_VARIABLE: str(home.path)})
