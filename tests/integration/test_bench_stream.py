"""The stream benchmark on a real stack of its own, as small as it goes."""

from pathlib import Path

import pytest

from deploy.bench.engines import Engine, ours, ours_full, peers
from deploy.bench.peer_environment import environment_folder
from deploy.bench.report import BenchOptions, Spread
from deploy.bench.stream import run_engines
from deploy.bench.workload import Sizes
from deploy.stack.cache import is_complete

# An engine that is done between two looks has no rate: a second of work is the least.
TINY = Sizes(
    frames=400_000,
    few_frames=5_000,
    records=2_000,
    few=500,
    java=2_000,
    java_warm=200,
    domain=100_000,
    domain_skus=50,
)


def has_peers() -> bool:
    """Tell whether the peers' environment is made: a test does not make it."""
    return is_complete(environment_folder())


def measurable(folder: Path) -> tuple[BenchOptions, list[Engine]]:
    """Return options, and this engine with the peers whose environment is there."""
    options = BenchOptions(quick=True, rounds=1, folder=folder, only=("all mixes",))
    bare = [peer for peer in peers(options.say)[0] if peer.key == "bare"] if has_peers() else []
    return options, [ours(), *bare, ours_full()]


@pytest.mark.integration
@pytest.mark.long
def test_every_engine_counts_right_and_has_its_rates(tmp_path: Path) -> None:
    """Real workers and the bare loop on both mixes: each restorable state equals the recount."""
    options, engines = measurable(tmp_path)
    report = run_engines(options, engines, {}, TINY)
    assert not report.failures
    assert len(report.rows) == 2 * len(engines)
    for row in report.rows:
        assert row["state"] == "equals the recount"
        rates = row["events/s"], row["events/CPU-s"]
        assert all(isinstance(rate, Spread) and rate.min > 0 for rate in rates)
    assert isinstance(report.headline["events_per_s"], int | float)
    assert isinstance(report.headline["domain_events_per_s"], int | float)
    assert (report.headline["ratio_bare"] is not None) == has_peers()
    assert report.headline["ratio_faust"] is None
