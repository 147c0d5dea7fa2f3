"""The sink's benchmark on real parts, at its smallest: every movement is a point, once."""

from pathlib import Path

import pytest

from deploy.bench.report import BenchOptions
from deploy.bench.sink import run_rounds
from ingest.contracts.settings import InfluxSettings

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MOVEMENTS = 3_000


def test_every_movement_is_a_point_once(
    tmp_path: Path,
    influx: InfluxSettings,  # noqa: ARG001 - skips aloud, or builds, where there is no InfluxDB
) -> None:
    """A stack of its own draws a small ledger whole."""
    options = BenchOptions(quick=True, rounds=1, folder=tmp_path, say=lambda _: None)
    report = run_rounds(options, MOVEMENTS)
    assert not report.failures
    assert report.headline["points"] == MOVEMENTS
    assert len(report.rows) == 1
