"""The local stack's Kafka: one KRaft node on loopback, every listener behind a password."""

import os
import subprocess
from pathlib import Path
from typing import Final

from deploy.stack.children import dying_with
from deploy.stack.home import Home, write_private
from deploy.stack.kafka_jars import jars_path
from deploy.stack.plan import LOOPBACK, PIPELINE_USER, StackPlan
from ingest.contracts.errors import StackError
from ingest.contracts.topics import RECORD_BYTES_MAX

PART: Final = "kafka"
BROKER_USER: Final = "broker"
SESSION_TIMEOUT_MS_MIN: Final = 1_000
"""Tests use sessions of 3 s; Kafka's own lower bound is 6 s."""

METASPACE_MIB_MAX: Final = 128
DIRECT_MIB_MAX: Final = 128
"""Beside the heap: left alone, classes may take all there is, and buffers the heap's size again."""

FETCH_BYTES_MAX: Final = RECORD_BYTES_MAX + 64 * 1024
INTERNAL_PARTITIONS: Final = 8
"""Partitions of the offsets and transaction topics; Kafka's 50 only cost start-up time here."""

LOG4J: Final = """status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c{1}: %m%n
rootLogger.level=WARN
rootLogger.appenderRef.out.ref=out
"""


def server_properties(home: Home, plan: StackPlan) -> str:
    """Return the broker's settings; they hold passwords."""
    clients = f'user_{BROKER_USER}="{plan.kafka_broker_password}"'
    clients += f' user_{PIPELINE_USER}="{plan.kafka_password}"'
    values = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{LOOPBACK}:{plan.kafka_controller_port}",
        "listeners": f"CLIENT://{plan.kafka_bootstrap},"
        f"CONTROLLER://{LOOPBACK}:{plan.kafka_controller_port}",
        "advertised.listeners": f"CLIENT://{plan.kafka_bootstrap}",
        "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.client.plain.sasl.jaas.config": _jaas(plan, clients),
        "listener.name.controller.plain.sasl.jaas.config": _jaas(
            plan, f'user_{BROKER_USER}="{plan.kafka_broker_password}"'
        ),
        "log.dirs": str(home.data(PART)),
        **_LIMITS,
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


_LIMITS: Final = {
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": str(INTERNAL_PARTITIONS),
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": str(INTERNAL_PARTITIONS),
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": str(SESSION_TIMEOUT_MS_MIN),
    "message.max.bytes": str(RECORD_BYTES_MAX),
    "replica.fetch.max.bytes": str(FETCH_BYTES_MAX),
    "log.cleaner.dedupe.buffer.size": str(32 * 1024 * 1024),
    "num.network.threads": "2",
    "num.io.threads": "4",
    # An expired open transaction holds every read_committed reader up: look often.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
}


def write_configuration(home: Home, plan: StackPlan) -> None:
    """Write the broker's settings, readable by its owner only."""
    write_private(_properties_file(home), server_properties(home, plan))
    write_private(home.config(PART) / "log4j2.properties", LOG4J)
    (home.path / "tmp").mkdir(parents=True, exist_ok=True)


def format_storage(home: Home, plan: StackPlan) -> None:
    """Make the node's storage, once; the mark of it is Kafka's own `meta.properties`.

    Raises:
        StackError: Kafka's tool refused.
    """
    if (home.data(PART) / "meta.properties").is_file():
        return
    tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted"]
    # One word: an id may begin with a dash, and the tool would take it for an option.
    tool += [f"--cluster-id={plan.kafka_cluster_id}", "-c", str(_properties_file(home))]
    argv = [*_java(home, heap_mib=128), *tool]
    done = subprocess.run(  # noqa: S603 - our own words
        argv,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=dying_with(os.getpid()),
    )
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise StackError(
            f"Kafka's storage can't be made: {lines[0] if lines else 'no reason given'}"
        )


def broker_argv(home: Home, *, heap_mib: int) -> list[str]:
    """Return the command that runs the broker."""
    return [*_java(home, heap_mib=heap_mib), "kafka.Kafka", str(_properties_file(home))]


def _java(home: Home, *, heap_mib: int) -> list[str]:
    return [
        "java",
        f"-Xmx{heap_mib}m",
        f"-XX:MaxMetaspaceSize={METASPACE_MIB_MAX}m",
        f"-XX:MaxDirectMemorySize={DIRECT_MIB_MAX}m",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",  # no file outside the home
        f"-Djava.io.tmpdir={home.path / 'tmp'}",
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={home.config(PART) / 'log4j2.properties'}",
        "-cp",
        f"{jars_path()}/*",
    ]


def _properties_file(home: Home) -> Path:
    return home.config(PART) / "server.properties"


def _jaas(plan: StackPlan, users: str) -> str:
    login = f'username="{BROKER_USER}" password="{plan.kafka_broker_password}"'
    return f"org.apache.kafka.common.security.plain.PlainLoginModule required {login} {users};"
