"""Any process killed at any moment, and a worker put to sleep past its session: still exact.

The whole pipeline runs as real processes under its supervisor; a simulation with faults plays
through it while each part is killed in turn. At the end `verify` compares table, ledger and truth.
"""

import json
import os
import signal
import time
from collections.abc import Iterator

import pytest

from deploy.stack.home import Home
from deploy.stack.plan import StackOptions
from deploy.stack.state import PartReport, read_state
from tests.integration.pipeline import Pipeline, running_pipeline

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SIMULATION_S = 75
SESSION_TIMEOUT_MS = 6_000
SLEEP_S = SESSION_TIMEOUT_MS / 1_000 + 3
KILLED = (
    "bridge-0",
    "stock-0",
    "mosquitto",
    "planning-0",
    "alert-fold",
    "alert-send",
    "kafka",
    "bridge-0",
    "stock-1",
)
PAUSE_S = 3.0
BACK_TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Run the whole pipeline with two workers, and InfluxDB's sink where it can be had."""
    options = StackOptions(workers=2, time="driven")
    with running_pipeline(tmp_path_factory.mktemp("survival"), options) as running:
        yield running


def part(home: Home, name: str) -> PartReport:
    """Return one part as the supervisor sees it now."""
    state = read_state(home)
    assert state is not None
    found = state.part(name)
    assert found is not None, f"no part {name}"
    return found


def kill(home: Home, name: str) -> None:
    """Kill a part as the kernel would, and wait until its successor runs."""
    before = part(home, name)
    assert before.pid is not None, f"{name} does not run"
    os.kill(before.pid, signal.SIGKILL)
    deadline_s = time.monotonic() + BACK_TIMEOUT_S
    while True:
        now = part(home, name)
        if now.status == "running" and now.pid not in {None, before.pid}:
            return
        assert time.monotonic() < deadline_s, f"{name} did not come back: {now}"
        time.sleep(0.1)


def put_to_sleep(home: Home, name: str) -> None:
    """Stop a worker for longer than its session, then wake it: its commit must be fenced."""
    asleep = part(home, name)
    assert asleep.pid is not None
    os.kill(asleep.pid, signal.SIGSTOP)
    try:
        time.sleep(SLEEP_S)
    finally:
        os.kill(asleep.pid, signal.SIGCONT)


def test_nothing_is_lost_or_doubled_whatever_dies(pipeline: Pipeline) -> None:
    """Every part is killed once in mid-run; `verify` then finds no lost, doubled or wrong key."""
    home = pipeline.home
    faults = "dup,disorder,offline,restart"
    words = ["--sites", "8", "--skus", "60", "--rate", "250", "--seed", "11", "--faults", faults]
    words += ["--seconds", str(SIMULATION_S)]
    simulation = pipeline.start("deploy.cli", "simulate", *words)
    try:
        time.sleep(PAUSE_S * 3)  # let it have something to lose
        put_to_sleep(home, "stock-1")
        state = read_state(home)
        assert state is not None
        sinks = ["sink"] if (sink := state.part("sink")) and sink.status == "running" else []
        for name in [*KILLED, *sinks]:
            kill(home, name)
            time.sleep(PAUSE_S)
        _, errors = simulation.communicate(timeout=SIMULATION_S + 240)
    finally:
        if simulation.poll() is None:
            simulation.kill()
    assert simulation.returncode == 0, errors
    code, found = pipeline.verified("--timeout", "120")
    assert code == 0, json.dumps(found, indent=1)
    assert found["keys"] > 0
    assert found["agree"] == found["keys"]
    assert (found["differ"], found["lost"], found["doubled"]) == (0, 0, 0)
