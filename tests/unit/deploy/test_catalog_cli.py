"""`shelfstream catalog`: its example, and what it prints of a load."""

from typer.testing import CliRunner

from deploy.commands import catalog
from ingest.catalog_file import catalog_source

RUNNER = CliRunner()


def test_the_example_can_be_printed_and_loaded() -> None:
    """What `catalog example` prints is a valid catalogue."""
    result = RUNNER.invoke(catalog.app, ["example"])
    assert result.exit_code == 0
    assert len(catalog_source([("example.yaml", result.stdout)]).catalog.sites) == 4
