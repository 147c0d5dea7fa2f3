"""What a stack chooses once and keeps: its ports, its secrets, its installation."""

import secrets
import socket
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from deploy.stack.home import Home, write_private
from ingest.contracts.errors import InstallationError, StackError
from ingest.contracts.settings import ENV_PREFIX
from ingest.contracts.topics import PARTITION_COUNT_DEFAULT

LOOPBACK: Final = "127.0.0.1"
PIPELINE_USER: Final = "shelfstream"
DEVICES_USER: Final = "devices"
SECRET_BYTES: Final = 24
PORT_NAMES: Final = ("kafka_port", "kafka_controller_port", "mqtt_port", "influx_port")


class StackPlan(BaseModel):
    """Ports, secrets and installation of one home."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    installation_id: str
    partition_count: int
    time: Literal["wall", "driven"]
    kafka_cluster_id: str
    kafka_port: int
    kafka_controller_port: int
    kafka_password: str
    kafka_broker_password: str
    mqtt_port: int
    mqtt_password: str
    devices_password: str
    influx_port: int
    influx_password: str
    influx_token: str

    @property
    def kafka_bootstrap(self) -> str:
        """Host and port of the broker."""
        return f"{LOOPBACK}:{self.kafka_port}"

    @property
    def influx_url(self) -> str:
        """Where this stack's own InfluxDB answers."""
        return f"http://{LOOPBACK}:{self.influx_port}"


class StackOptions(BaseModel):
    """What a start is asked for; None where the plan or the default decides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    apps: bool = True
    """False starts only the brokers."""
    influx: bool = True
    workers: int = 1
    """Workers of the stock fold."""
    bridges: int = 1
    """Bridges, each with its slice of the sites."""
    only: tuple[str, ...] | None = None
    """Names of the processes to start, with what they need; None for all."""
    partition_count: int | None = None
    time: Literal["wall", "driven"] | None = None
    kafka_heap_mib: int = 512


def plan_of(home: Home, options: StackOptions) -> StackPlan:
    """Return the home's plan, made now where there is none; taken ports are chosen anew.

    Call it only while nothing of the stack runs.

    Raises:
        InstallationError: The options name another partition count or time than the plan.
    """
    if home.plan_file.is_file():
        plan = _read(home.plan_file)
        _check(plan, options)
        taken = [name for name in PORT_NAMES if not is_free(getattr(plan, name))]
        plan = plan.model_copy(update=dict(zip(taken, free_ports(len(taken)), strict=True)))
    else:
        plan = _new_plan(options)
    write_private(home.plan_file, plan.model_dump_json(indent=1))
    return plan


def read_plan(home: Home) -> StackPlan:
    """Return the home's plan.

    Raises:
        StackError: There is none, or it can't be read.
    """
    if not home.plan_file.is_file():
        raise StackError(f"there is no stack in {home.path}: `shelfstream up` makes one")
    return _read(home.plan_file)


def env_lines(plan: StackPlan, influx_url: str) -> str:
    """Return the env file: how the pipeline reaches each part; an empty URL means no InfluxDB."""
    values = {
        "KAFKA_BOOTSTRAP": plan.kafka_bootstrap,
        "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KAFKA_SASL_MECHANISM": "PLAIN",
        "KAFKA_USERNAME": PIPELINE_USER,
        "KAFKA_PASSWORD": plan.kafka_password,
        "MQTT_HOST": LOOPBACK,
        "MQTT_PORT": str(plan.mqtt_port),
        "MQTT_USERNAME": PIPELINE_USER,
        "MQTT_PASSWORD": plan.mqtt_password,
        "INFLUX_URL": influx_url,
        "INFLUX_ORG": "shelfstream",
        "INFLUX_BUCKET": "shelfstream",
        "INFLUX_TOKEN": plan.influx_token if influx_url else "",
        "INSTALLATION_PARTITION_COUNT": str(plan.partition_count),
        "INSTALLATION_TIME": plan.time,
    }
    return _lines(values)


def devices_env_lines(plan: StackPlan) -> str:
    """Return the devices' env file: the MQTT group alone, with the devices' login."""
    values = {
        "MQTT_HOST": LOOPBACK,
        "MQTT_PORT": str(plan.mqtt_port),
        "MQTT_USERNAME": DEVICES_USER,
        "MQTT_PASSWORD": plan.devices_password,
    }
    return _lines(values)


def free_ports(count: int) -> list[int]:
    """Return `count` different loopback ports that nobody listens on."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]


def _new_plan(options: StackOptions) -> StackPlan:
    ports = dict(zip(PORT_NAMES, free_ports(len(PORT_NAMES)), strict=True))
    return StackPlan(
        installation_id=str(uuid.uuid4()),
        partition_count=options.partition_count or PARTITION_COUNT_DEFAULT,
        time=options.time or "wall",
        kafka_cluster_id=secrets.token_urlsafe(16)[:22],
        kafka_password=secrets.token_urlsafe(SECRET_BYTES),
        kafka_broker_password=secrets.token_urlsafe(SECRET_BYTES),
        mqtt_password=secrets.token_urlsafe(SECRET_BYTES),
        devices_password=secrets.token_urlsafe(SECRET_BYTES),
        influx_password=secrets.token_urlsafe(SECRET_BYTES),
        influx_token=secrets.token_urlsafe(SECRET_BYTES),
        **ports,
    )


def _read(path: Path) -> StackPlan:
    try:
        return StackPlan.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise StackError(f"{path} can't be read: {error.errors()[0]['msg']}") from error


def _check(plan: StackPlan, options: StackOptions) -> None:
    if options.partition_count not in (None, plan.partition_count):
        raise InstallationError(
            f"this installation was made with {plan.partition_count} partitions, not "
            f"{options.partition_count}: keep that count, or start a new home"
        )
    if options.time not in (None, plan.time):
        raise InstallationError(
            f"this installation was made with {plan.time} time, not {options.time}: "
            "keep it, or start a new home"
        )


def is_free(port: int) -> bool:
    """Tell whether nobody listens on a loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _lines(values: dict[str, str]) -> str:
    return "".join(f"{ENV_PREFIX}{name}={value}\n" for name, value in values.items())
