"""Runs simulated seeds: `python -m simulators.whole.main --seeds 200`, or one again by `--seed`."""

import argparse
import sys
from collections import Counter
from typing import Final

from simulators.whole.harness import run_seed
from simulators.whole.harness_system import SimulationError

PROGRESS_SEEDS: Final = 20
LABEL_WIDTH: Final = 28


def main(arguments: list[str] | None = None) -> int:
    """Run the seeds asked for; return 1 after the first broken promise, told with its repeat."""
    options = _parser().parse_args(arguments)
    seeds = range(options.first, options.first + options.seeds)
    if options.seed is not None:
        seeds = range(options.seed, options.seed + 1)
    total: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for number, seed in enumerate(seeds, start=1):
        try:
            report = run_seed(seed, trace=options.trace)
        except SimulationError as error:
            print(f"seed {seed} broke a promise\n{error}", file=sys.stderr)  # noqa: T201 - a program's output
            return 1
        total.update(report.counts)
        seen.update(name for name, times in report.counts.items() if times)
        if options.seed is not None:
            print(f"digest of what was committed: {report.digest:08x}")  # noqa: T201 - the same
        if number % PROGRESS_SEEDS == 0:
            print(f"{number} of {len(seeds)} seeds hold", flush=True)  # noqa: T201 - the same
    print(_coverage(len(seeds), total, seen))  # noqa: T201 - the same
    return 0


def _coverage(seed_count: int, total: Counter[str], seen: Counter[str]) -> str:
    rows = [
        f"  {name:<{LABEL_WIDTH}} {total[name]:>8} in {seen[name]} seeds" for name in sorted(total)
    ]
    return "\n".join([f"{seed_count} seeds hold; what happened in them:", *rows])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--seed", type=int, help="run this one only")
    parser.add_argument("--trace", action="store_true", help="print what happened")
    return parser


if __name__ == "__main__":
    sys.exit(main())
