"""Simulations in wall time: the command, the process of its own, and a verification that waits.

Wall time is what a real installation has: nobody sends the time, and nobody can hurry it.
"""

import json
import os
import signal
import time
from collections.abc import Iterator

import pytest

from deploy.stack.plan import StackOptions
from deploy.stack.state import read_state
from tests.integration.pipeline import Pipeline, running_pipeline

pytestmark = pytest.mark.integration

EMITTED_S_MAX = 60.0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Run the whole stack in wall time, without InfluxDB, for the tests of this module."""
    options = StackOptions(time="wall", influx=False)
    with running_pipeline(tmp_path_factory.mktemp("wall"), options) as pipeline:
        yield pipeline


def test_a_simulation_in_wall_time_is_exact(place: Pipeline) -> None:
    """With faults, at a speed that is ignored: the process ends by SIGTERM, and all agrees."""
    words = ("--sites", "4", "--skus", "8", "--rate", "150", "--seconds", "3", "--faults", "dup")
    told = place.run("simulate", *words)
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["accepted_events"] > 0
    process = place.start(
        "simulators.main", SITES="4", SKUS="8", RATE="150", FAULTS="disorder,offline,restart"
    )
    scans = scans_emitted(place)
    deadline_s = time.monotonic() + EMITTED_S_MAX
    while scans_emitted(place) == scans:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline_s, "the process emitted nothing"
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=EMITTED_S_MAX)
    assert process.returncode == 0, errors
    code, found = place.verified()
    assert (code, found["exact"]) == (0, True), found["differences"]
    assert scans_emitted(place) == found["scans"] > scans


def test_table_and_ledger_agree_without_an_oracle(place: Pipeline) -> None:
    """A real installation has no oracle: both are compared with each other, and it is said."""
    oracle_file = place.home.path / "oracle.json"
    hidden = oracle_file.rename(oracle_file.with_name("hidden.json"))
    try:
        told = place.run("verify", "--json")
    finally:
        hidden.rename(oracle_file)
    assert told.returncode == 0, told.stderr
    assert "table and ledger are compared with each other" in told.stderr
    found = json.loads(told.stdout)
    assert (found["agree"], found["scans"]) == (found["keys"], 0)


def scans_emitted(place: Pipeline) -> int:
    """Return how many scans the oracle's file knows of."""
    return sum(scan["last"] - scan["first"] + 1 for scan in place.truth()["scans"])


def test_a_worker_that_stands_still_is_no_agreement(place: Pipeline) -> None:
    """Verification ends with 2 and names the partitions, rather than compare what is half done."""
    state = read_state(place.home)
    worker = state.part("stock-0") if state else None
    assert worker is not None
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        told = place.run("verify", "--timeout", "2")
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr == "partition 0, 1, 2, 3 did not pass the barrier within 2 s\n"
    assert place.verified()[0] == 0
