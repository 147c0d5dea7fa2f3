"""`shelfstream doctor`: each finding is one sentence and says what to do."""

import os
import socket
from pathlib import Path

import pytest

from deploy.stack import findings as doctor
from deploy.stack import influxdb_server, mosquitto_broker
from deploy.stack.findings import Finding, findings
from deploy.stack.home import Home, take_lock
from deploy.stack.parts import PartState
from deploy.stack.plan import StackOptions, plan_of
from deploy.stack.state import write_state
from ingest.contracts.errors import StackError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Return an empty home on a machine whose PATH and cache are empty."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(mosquitto_broker, "program", lambda _: None)
    return Home(tmp_path / "home")


def found(home: Home) -> dict[str, Finding]:
    """Return the findings by subject."""
    return {finding.subject: finding for finding in findings(home)}


def test_a_bare_machine_is_told_what_to_install(home: Home) -> None:
    """Only InfluxDB is optional; nothing is said of a stack that never was."""
    told = found(home)
    verdicts = {name: finding.verdict for name, finding in told.items()}
    needed = {"Java": "bad", "Kafka": "bad", "mosquitto": "bad", "InfluxDB": "optional"}
    rest = ("Python", "disk", "credentials", "ports", "stack")
    assert verdicts == {**needed, **dict.fromkeys(rest, "good")}
    assert told["Java"].sentence == "install a JRE 17 or newer (openjdk-17-jre-headless)"
    assert told["Kafka"].sentence.startswith("install Maven")
    assert told["InfluxDB"].sentence == (
        "charts are left out: install go, cargo, gcc, pkg-config to build it"
    )


def test_an_old_java_is_not_good_enough(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest that Kafka runs on is good."""
    for version, verdict in ((16, "bad"), (17, "good"), (25, "good")):
        monkeypatch.setattr(doctor, "java_version", lambda version=version: version)
        assert found(home)["Java"].verdict == verdict


def test_a_full_disk_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """In MiB, with what is needed."""
    monkeypatch.setattr(doctor, "DISK_FREE_MIB_MIN", 10**9)
    finding = found(home)["disk"]
    assert finding.verdict == "bad"
    assert finding.sentence.endswith("MiB free: make room for 1000000000")


def test_credentials_that_others_can_read_are_told(home: Home) -> None:
    """With the command that mends it."""
    plan_of(home, StackOptions())
    assert found(home)["credentials"].verdict == "good"
    home.plan_file.chmod(0o640)
    finding = found(home)["credentials"]
    assert finding == Finding(
        "credentials", "bad", f"others can read {home.plan_file}: `chmod 600` it"
    )


def test_a_taken_port_is_no_fault(home: Home) -> None:
    """The next start takes another; while the stack runs its ports are its own."""
    plan = plan_of(home, StackOptions())
    assert str(plan.kafka_port) in found(home)["ports"].sentence
    with socket.socket() as foreign:
        foreign.bind(("127.0.0.1", plan.mqtt_port))
        foreign.listen()
        told = found(home)["ports"]
        assert told == Finding(
            "ports", "good", f"{plan.mqtt_port} is taken: the next start chooses another"
        )
        with take_lock(home):
            assert str(plan.mqtt_port) in found(home)["ports"].sentence
            assert "is taken" not in found(home)["ports"].sentence


def test_what_a_crash_left_is_told(home: Home) -> None:
    """By name and pid; while a supervisor runs, its phase is told instead."""
    home.path.mkdir()
    write_state(home, "ready", "", [PartState(name="kafka", pid=os.getpid())])
    finding = found(home)["stack"]
    assert finding.verdict == "bad"
    assert f"kafka ({os.getpid()})" in finding.sentence
    with take_lock(home):
        assert found(home)["stack"] == Finding("stack", "good", "it runs: ready")


@pytest.mark.parametrize("is_root", [False, True])
def test_mosquitto_is_asked_for_where_it_can_not_be_installed(
    is_root: bool, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ordinary user, and root without apt-get, get Debian's command."""
    assert home.path.name == "home"
    monkeypatch.setattr("os.geteuid", lambda: 0 if is_root else 1_000)
    said: list[str] = []
    with pytest.raises(StackError, match="on Debian `sudo apt-get install mosquitto`"):
        mosquitto_broker.install(said.append)
    assert said == []
    assert influxdb_server.influxd_to_be() is None
