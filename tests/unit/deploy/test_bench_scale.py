"""The scale benchmark: real processes fold what they are given, and the report tells of all."""

from pathlib import Path

from deploy.bench.report import BenchOptions, Spread
from deploy.bench.scale import Sizes, folded, run_sizes

LEVELS, EVENTS = 400, 4_000


def test_two_workers_share_the_scans_and_fold_each_once(tmp_path: Path) -> None:
    """Workers that own half of the partitions each fold together as many scans as one does."""
    one = folded(tmp_path, LEVELS, EVENTS, workers=1)
    two = folded(tmp_path, LEVELS, EVENTS, workers=2)
    # What is measured begins at a frame's border, which is not the same for both.
    assert abs(one.events - EVENTS) <= EVENTS // 2
    assert abs(two.events - EVENTS) <= EVENTS // 2
    assert min(one.cpu_s, two.cpu_s, one.wall_s, two.wall_s) > 0


def test_a_report_tells_of_each_size_and_of_two_workers(tmp_path: Path) -> None:
    """Each size has its row and its figure; a ratio tells of the most and the fewest levels."""
    options = BenchOptions(quick=True, rounds=2, folder=tmp_path, say=lambda _: None)
    report = run_sizes(options, Sizes(levels=(LEVELS, 2 * LEVELS), events=EVENTS))
    assert {"us_per_event_400", "us_per_event_800", "ratio_two_workers"} <= set(report.headline)
    assert report.headline["levels_most"] == 2 * LEVELS
    assert [row["what"] for row in report.rows] == [
        "400 levels, one worker",
        "800 levels, one worker",
        "400 levels, two workers",
    ]
    assert all(isinstance(row["us/event"], Spread) for row in report.rows)
