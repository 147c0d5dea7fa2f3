"""Fixtures of every test: the real local stack, once a session, and names that never clash."""

import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from deploy.stack.home import Home
from deploy.stack.influxdb_server import influxd_program
from deploy.stack.local import await_part, running_stack
from deploy.stack.plan import StackOptions
from ingest.contracts.settings import (
    HOME_VARIABLE,
    InfluxSettings,
    KafkaSettings,
    MqttSettings,
    load,
    read_env_file,
)
from tests.stack import TestStack, unique_name

KAFKA_HEAP_MIB = 384
_SLOW_MACHINES_TOO = [HealthCheck.too_slow]
settings.register_profile(
    "fast", max_examples=15, deadline=None, suppress_health_check=_SLOW_MACHINES_TOO
)
settings.register_profile(
    "full", max_examples=60, deadline=None, suppress_health_check=_SLOW_MACHINES_TOO
)
settings.load_profile("full")  # `make check` asks for the fast one by `--hypothesis-profile`
INFLUX_TIMEOUT_S = 90.0


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--run-long`, which `make test-long` gives."""
    parser.addoption("--run-long", action="store_true", help="also run the tests marked `long`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests marked `long` unless they were asked for."""
    if config.getoption("--run-long"):
        return
    long_items = [item for item in items if item.get_closest_marker("long")]
    if long_items:
        config.hook.pytest_deselected(items=long_items)
        items[:] = [item for item in items if item not in long_items]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestStack]:
    """Run Kafka and mosquitto, and InfluxDB where it is installed, until the session ends.

    The brokers are the very ones of `shelfstream up --no-apps`, in a home of their own. If this
    process is killed, the kernel ends the supervisor, and the supervisor ends the brokers.
    """
    home = Home(tmp_path_factory.mktemp("stack") / "home")
    has_influx = influxd_program() is not None
    options = StackOptions(apps=False, influx=has_influx, kafka_heap_mib=KAFKA_HEAP_MIB)
    environ = {n: v for n, v in os.environ.items() if not n.startswith("SHELFSTREAM_")}  # noqa: TID251 - a main of tests
    with running_stack(home, options, environ, say=lambda _: None):
        has_influx = has_influx and await_part(home, "influxdb", INFLUX_TIMEOUT_S)
        values = read_env_file(home.env_file) | {HOME_VARIABLE: str(home.path)}
        yield TestStack(
            home=home,
            kafka=load(KafkaSettings, values),
            mqtt=load(MqttSettings, values),
            devices=load(MqttSettings, values | read_env_file(home.devices_env_file)),
            influx=load(InfluxSettings, values) if has_influx else None,
        )


@pytest.fixture
def influx(stack: TestStack) -> InfluxSettings:
    """Return the settings of a real InfluxDB, or skip aloud where there is none."""
    if stack.influx is None:
        pytest.skip("there is no influxd: install Go, cargo and gcc, then `make influxdb`")
    return stack.influx


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Return a maker of names that no other test uses: `unique("group")`."""
    return unique_name
