"""`python -m deploy.bench.engine_worker FOLD NAME`: a real worker, its settings as any worker's.

FOLD is `counting` or `stock`. It reads `{NAME}-in`'s topic given by the third word and writes
`NAME-state`; with each transaction it says in `NAME-progress` how many frames were folded.
"""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Final

from deploy.bench.counting import CountingFold
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


class WatchedFold:
    """Any fold, and one more output a transaction: how many frames it has folded."""

    def __init__(self, inner: Fold, topic: str, partition: int) -> None:
        """Take the fold and where its progress is written."""
        self.start: Callable[[Mapping[bytes, bytes]], None] = inner.start
        self._inner = inner
        self._topic = topic
        self._partition = partition
        self._frames = self._frames_told = 0

    def fold(self, value: bytes) -> None:
        """Fold one frame; the errors are those of the inner fold."""
        self._inner.fold(value)
        self._frames += 1

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
    make = FOLDS[fold]
    return FoldSpec(
        name=name,
        input_topic=input_topic,
        state_topic=f"{name}-state",
        create=lambda partition, count: WatchedFold(
            make(partition, count), f"{name}-progress", partition
        ),
        tick_frame=tick_frame,
        reads_state=fold != "counting",
    )


def main() -> int:
    """Run the worker until SIGTERM."""
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
