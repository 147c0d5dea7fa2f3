"""`python -m deploy.bench.fold_alone LEVELS EVENTS PARTITIONS GO`: the stock fold without brokers.

It folds the catalogue and the opening stock of LEVELS levels, says `ready`, waits until the file GO
is there, folds EVENTS scans and says `folded EVENTS CPU_S WALL_S`. PARTITIONS, as `0,1,2,3`, are
those that it owns; the scans of others are another process's. State goes where an engine keeps it,
and the garbage collector is set as in a worker.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from deploy.bench.domain import SITES, preparation, scans
from deploy.bench.preload import PARTITIONS, as_frames
from ingest.frames import INPUT_FRAMES, InputItem
from streams.domain.fold import StockFold
from streams.engine.store import MemoryStore
from streams.engine.worker import calm_collector

DRAIN_FRAMES: Final = 10
"""About what a partition folds between two transactions under load."""
WARM_SHARE: Final = 4
"""One in so many of the scans comes before what is measured."""
GO_POLL_S: Final = 0.005


class Partition:
    """One partition's fold and store, drained as an engine would."""

    def __init__(self, number: int) -> None:
        """Begin empty."""
        self._fold = StockFold(number, PARTITIONS)
        self._store = MemoryStore()
        self._frames = 0
        self._fold.start(self._store.view)

    def take(self, frame: bytes) -> None:
        """Fold one frame; drain after every `DRAIN_FRAMES`."""
        self._fold.fold(frame)
        self._frames += 1
        if self._frames % DRAIN_FRAMES == 0:
            self._store.change(self._fold.drain().state)


def main() -> int:
    """Prepare, wait for the word, fold, tell."""
    calm_collector()
    levels, count = int(sys.argv[1]), int(sys.argv[2])
    owned, go = {int(one) for one in sys.argv[3].split(",")}, Path(sys.argv[4])
    skus = levels // SITES
    partitions = {number: Partition(number) for number in sorted(owned)}
    for number, frame in _framed(preparation(skus, PARTITIONS), owned):
        partitions[number].take(frame)
    made = list(_framed(scans(count + count // WARM_SHARE, 100, skus, PARTITIONS), owned))
    warm = len(made) // (WARM_SHARE + 1)
    for number, frame in made[:warm]:
        partitions[number].take(frame)
    _say("ready")
    while not go.exists():
        time.sleep(GO_POLL_S)
    begun_s, used_s = time.monotonic(), time.process_time()
    for number, frame in made[warm:]:
        partitions[number].take(frame)
    done_s, done_cpu_s = time.monotonic(), time.process_time()
    folded = sum(len(INPUT_FRAMES.decode(frame).items) for _, frame in made[warm:])
    _say(f"folded {folded} {done_cpu_s - used_s:.6f} {done_s - begun_s:.6f}")
    return 0


def _framed(
    placed: Iterable[tuple[int, InputItem]], owned: set[int]
) -> Iterator[tuple[int, bytes]]:
    for number, _, frame in as_frames(placed, INPUT_FRAMES, Counter()):
        if number in owned:
            yield number, frame


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
