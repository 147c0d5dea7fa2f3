"""The process table: who runs, who needs whom, and what each is told."""

import asyncio
from pathlib import Path

import pytest

from deploy.stack import influxdb_server, process_table
from deploy.stack.home import Home
from deploy.stack.kafka_broker import broker_argv
from deploy.stack.parts import Part, in_levels
from deploy.stack.plan import StackOptions, plan_of
from deploy.stack.process_table import NO_INFLUX_SENTENCE, Hooks, part_table

APPS = ["bridge-0", "stock-0", "planning-0", "alert-fold", "alert-send", "alert-floor", "sink"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return an empty home."""
    return Home(tmp_path)


async def yes() -> bool:
    """Answer for a part."""
    return True


def table(home: Home, *, influx_url: str = "", **options: object) -> dict[str, Part]:
    """Return the parts of a start by name."""
    hooks = Hooks(kafka_answers=yes, after_kafka=yes, after_influx=yes)
    asked = StackOptions.model_validate(options)
    parts = part_table(home, plan_of(home, asked), asked, hooks=hooks, influx_url=influx_url)
    return {part.name: part for part in parts}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be an influxd."""
    monkeypatch.setattr(influxdb_server, "influxd_program", lambda: Path("/opt/influxd"))


@pytest.mark.usefixtures("installed")
def test_the_whole_stack(home: Home) -> None:
    """Brokers first; every process needs both, the sink InfluxDB as well."""
    parts = table(home)
    assert list(parts) == ["kafka", "mosquitto", "influxdb", *APPS]
    first = [part.name for part in in_levels(list(parts.values()))[0]]
    assert first == ["kafka", "mosquitto", "influxdb"]
    assert all(parts[name].needs == ("kafka", "mosquitto") for name in APPS[:-1])
    assert parts["sink"].needs == ("kafka", "influxdb")
    assert [name for name, part in parts.items() if part.is_optional] == ["influxdb", "sink"]


@pytest.mark.usefixtures("installed")
def test_only_the_brokers(home: Home) -> None:
    """What tests and developers of one process start."""
    assert list(table(home, apps=False)) == ["kafka", "mosquitto", "influxdb"]
    assert list(table(home, apps=False, influx=False)) == ["kafka", "mosquitto"]


def test_workers_and_bridges_are_told_apart(home: Home) -> None:
    """Each bridge has its slice, each worker a data folder: two in one would disturb each other."""
    parts = table(home, workers=2, bridges=3, influx=False)
    slices = [parts[f"bridge-{i}"].environment for i in range(3)]
    assert slices == [{"SHELFSTREAM_BRIDGE_SLICE": f"{i}/3"} for i in range(3)]
    workers = ["stock-0", "stock-1", "planning-0", "alert-fold"]
    folders = [parts[name].environment["SHELFSTREAM_ENGINE_DATA_FOLDER"] for name in workers]
    assert folders == [str(home.path / "faust" / name) for name in workers]
    names = [parts[name].environment["SHELFSTREAM_ENGINE_INSTANCE_ID"] for name in workers]
    assert names == workers
    logs = [part.log for part in parts.values()]
    assert len(set(logs)) == len(logs)


def test_an_influxdb_elsewhere_is_not_started_here(home: Home) -> None:
    """The sink goes there, and needs Kafka only."""
    parts = table(home, influx_url="http://elsewhere:8086")
    assert "influxdb" not in parts
    assert parts["sink"].needs == ("kafka",)


def test_what_is_to_be_built_is_built_first(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The build runs under a leash and holds nobody up but InfluxDB."""
    monkeypatch.setattr(influxdb_server, "influxd_program", lambda: None)
    monkeypatch.setattr(influxdb_server, "missing_tools", list)
    parts = table(home)
    build = parts[process_table.INFLUX_BUILD]
    assert (build.is_task, build.is_optional, build.left_out) == (True, True, "")
    assert "deploy.stack.leash" in build.argv
    assert parts["influxdb"].needs == (build.name,)
    assert [part.name for part in parts.values() if build.name in part.needs] == ["influxdb"]


def test_what_can_not_be_built_is_left_out_aloud(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Build and server say why; the sink waits for a server that may come."""
    monkeypatch.setattr(influxdb_server, "influxd_program", lambda: None)
    monkeypatch.setattr(influxdb_server, "missing_tools", lambda: ["go"])
    parts = table(home)
    left_out = {name: part.left_out for name, part in parts.items() if part.left_out}
    assert left_out == dict.fromkeys(
        (process_table.INFLUX_BUILD, influxdb_server.PART), NO_INFLUX_SENTENCE
    )


def test_kafka_is_ready_when_it_answers_and_not_when_its_port_is_open(home: Home) -> None:
    """With nobody at the port the authenticated question is not even asked."""
    probe = table(home)["kafka"].probe
    assert probe is not None

    async def ask() -> bool:
        return await probe()

    assert not asyncio.run(ask())


def test_no_secret_is_on_a_command_line(home: Home) -> None:
    """What `ps` shows of any part names files, never a password."""
    plan = plan_of(home, StackOptions())
    secrets = [v for k, v in plan.model_dump().items() if k.endswith(("password", "token"))]
    words = " ".join(word for part in table(home).values() for word in part.argv)
    assert secrets
    assert not any(secret in words for secret in secrets)


def test_the_heap_is_what_was_asked_for(home: Home) -> None:
    """Classes and buffers beside it have limits of their own."""
    argv = table(home, kafka_heap_mib=384)["kafka"].argv
    assert list(argv) == broker_argv(home, heap_mib=384)
    assert {"-Xmx384m", "-XX:MaxMetaspaceSize=128m", "-XX:MaxDirectMemorySize=128m"} <= set(argv)
