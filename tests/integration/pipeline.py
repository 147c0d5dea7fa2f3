"""A whole pipeline of real processes, and the `shelfstream` command run as a user would."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.stack.home import Home
from deploy.stack.local import running_stack
from deploy.stack.plan import StackOptions
from ingest.contracts.settings import HOME_VARIABLE

COMMAND_S_MAX = 240
KAFKA_HEAP_MIB = 384
ROOT = Path(__file__).parents[2]


class Pipeline:
    """Starts commands and modules against one stack."""

    def __init__(self, home: Home, environ: Mapping[str, str]) -> None:
        """Take the stack's home and the environment of its commands."""
        self.home = home
        self._environ = {**environ, HOME_VARIABLE: str(home.path)}

    def start(self, *words: str, **settings: str) -> "subprocess.Popen[str]":
        """Start a module as a process, with settings of a simulation by their last name."""
        named = {f"SHELFSTREAM_SIMULATOR_{name}": value for name, value in settings.items()}
        return subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env={**self._environ, **named},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run one `shelfstream` command to its end."""
        process = self.start("deploy.cli", *words)
        told, errors = process.communicate(timeout=COMMAND_S_MAX)
        return subprocess.CompletedProcess(words, process.returncode, told, errors)

    def verified(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run verify; return its exit code and its figures."""
        told = self.run("verify", "--json", *words)
        assert told.stdout, told.stderr
        return told.returncode, json.loads(told.stdout)

    def truth(self) -> dict[str, Any]:
        """Return the oracle's file as it is now."""
        found: dict[str, Any] = json.loads((self.home.path / "oracle.json").read_bytes())
        return found


@contextmanager
def running_pipeline(folder: Path, options: StackOptions) -> Iterator[Pipeline]:
    """Run a whole stack in a new home inside `folder`, with nothing of this process's settings."""
    home = Home(folder / "home")
    clean = {n: v for n, v in os.environ.items() if not n.startswith("SHELFSTREAM_")}  # noqa: TID251 - a main of tests
    small = options.model_copy(update={"kafka_heap_mib": KAFKA_HEAP_MIB})
    with running_stack(home, small, clean, say=lambda _: None):
        yield Pipeline(home, clean)
