"""`shelfstream bench scale`: what an event costs as levels grow, and two workers beside one.

The stock fold alone, in processes of its own, with no broker: what a broker takes from the same
cores is told by the other benchmarks.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.bench.preload import PARTITIONS
from deploy.bench.processes import BenchProcess, running
from deploy.bench.report import BenchOptions, Cell, Report, Spread, Value

READY_TIMEOUT_S: Final = 600.0
FOLDED_TIMEOUT_S: Final = 300.0
US_PER_S: Final = 1_000_000
NOTES: Final = (
    "scans that each change a level, spread evenly over all: the worst case for a cache",
    "the fold alone: decode, fold, encode, the engine's store; no broker, no transaction",
    "two workers own half of the partitions each and fold at the same time",
)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How many levels there are in turn, and how many scans are folded at each."""

    levels: Sequence[int]
    events: int


FULL: Final = Sizes(levels=(10_000, 100_000, 1_000_000), events=400_000)
QUICK: Final = Sizes(levels=(10_000, 100_000), events=60_000)


@dataclass(frozen=True, kw_only=True)
class Folded:
    """What one process, or two at once, did."""

    events: int
    cpu_s: float
    wall_s: float
    """Of the slowest."""

    @property
    def us_per_event(self) -> float:
        """CPU-microseconds an event."""
        return self.cpu_s / self.events * US_PER_S

    @property
    def events_per_s(self) -> float:
        """Events a second of wall time, of all processes together."""
        return self.events / self.wall_s


def run(options: BenchOptions) -> Report:
    """Measure each size in turn, round by round, then two workers beside one.

    Raises:
        BenchError: A process ended or was not ready in time.
    """
    sizes = QUICK if options.quick else FULL
    return run_sizes(options, sizes)


def run_sizes(options: BenchOptions, sizes: Sizes) -> Report:
    """Measure with these sizes; the errors are those of `run`."""
    by_levels: dict[int, list[Folded]] = {levels: [] for levels in sizes.levels}
    pairs: list[tuple[Folded, Folded]] = []
    with tempfile.TemporaryDirectory(prefix="shelfstream-bench-scale-") as folder:
        for number in range(options.rounds):
            for levels, found in by_levels.items():
                found.append(folded(Path(folder), levels, sizes.events, workers=1))
                options.say(f"{levels:,} levels: {found[-1].us_per_event:.2f} us an event")
            levels = sizes.levels[0]
            one = by_levels[levels][number]
            two = folded(Path(folder), levels, sizes.events, workers=2)
            options.say(f"two workers: {two.events_per_s / one.events_per_s:.2f} times one")
            pairs.append((one, two))
    return _report(by_levels, pairs)


def folded(folder: Path, levels: int, events: int, *, workers: int) -> Folded:
    """Fold so many scans by one process, or by several that begin together.

    Raises:
        BenchError: A process ended or was not ready in time.
    """
    go = folder / "go"
    go.unlink(missing_ok=True)
    with ExitStack() as opened:
        processes = [
            opened.enter_context(running(argv, log=folder / f"fold-{number}.log"))
            for number, argv in enumerate(_argvs(levels, events, workers, go))
        ]
        for process in processes:
            process.await_line("ready", READY_TIMEOUT_S)
        go.touch()
        return _sum([_told(process) for process in processes])


def _argvs(levels: int, events: int, workers: int, go: Path) -> list[list[str]]:
    owned = [range(first, PARTITIONS, workers) for first in range(workers)]
    module = [sys.executable, "-m", "deploy.bench.fold_alone", str(levels), str(events)]
    return [[*module, ",".join(map(str, numbers)), str(go)] for numbers in owned]


def _told(process: BenchProcess) -> Folded:
    words = process.await_line("folded ", FOLDED_TIMEOUT_S).text.split()
    return Folded(events=int(words[1]), cpu_s=float(words[2]), wall_s=float(words[3]))


def _sum(parts: Sequence[Folded]) -> Folded:
    return Folded(
        events=sum(part.events for part in parts),
        cpu_s=sum(part.cpu_s for part in parts),
        wall_s=max(part.wall_s for part in parts),
    )


def _report(by_levels: dict[int, list[Folded]], pairs: Sequence[tuple[Folded, Folded]]) -> Report:
    fewest, *_, most = by_levels
    growth = Spread.of(
        many.us_per_event / few.us_per_event
        for few, many in zip(by_levels[fewest], by_levels[most], strict=True)
    )
    gain = Spread.of(two.events_per_s / one.events_per_s for one, two in pairs)
    headline: dict[str, Value] = {
        f"us_per_event_{levels}": round(_spread(found).median, 2)
        for levels, found in by_levels.items()
    }
    headline |= {
        "levels_most": most,
        "ratio_most_fewest": round(growth.median, 2),
        "ratio_two_workers": round(gain.median, 2),
        "cores": os.cpu_count(),
    }
    rows: list[dict[str, Cell]] = [
        {"what": f"{levels:,} levels, one worker", "us/event": _spread(found)}
        for levels, found in by_levels.items()
    ]
    rows.append(
        {
            "what": f"{fewest:,} levels, two workers",
            "us/event": _spread([two for _, two in pairs]),
            "times one worker": gain,
        }
    )
    return Report(name="scale", headline=headline, rows=rows, notes=NOTES, plot="us/event")


def _spread(found: Sequence[Folded]) -> Spread:
    return Spread.of(one.us_per_event for one in found)
