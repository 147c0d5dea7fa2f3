"""`python -m deploy.bench.engine_worker FOLD NAME`: a real worker, its settings as any worker's.

FOLD is `counting` or `stock`. It reads `{NAME}-in`'s topic given by the third word and writes
`NAME-state`; with each transaction it says in `NAME-progress` how many frames were folded.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final

from deploy.bench.counting import CountingFold
from deploy.bench.peers.told import TOLD_EVERY_S, await_go
from ingest.contracts.settings import InstallationSettings, KafkaSettings, load
from ingest.frames import tick_frame
from streams.domain.fold import StockFold
from streams.engine.fold import Changes, Fold, FoldSpec, Output
from streams.engine.logs import configure_logs
from streams.engine.settings import EngineSettings
from streams.engine.worker import run_worker

FOLDS: Final[dict[str, Callable[[int, int], Fold]]] = {
    "counting": lambda _partition, _count: CountingFold(),
    "stock": StockFold,
}

TAKEN: Final = "taken "
"""What a line of progress begins with; frames by partition as JSON follow."""


class Taken:
    """Says on stdout how many frames of each partition are folded, ten times a second."""

    def __init__(self) -> None:
        """Begin with none."""
        self._frames: dict[int, int] = {}
        self._due_s = 0.0

    def add(self, partition: int, frames: int) -> None:
        """Take how many frames of a partition are folded."""
        self._frames[partition] = frames
        now_s = time.monotonic()
        if now_s >= self._due_s:
            self._due_s = now_s + TOLD_EVERY_S
            sys.stdout.write(f"{TAKEN}{json.dumps(self._frames)}\n")
            sys.stdout.flush()


class WatchedFold:
    """Any fold, and one more output a transaction: how many frames it has folded."""

    def __init__(self, inner: Fold, topic: str, partition: int, taken: Taken | None = None) -> None:
        """Take the fold, where its progress is written, and who says what it has folded."""
        self.start: Callable[[Mapping[bytes, bytes]], None] = inner.start
        self._inner = inner
        self._topic = topic
        self._partition = partition
        self._taken = taken or Taken()
        self._frames = self._frames_told = 0

    def fold(self, value: bytes) -> None:
        """Fold one frame; the errors are those of the inner fold."""
        self._inner.fold(value)
        self._frames += 1
        self._taken.add(self._partition, self._frames)

    def drain(self) -> Changes:
        """Return the inner fold's changes and, after new frames, the progress."""
        changes = self._inner.drain()
        if self._frames > self._frames_told:
            self._frames_told = self._frames
            told = b"%d" % self._frames
            changes.outputs.append(Output(self._topic, self._partition, None, told))
        return changes


def spec_of(fold: str, name: str, input_topic: str) -> FoldSpec:
    """Return the named fold between its topics."""
    make, taken = FOLDS[fold], Taken()
    return FoldSpec(
        name=name,
        input_topic=input_topic,
        state_topic=f"{name}-state",
        create=lambda partition, count: WatchedFold(
            make(partition, count), f"{name}-progress", partition, taken
        ),
        tick_frame=tick_frame,
        reads_state=fold != "counting",
    )


def main() -> int:
    """Wait for the turn, then run the worker until SIGTERM."""
    await_go()
    configure_logs()
    fold, name, input_topic = sys.argv[1:]
    environ = os.environ  # noqa: TID251 - a main reads the settings
    return run_worker(
        spec_of(fold, name, input_topic),
        load(KafkaSettings, environ),
        load(EngineSettings, environ),
        load(InstallationSettings, environ),
    )


if __name__ == "__main__":
    sys.exit(main())
