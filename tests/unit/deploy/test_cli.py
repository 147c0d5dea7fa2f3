"""The `shelfstream` command: its table, its errors, and its look at the environment."""

import subprocess
import sys
from importlib import import_module

import pytest

from deploy.cli import SUB_COMMANDS, check_owners
from ingest.contracts.errors import StackError


def shelfstream(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run the command in an empty environment."""
    argv = [sys.executable, "-m", "deploy.cli", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_help_imports_no_sub_command() -> None:
    """It names every sub-command and loads no client of any broker."""
    program = (
        "import sys; from deploy.cli import make_app; make_app(['--help']); "
        "print(sorted({'aiokafka', 'faust', 'paho', 'kafka'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
    text = shelfstream("--help").stdout
    assert all(row.name in text for row in SUB_COMMANDS)


@pytest.mark.parametrize("row", SUB_COMMANDS, ids=lambda row: row.name)
def test_every_sub_command_is_there(row: object) -> None:
    """Each row of the table names an attribute of an existing module."""
    assert hasattr(import_module(f"deploy.commands.{row.name}"), row.attribute)  # type: ignore[attr-defined] # parametrize types nothing


def test_an_error_of_ours_is_one_sentence(tmp_path: object) -> None:
    """Exit code 2, the sentence on stderr, no traceback."""
    argv = [sys.executable, "-m", "deploy.cli", "status"]
    environ = {"SHELFSTREAM_HOME": f"{tmp_path}/none", "PATH": "/usr/bin:/bin"}
    answer = subprocess.run(argv, capture_output=True, text=True, check=False, env=environ)
    assert answer.returncode == 2
    assert answer.stderr.startswith("there is no stack in")
    assert answer.stderr.count("\n") == 1


def test_a_foreign_owner_of_a_package_name_is_refused() -> None:
    """Somebody else's `streams` would be imported in place of ours."""
    check_owners({"streams": ["shelfstream"], "yaml": ["PyYAML"]})
    with pytest.raises(StackError, match="streams also belongs to other"):
        check_owners({"streams": ["shelfstream", "other"]})
