"""The process table of the local stack: every process, what it needs, how one sees it is ready."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from deploy.stack import influxdb_server, kafka_broker, mosquitto_broker
from deploy.stack.children import leashed
from deploy.stack.home import Home
from deploy.stack.parts import Part
from deploy.stack.plan import PIPELINE_USER, StackOptions, StackPlan
from deploy.stack.probes import accepts_mqtt_login, answers_http, answers_tcp
from ingest.contracts.settings import ENV_PREFIX

INFLUX_BUILD: Final = "influxdb-build"
INFLUX_READY_TIMEOUT_S: Final = 120.0
SINK: Final = "sink"
NO_INFLUX_SENTENCE: Final = (
    "there is no influxd on PATH and no Go, cargo and gcc to build one: "
    "charts are left out, the rest runs"
)

ResultT = TypeVar("ResultT")
Hook = Callable[[], Awaitable[ResultT]]


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """Work between two parts that the table only names."""

    kafka_answers: Hook[bool]
    """Tells whether Kafka answers an authenticated request."""
    after_kafka: Hook[bool]
    """Makes the topics and compares the installation, before anybody else sees Kafka."""
    after_influx: Hook[bool]
    """Sets InfluxDB up."""


def part_table(
    home: Home, plan: StackPlan, options: StackOptions, *, hooks: Hooks, influx_url: str
) -> list[Part]:
    """Return the processes of a start; `influx_url` is a server that is not ours, or empty."""
    parts = [_kafka(home, plan, options, hooks), _mosquitto(home, plan)]
    influx_part = ""
    if options.influx and not influx_url:
        parts += _influx(home, plan, hooks)
        influx_part = influxdb_server.PART
    if options.apps:
        parts += _apps(home, options)
        parts += _sink(home, influx_part) if options.influx else []
    return parts


def _kafka(home: Home, plan: StackPlan, options: StackOptions, hooks: Hooks) -> Part:
    async def answers() -> bool:
        return await answers_tcp(plan.kafka_port) and await hooks.kafka_answers()

    return Part(
        name=kafka_broker.PART,
        argv=kafka_broker.broker_argv(home, heap_mib=options.kafka_heap_mib),
        log=home.log(kafka_broker.PART),
        port=plan.kafka_port,
        prepare=partial(kafka_broker.format_storage, home, plan),
        probe=answers,
        on_ready=hooks.after_kafka,
        grace_s=20.0,
    )


def _mosquitto(home: Home, plan: StackPlan) -> Part:
    return Part(
        name=mosquitto_broker.PART,
        argv=mosquitto_broker.broker_argv(home),
        log=home.log(mosquitto_broker.PART),
        port=plan.mqtt_port,
        probe=partial(accepts_mqtt_login, plan.mqtt_port, PIPELINE_USER, plan.mqtt_password),
    )


def _influx(home: Home, plan: StackPlan, hooks: Hooks) -> list[Part]:
    program = influxdb_server.influxd_to_be()
    build = Part(
        name=INFLUX_BUILD,
        argv=leashed([sys.executable, "-m", "deploy.stack.influxdb_build"]),
        log=home.log(INFLUX_BUILD),
        is_task=True,
        is_optional=True,
        left_out="" if program else NO_INFLUX_SENTENCE,
    )
    must_build = influxdb_server.influxd_program() is None
    server = Part(
        name=influxdb_server.PART,
        argv=influxdb_server.server_argv(home, plan, program or Path("influxd")),
        log=home.log(influxdb_server.PART),
        needs=(INFLUX_BUILD,) if must_build else (),
        port=plan.influx_port,
        probe=partial(answers_http, plan.influx_port, "/health"),
        on_ready=hooks.after_influx,
        ready_timeout_s=INFLUX_READY_TIMEOUT_S,
        is_optional=True,
        left_out="" if program else NO_INFLUX_SENTENCE,
    )
    return [build, server] if must_build else [server]


def _apps(home: Home, options: StackOptions) -> list[Part]:
    count = options.bridges
    bridges = [
        _app(home, f"bridge-{i}", "ingest.main", BRIDGE_SLICE=f"{i}/{count}") for i in range(count)
    ]
    workers = [_fold(home, f"stock-{i}", "streams.main", "stock") for i in range(options.workers)]
    return [
        *bridges,
        *workers,
        _fold(home, "planning-0", "streams.main", "planning"),
        _fold(home, "alert-fold", "alerting.main", "fold"),
        _app(home, "alert-send", "alerting.main", "send"),
        _app(home, "alert-floor", "alerting.main", "floor"),
    ]


def _sink(home: Home, influx_part: str) -> list[Part]:
    argv = [sys.executable, "-m", "streams.main", SINK]
    return [
        Part(
            name=SINK,
            argv=argv,
            log=home.log(SINK),
            needs=(kafka_broker.PART, *((influx_part,) if influx_part else ())),
            is_optional=True,
        )
    ]


def _fold(home: Home, name: str, module: str, word: str) -> Part:
    # With a name in its group a worker that is started again has its partitions back at once.
    return _app(
        home,
        name,
        module,
        word,
        ENGINE_DATA_FOLDER=str(home.faust(name)),
        ENGINE_INSTANCE_ID=name,
    )


def _app(home: Home, name: str, module: str, *words: str, **settings: str) -> Part:
    return Part(
        name=name,
        argv=[sys.executable, "-m", module, *words],
        log=home.log(name),
        needs=(kafka_broker.PART, mosquitto_broker.PART),
        environment={f"{ENV_PREFIX}{key}": value for key, value in settings.items()},
    )
