"""The bridges under comparison: how each is started, and what it promises."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Final

from deploy.bench.bridge_load import events_in_frame, events_in_text
from deploy.bench.bridge_rounds import Command, Contender, mqtt_of, pipeline_environ
from deploy.bench.peer_environment import peers_python
from deploy.bench.place import Place
from deploy.bench.report import BenchOptions
from deploy.bench.telegraf_peer import configuration, telegraf_program
from deploy.stack.children import import_path
from deploy.stack.home import write_private
from ingest.contracts.durations import DAY_MS
from ingest.contracts.errors import BenchError
from ingest.contracts.settings import ENV_PREFIX
from ingest.contracts.topics import INPUTS, Topic
from ingest.slices import client_id

OURS: Final = "ours"
TWO: Final = "ours_two"
TELEGRAF: Final = "telegraf"
QUIX: Final = "quix"
KEYS: Final = (OURS, TELEGRAF, QUIX, TWO)
QUICK_KEYS: Final = (OURS, TELEGRAF)
PEER_TOPICS: Final = tuple(
    Topic(name=f"bench-{key}", partitioned_by="sku", retention_ms=DAY_MS, doc="")
    for key in (TELEGRAF, QUIX)
)
PROMISE: Final = (
    "at least once: PUBACK after Kafka's ack, in order; events checked, refused ones kept; "
    "a receipt to the device"
)


def ours(place: Place, slices: int = 1) -> Contender:
    """Return this bridge in so many processes, each with its slice of the sites."""
    environ = pipeline_environ(place)
    argv = [sys.executable, "-m", "ingest.main"]
    return Contender(
        key=OURS if slices == 1 else TWO,
        name="Shelfstream" if slices == 1 else f"Shelfstream, {slices} processes",
        guarantee=PROMISE,
        commands=[
            Command(argv, {**environ, f"{ENV_PREFIX}BRIDGE_SLICE": f"{index}/{slices}"})
            for index in range(slices)
        ],
        topic=INPUTS.name,
        client_ids=[client_id(index, slices) for index in range(slices)],
        found=events_in_frame,
    )


def telegraf(place: Place, say: Callable[[str], None]) -> Contender:
    """Return Telegraf.

    Raises:
        BenchError: It can't be built.
    """
    program = telegraf_program(say)
    topic, client = f"bench-{TELEGRAF}", f"bench-{TELEGRAF}"
    path = place.logs.parent / "telegraf.conf"
    write_private(path, configuration(place.kafka, mqtt_of(place), topic=topic, client_id=client))
    return Contender(
        key=TELEGRAF,
        name="Telegraf 1.37",
        guarantee="at least once: PUBACK after Kafka's ack; payloads unread",
        commands=[Command([str(program), "--config", str(path)], dict(os.environ))],  # noqa: TID251 - handed on
        topic=topic,
        client_ids=[client],
        found=events_in_text,
    )


def quix(place: Place, say: Callable[[str], None]) -> Contender:
    """Return Quix Streams' MQTT source.

    Raises:
        BenchError: Its packages can't be installed.
    """
    python = peers_python(say)
    topic, client = f"bench-{QUIX}", f"bench-{QUIX}"
    kafka, mqtt = place.kafka, mqtt_of(place)
    told = {
        "bootstrap": kafka.bootstrap,
        "security_protocol": kafka.security_protocol,
        "sasl_mechanism": kafka.sasl_mechanism,
        "kafka_username": kafka.username,
        "kafka_password": kafka.password.get_secret_value(),
        "mqtt_host": mqtt.host,
        "mqtt_port": str(mqtt.port),
        "mqtt_username": mqtt.username,
        "mqtt_password": mqtt.password.get_secret_value(),
        "topic": topic,
        "client_id": client,
    }
    environ = os.environ  # noqa: TID251 - handed on
    environment = {**environ, "PYTHONPATH": import_path(environ)}
    environment |= {f"BENCH_PEER_{name.upper()}": value for name, value in told.items()}
    return Contender(
        key=QUIX,
        name="Quix Streams MQTT source",
        guarantee="PUBACK before Kafka has it: a crash loses messages; payloads unread",
        commands=[Command([str(python), "-m", "deploy.bench.peers.quix_mqtt"], environment)],
        topic=topic,
        client_ids=[client],
        found=events_in_text,
        is_slow=True,
    )


def wanted(options: BenchOptions) -> tuple[str, ...]:
    """Return the keys of the bridges that a run measures: those that were named, or all.

    Raises:
        BenchError: A name is no bridge.
    """
    unknown = [name for name in options.only if name not in KEYS]
    if unknown:
        raise BenchError(f"{unknown[0]} is no bridge here: there are {', '.join(KEYS)}")
    if options.only:
        return tuple(key for key in KEYS if key in options.only)
    return QUICK_KEYS if options.quick else KEYS


def contenders(
    place: Place, say: Callable[[str], None], keys: Sequence[str]
) -> tuple[list[Contender], dict[str, str]]:
    """Return the bridges that this machine can run, and why others are absent."""
    made = {
        OURS: lambda: ours(place),
        TELEGRAF: lambda: telegraf(place, say),
        QUIX: lambda: quix(place, say),
        TWO: lambda: ours(place, slices=2),
    }
    found: list[Contender] = []
    absent = {key: "not measured in this run" for key in KEYS if key not in keys}
    for key in keys:
        try:
            found.append(made[key]())
        except BenchError as error:
            absent[key] = str(error)
            say(f"{key} is left out: {error}")
    return found, absent
