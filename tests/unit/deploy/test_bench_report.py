"""Reports of benchmarks: spreads, tables, the picture, the last line, and the command's table."""

import json
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from deploy.bench.report import (
    BenchOptions,
    Cell,
    Report,
    Spread,
    cell_text,
    columns_of,
    json_line,
    markdown,
    write_report,
)
from deploy.commands import bench
from ingest.contracts.errors import BenchError

REPORT = Report(
    name="stream",
    headline={"events_per_s": 500_000.4, "ratio_quix": None, "absent": {"quix": "no network"}},
    rows=[
        {"engine": "ours", "guarantee": "exactly once", "events/s": Spread(1.0, 2.0, 4.0)},
        {"engine": "bare <loop>", "events/s": 3.0, "note": "x"},
    ],
    notes=["events of 45 bytes"],
    plot="events/s",
)


def test_a_spread_is_of_all_rounds() -> None:
    """Smallest, middle and largest, whatever their order; nothing measured is an error."""
    assert Spread.of([3.0, 1.0, 2.0]) == (1.0, 2.0, 3.0)
    assert Spread.of([1.0, 2.0]).median == 1.5
    with pytest.raises(BenchError, match="no round"):
        Spread.of([])


def test_cells_are_short_and_absent_ones_show() -> None:
    """Thousands are grouped, small figures keep three digits, None is a dash, zero is a figure."""
    cells: list[Cell] = [
        Spread(1.0, 2.0, 4.0),
        Spread(5.0, 5.0, 5.0),
        1234567.8,
        0.12345,
        None,
        0,
        "text",
    ]
    texts = ["2 (1 - 4)", "5", "1,234,568", "0.123", "-", "0", "text"]
    assert [cell_text(cell) for cell in cells] == texts


def test_markdown_holds_all_columns_reasons_and_notes() -> None:
    """A row without a column gets a dash; what is absent is said with its reason."""
    text = markdown(REPORT)
    assert columns_of(REPORT.rows) == ["engine", "guarantee", "events/s", "note"]
    assert "| ours | exactly once | 2 (1 - 4) | - |" in text
    assert "| absent: quix | no network |" in text
    assert "* events of 45 bytes" in text


def test_results_are_written_as_three_files(tmp_path: Path) -> None:
    """JSON reads back with spreads by name; the picture is well-formed, with one bar a row."""
    paths = write_report(REPORT, tmp_path / "new" / "folder")
    assert [path.name for path in paths] == ["stream.json", "stream.md", "stream.svg"]
    found = json.loads(paths[0].read_text())
    assert found["rows"][0]["events/s"] == {"min": 1.0, "median": 2.0, "max": 4.0}
    tags = [element.tag.rpartition("}")[2] for element in ET.parse(paths[2]).iter()]  # noqa: S314 - our own picture
    assert tags.count("line") == 2


def test_the_last_line_is_one_object() -> None:
    """The headline, null where nothing was measured."""
    line = json_line(REPORT)
    assert "\n" not in line
    assert json.loads(line) == {
        "events_per_s": 500_000.4,
        "ratio_quix": None,
        "absent": {"quix": "no network"},
    }


def test_several_benchmarks_make_one_object_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    """`bench all --json` keeps each headline apart."""
    bench.show_json([REPORT, Report(name="state", headline={"keys": 7}, rows=[])])
    found = json.loads(capsys.readouterr().out)
    assert found["state"] == {"keys": 7}
    assert found["stream"]["ratio_quix"] is None


def test_every_benchmark_of_the_table_is_there() -> None:
    """Each name is a module with `run(options)`."""
    for name in bench.BENCHES:
        run = import_module(f"deploy.bench.{name}").run
        assert list(run.__annotations__) == ["options", "return"]
        assert run.__annotations__["options"] is BenchOptions
