"""The command line refuses in sentences, before it asks any broker."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from deploy.commands import catalog, command, stock
from ingest.catalog_file import catalog_source

RUNNER = CliRunner()


def test_the_example_can_be_printed_and_loaded() -> None:
    """What `catalog example` prints is a valid catalogue."""
    result = RUNNER.invoke(catalog.app, ["example"])
    assert result.exit_code == 0
    assert len(catalog_source([("example.yaml", result.stdout)]).catalog.sites) == 4


def test_a_bad_catalogue_ends_with_its_lines(tmp_path: Path) -> None:
    """Exit code 1, and each fault with file and line; Kafka is not asked."""
    path = tmp_path / "c.yaml"
    path.write_text("sites: [{site: A}]\nlanes: [{from_site: A, to_site: B, lead_time_ms: 1}]\n")
    result = RUNNER.invoke(catalog.app, ["load", str(path)])
    assert result.exit_code == 1
    assert f"{path}:2: lanes[0].to_site: there is no site B" in result.output


@pytest.mark.parametrize(
    ("app", "arguments", "words"),
    [
        (stock.app, ["import", "no-such.csv"], "can't be read"),
        (command.app, ["approve", "need-X-1"], "takes the id of a transfer"),
        (command.app, ["order-transfer", "X", "A", "A", "5"], "two different sites"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(
    app: typer.Typer, arguments: list[str], words: str
) -> None:
    """Exit code 1 and one sentence."""
    result = RUNNER.invoke(app, arguments)
    assert result.exit_code == 1
    assert words in result.output
