"""`shelfstream sensors score` prints the figures, for people and for programs."""

import json

from typer.testing import CliRunner

from deploy.commands.sensors import app

ARGUMENTS = ["score", "--seed", "3", "--shelves", "4", "--hours", "0.2"]


def test_json_is_one_object_with_score_and_costs() -> None:
    """What a program reads."""
    result = CliRunner().invoke(app, [*ARGUMENTS, "--json"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["seed"] == 3
    assert 0 <= found["score"]["precision"] <= 1
    assert "outage" in found["costs"]


def test_a_table_names_each_fault() -> None:
    """What a person reads."""
    result = CliRunner().invoke(app, ARGUMENTS)
    assert result.exit_code == 0
    assert "bad_tags alone" in result.stdout
