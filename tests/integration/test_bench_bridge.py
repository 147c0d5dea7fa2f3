"""The bridge benchmark on real parts, at its smallest: this bridge alone."""

from pathlib import Path

import pytest

from deploy.bench.bridge import Mix, run_mixes
from deploy.bench.bridge_contenders import OURS, TWO
from deploy.bench.report import BenchOptions

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MIXES = (
    Mix(key="one", batch_events=1, messages=4_000, rate_per_s=4_000, messages_slow=0),
    Mix(key="batch", batch_events=100, messages=100, rate_per_s=200, messages_slow=0),
)


def test_every_event_is_in_kafka_once(tmp_path: Path) -> None:
    """One process and two, events alone and in batches: none is lost, none is doubled."""
    options = BenchOptions(
        quick=True, rounds=1, folder=tmp_path, only=(OURS, TWO), say=lambda _: None
    )
    report = run_mixes(options, MIXES)
    assert len(report.rows) == 4
    assert not report.failures
    assert (report.headline["lost"], report.headline["doubled"]) == (0, 0)
    assert isinstance(report.headline["messages_per_cpu_s"], int)
    assert report.headline["ratio_telegraf_cpu"] is None
