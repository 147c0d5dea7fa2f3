"""The demo as a person runs it: it ends by itself, verified, and leaves nothing running."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deploy.stack.home import HOME_NAME_DEFAULT, Home, is_locked
from deploy.stack.state import read_state

pytestmark = [pytest.mark.integration, pytest.mark.slow]

DEMO_S_MAX = 300
ROOT = Path(__file__).parents[2]


def test_the_demo_ends_exact(tmp_path: Path) -> None:
    """Twenty sites for 20 s: stock moves, all agrees with the oracle, every process is gone."""
    environ = {n: v for n, v in os.environ.items() if not n.startswith("SHELFSTREAM_")}  # noqa: TID251 - a main of tests
    environ["PYTHONPATH"] = str(ROOT)
    told = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "demo", "--seconds", "20", "--no-influx"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=DEMO_S_MAX,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "exact, checked in" in told.stdout
    assert "4,000 keys" in told.stdout
    home = Home(tmp_path / HOME_NAME_DEFAULT / "demo")
    assert not is_locked(home)
    state = read_state(home)
    assert state is not None
    assert not [part.name for part in state.parts if part.pid and psutil.pid_exists(part.pid)]
