"""What a stack chooses once, and what it hands to its processes."""

import socket
from pathlib import Path

import pytest

from deploy.stack.home import Home
from deploy.stack.kafka_broker import server_properties
from deploy.stack.mosquitto_broker import ACCESS_RULES, configuration
from deploy.stack.plan import (
    PORT_NAMES,
    StackOptions,
    StackPlan,
    devices_env_lines,
    env_lines,
    free_ports,
    is_free,
    plan_of,
    read_plan,
)
from ingest.contracts.errors import InstallationError, StackError
from ingest.contracts.settings import InfluxSettings, KafkaSettings, MqttSettings, load


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return an empty home."""
    return Home(tmp_path)


@pytest.fixture
def plan(home: Home) -> StackPlan:
    """Return the home's first plan."""
    return plan_of(home, StackOptions(partition_count=6))


def test_a_plan_is_kept(home: Home, plan: StackPlan) -> None:
    """A later start has the same ports, secrets and installation."""
    assert plan_of(home, StackOptions()) == plan
    assert read_plan(home) == plan


def test_a_taken_port_is_chosen_anew(home: Home, plan: StackPlan) -> None:
    """Only that one changes."""
    with socket.socket() as foreign:
        foreign.bind(("127.0.0.1", plan.mqtt_port))
        foreign.listen()
        assert not is_free(plan.mqtt_port)
        later = plan_of(home, StackOptions())
    changed = [name for name in PORT_NAMES if getattr(later, name) != getattr(plan, name)]
    assert changed == ["mqtt_port"]


def test_an_installation_keeps_its_count_and_time(home: Home, plan: StackPlan) -> None:
    """Another is refused in a sentence that names both."""
    assert plan.time == "wall"
    with pytest.raises(InstallationError, match="made with 6 partitions, not 4"):
        plan_of(home, StackOptions(partition_count=4))
    with pytest.raises(InstallationError, match="made with wall time, not driven"):
        plan_of(home, StackOptions(time="driven"))


def test_no_plan_and_a_broken_plan_are_sentences(home: Home) -> None:
    """Neither is a traceback."""
    with pytest.raises(StackError, match="shelfstream up"):
        read_plan(home)
    home.plan_file.write_text("{}")
    with pytest.raises(StackError, match="can't be read"):
        read_plan(home)


def test_the_env_file_is_read_by_the_settings(home: Home, plan: StackPlan) -> None:
    """What `up` writes is what every main reads, and devices get another login."""
    home.env_file.write_text(env_lines(plan, plan.influx_url))
    environ = {"SHELFSTREAM_HOME": str(home.path)}
    assert load(KafkaSettings, environ).bootstrap == plan.kafka_bootstrap
    assert load(MqttSettings, environ).username == "shelfstream"
    assert load(InfluxSettings, environ).token.get_secret_value() == plan.influx_token
    home.env_file.write_text(devices_env_lines(plan))
    assert load(MqttSettings, environ).username == "devices"
    assert plan.mqtt_password != plan.devices_password


def test_without_influxdb_there_is_no_url(home: Home, plan: StackPlan) -> None:
    """An empty URL means none."""
    home.env_file.write_text(env_lines(plan, ""))
    settings = load(InfluxSettings, {"SHELFSTREAM_HOME": str(home.path)})
    assert settings.url == ""


def test_brokers_listen_on_loopback_and_ask_for_a_password(home: Home, plan: StackPlan) -> None:
    """No listener of Kafka or mosquitto is open to another machine or to a guest."""
    kafka = dict(line.split("=", 1) for line in server_properties(home, plan).splitlines())
    listeners = kafka["listeners"].split(",")
    assert all("//127.0.0.1:" in listener for listener in listeners)
    assert "PLAINTEXT" not in kafka["listener.security.protocol.map"].replace("SASL_PLAINTEXT", "")
    mosquitto = configuration(home, plan, user="root").splitlines()
    assert f"listener {plan.mqtt_port} 127.0.0.1" in mosquitto
    assert "allow_anonymous false" in mosquitto
    assert mosquitto[-1] == "user root"


def test_devices_may_not_write_what_the_bridge_writes() -> None:
    """Receipts and tasks are read-only for them."""
    devices = ACCESS_RULES.split("user devices")[1]
    assert "topic write stock/v1/+/+/scans" in devices
    assert "topic read stock/v1/+/+/accepted" in devices
    assert "write stock/v1/+/+/accepted" not in devices


def test_free_ports_differ() -> None:
    """No port is handed out twice at once."""
    assert len(set(free_ports(20))) == 20
