"""One local stack from lock to end: plan, configuration, supervisor, state file."""

import asyncio
import logging
import signal
from collections.abc import Callable, Mapping
from typing import Final

from aiokafka.errors import KafkaError

from deploy.stack import influxdb_server, kafka_broker, mosquitto_broker
from deploy.stack.children import import_path
from deploy.stack.home import Home, take_lock, write_private
from deploy.stack.installation import confirm_installation
from deploy.stack.kafka_jars import fetch_jars
from deploy.stack.parts import Part, PartState, chosen
from deploy.stack.plan import StackOptions, StackPlan, devices_env_lines, env_lines, plan_of
from deploy.stack.process_table import Hooks, part_table
from deploy.stack.state import Phase, kill_orphans, read_state, write_state
from deploy.stack.supervisor import Supervisor
from deploy.topics import answers_metadata, await_coordinators, create_topics
from ingest.contracts.reference import Installation
from ingest.contracts.settings import (
    ENV_PREFIX,
    HOME_VARIABLE,
    InfluxSettings,
    KafkaSettings,
    load,
    read_env_file,
)

OWN_GROUPS: Final = ("KAFKA", "MQTT", "INSTALLATION")
"""Settings that the stack itself decides: a value left in the shell must not win over them."""

INFLUX_URL_VARIABLE: Final = f"{ENV_PREFIX}INFLUX_URL"
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Say = Callable[[str], None]


def install_parts(say: Say) -> None:
    """Fetch or install what a start can't do without: Kafka's jars and mosquitto.

    Raises:
        StackError: Something is missing; the sentence says what to install.
    """
    fetch_jars(say)
    mosquitto_broker.install(say)


async def run_stack(
    home: Home,
    options: StackOptions,
    environ: Mapping[str, str],
    *,
    observer: Callable[[Phase, PartState | None], None],
    now_ms: int,
) -> str:
    """Run a stack until a signal; return why it ended by itself, or an empty text.

    Raises:
        ShelfstreamError: It can't be started: another runs here, or the plan refuses.
    """
    # Its connections to a broker that is only starting fail by nature; what matters is raised.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    with take_lock(home):
        kill_orphans(read_state(home))
        plan = plan_of(home, options)
        parts = _configured_parts(home, plan, options, environ, now_ms)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, stop.set)
        return await _supervised(home, parts, _environment(home, environ), stop, observer)


async def _supervised(
    home: Home,
    parts: list[Part],
    environment: Mapping[str, str],
    stop: asyncio.Event,
    observer: Callable[[Phase, PartState | None], None],
) -> str:
    phase: Phase = "starting"

    def record(part: PartState | None, failure: str = "") -> None:
        write_state(home, phase, failure, list(supervisor.states.values()))
        observer(phase, part)

    def on_ready() -> None:
        nonlocal phase
        phase = "ready"
        record(None)

    supervisor = Supervisor(parts, environment, record)
    record(None)
    failure = await supervisor.run(stop, on_ready)
    phase = "failed" if failure else "stopped"
    record(None, failure)
    return failure


def _configured_parts(
    home: Home,
    plan: StackPlan,
    options: StackOptions,
    environ: Mapping[str, str],
    now_ms: int,
) -> list[Part]:
    own_influx = bool(options.influx and influxdb_server.influxd_to_be())
    foreign_url = environ.get(INFLUX_URL_VARIABLE, "")
    influx_url = foreign_url or (plan.influx_url if own_influx else "")
    write_private(home.env_file, env_lines(plan, influx_url))
    write_private(home.devices_env_file, devices_env_lines(plan))
    kafka_broker.write_configuration(home, plan)
    mosquitto_broker.write_configuration(home, plan)
    for part in (kafka_broker.PART, influxdb_server.PART):
        home.data(part).mkdir(parents=True, exist_ok=True)
    hooks = _hooks(home, plan, now_ms)
    parts = part_table(home, plan, options, hooks=hooks, influx_url=foreign_url)
    return parts if options.only is None else chosen(parts, options.only)


def _hooks(home: Home, plan: StackPlan, now_ms: int) -> Hooks:
    values = read_env_file(home.env_file) | {HOME_VARIABLE: str(home.path)}
    kafka, influx = load(KafkaSettings, values), load(InfluxSettings, values)
    record = Installation(
        installation_id=plan.installation_id,
        partition_count=plan.partition_count,
        time=plan.time,
        created_at_ms=now_ms,
    )

    async def answers() -> bool:
        return await answers_metadata(kafka)

    async def after_kafka() -> bool:
        try:
            await create_topics(kafka, plan.partition_count)
            await await_coordinators(kafka)
            await confirm_installation(kafka, record)
        except KafkaError:
            return False
        return True

    async def after_influx() -> bool:
        await asyncio.to_thread(influxdb_server.set_up, plan, influx)
        return True

    return Hooks(kafka_answers=answers, after_kafka=after_kafka, after_influx=after_influx)


def environment_of(home: Home, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what a process of this home's stack reads its settings from.

    What the stack decides itself is left out, so that its env file says it.
    """
    own = tuple(f"{ENV_PREFIX}{group}_" for group in OWN_GROUPS)
    kept = {name: value for name, value in environ.items() if not name.startswith(own)}
    return {**kept, HOME_VARIABLE: str(home.path)}


def _environment(home: Home, environ: Mapping[str, str]) -> dict[str, str]:
    # Its output goes to a file at once.
    of_home = environment_of(home, environ)
    return {**of_home, "PYTHONUNBUFFERED": "1", "PYTHONPATH": import_path(environ)}
