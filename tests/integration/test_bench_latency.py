"""The latency benchmark on a whole pipeline of real parts, at its smallest."""

from pathlib import Path

import pytest

from deploy.bench.latency import SMALLEST, measured
from deploy.bench.report import BenchOptions

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_every_crossing_is_seen_and_told_once(tmp_path: Path) -> None:
    """Each event that crosses a threshold is one breach, each told one is one message."""
    options = BenchOptions(quick=True, rounds=1, folder=tmp_path, say=lambda _: None)
    rows, sustained_per_s = measured(SMALLEST, options)
    assert sustained_per_s is None
    (row,) = rows
    outcome = row.outcome
    assert outcome.expected > 20
    assert (outcome.lost, outcome.doubled, outcome.strangers) == (0, 0, 0)
    assert len(outcome.breaches) == outcome.expected
