"""The Telegraf peer: its agent with the plugins it needs, built once by Go into the cache."""

import os
import shutil
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

from deploy.bench.peer_environment import PEERS_FOLDER, bench_cache
from deploy.stack.cache import is_complete, mark_complete, part_lock, work_folder
from deploy.stack.children import dying_with
from ingest.contracts.errors import BenchError
from ingest.contracts.settings import KafkaSettings, MqttSettings

PROJECT: Final = PEERS_FOLDER / "telegraf"
PACKAGE: Final = "github.com/influxdata/telegraf/cmd/telegraf"
TAGS: Final = "custom,inputs.mqtt_consumer,outputs.kafka,parsers.value,serializers.influx"
"""Telegraf's own way to leave out what is not named."""
BUILD_TIMEOUT_S: Final = 900.0
UNDELIVERED_MESSAGES_MAX: Final = 20_000
"""As many as this bridge's own Receive Maximum."""
BATCH_MESSAGES: Final = 5_000
FLUSH_MS: Final = 200

_CONFIGURATION: Final = """[agent]
interval = "10s"
flush_interval = "{flush_ms}ms"
metric_batch_size = {batch_messages}
metric_buffer_limit = 200000
omit_hostname = true

[[inputs.mqtt_consumer]]
servers = ["tcp://{mqtt.host}:{mqtt.port}"]
topics = ["stock/v1/+/+/readings"]
qos = 1
persistent_session = true
client_id = "{client_id}"
username = "{mqtt.username}"
password = "{mqtt_password}"
max_undelivered_messages = {undelivered_messages_max}
data_format = "value"
data_type = "string"

[[outputs.kafka]]
brokers = ["{kafka.bootstrap}"]
topic = "{topic}"
required_acks = -1
compression_codec = 0
sasl_mechanism = "{kafka.sasl_mechanism}"
sasl_username = "{kafka.username}"
sasl_password = "{kafka_password}"
data_format = "influx"
"""


def telegraf_program(say: Callable[[str], None]) -> Path:
    """Return Telegraf's program, which is built now where it is missing.

    Raises:
        BenchError: Go is missing, or the build failed.
    """
    folder = _folder()
    with part_lock(folder):
        if not is_complete(folder):
            if shutil.which("go") is None:
                raise BenchError("go is not installed: Telegraf is built by it")
            say("building the Telegraf peer by Go, once, some minutes")
            _build(folder)
    return folder / "telegraf"


def configuration(kafka: KafkaSettings, mqtt: MqttSettings, *, topic: str, client_id: str) -> str:
    """Return Telegraf's configuration: payloads as they are, one record each, acks=all."""
    return _CONFIGURATION.format(
        flush_ms=FLUSH_MS,
        batch_messages=BATCH_MESSAGES,
        undelivered_messages_max=UNDELIVERED_MESSAGES_MAX,
        mqtt=mqtt,
        mqtt_password=mqtt.password.get_secret_value(),
        kafka=kafka,
        kafka_password=kafka.password.get_secret_value(),
        topic=topic,
        client_id=client_id,
    )


def _folder() -> Path:
    sources = (PROJECT / "go.mod").read_bytes() + (PROJECT / "go.sum").read_bytes()
    return bench_cache() / f"telegraf-{sha256(sources + TAGS.encode()).hexdigest()[:12]}"


def _build(folder: Path) -> None:
    argv = ["go", "build", "-mod=readonly", "-trimpath", "-ldflags", "-s -w", "-tags", TAGS]
    environ = os.environ  # noqa: TID251 - Go gets what we have
    # The toolchain that is installed; no other is fetched.
    environment = {**environ, "GOFLAGS": "", "GOWORK": "off", "GOTOOLCHAIN": "local"}
    with work_folder(folder) as work:
        shutil.copytree(PROJECT, work, dirs_exist_ok=True)
        try:
            done = subprocess.run(  # noqa: S603 - our own words
                [*argv, "-o", str(work / "telegraf"), PACKAGE],
                cwd=work,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=BUILD_TIMEOUT_S,
                preexec_fn=dying_with(os.getpid()),
            )
        except subprocess.TimeoutExpired as error:
            raise BenchError("Telegraf was not built in time") from error
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines()
            raise BenchError(f"Telegraf can't be built: {lines[-1] if lines else '?'}")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.move(work / "telegraf", folder / "telegraf")
    mark_complete(folder, f"{PACKAGE} with {TAGS}\n")
