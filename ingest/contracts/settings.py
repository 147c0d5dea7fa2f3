"""How settings are read: `SHELFSTREAM_{GROUP}_{NAME}`, from the environment or a stack's file.

A misspelt name is refused: pydantic-settings ignores unknown environment variables without a
word, so `load` checks the names itself.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from ingest.contracts.errors import SettingsError

ENV_PREFIX: Final = "SHELFSTREAM_"
HOME_VARIABLE: Final = f"{ENV_PREFIX}HOME"
"""Names the folder of the local stack's state; `.shelfstream` in the working folder otherwise."""

ENV_FILE_NAME: Final = "env"
"""Inside that folder: `NAME=value` lines that `shelfstream up` writes, mode 0600."""

GROUPS: Final = frozenset(
    {
        "KAFKA",
        "MQTT",
        "INFLUX",
        "INSTALLATION",
        "BRIDGE",
        "ENGINE",
        "SINK",
        "ALERTING",
        "STACK",
        "SIMULATOR",
    }
)


class Settings(BaseModel):
    """Base of every settings class: frozen, unknown names refused, one group of variables."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    group: ClassVar[str]


class KafkaSettings(Settings):
    """Where Kafka is and how to log in."""

    group: ClassVar[str] = "KAFKA"
    bootstrap: str = "127.0.0.1:9092"
    """Host and port pairs, comma separated."""
    security_protocol: Literal["PLAINTEXT", "SASL_PLAINTEXT", "SSL", "SASL_SSL"] = "SASL_PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    username: str = "shelfstream"
    password: SecretStr = SecretStr("")
    ca_file: Path | None = None


class MqttSettings(Settings):
    """Where the MQTT broker is and how to log in."""

    group: ClassVar[str] = "MQTT"
    host: str = "127.0.0.1"
    port: int = Field(default=1883, ge=1, le=65535)
    username: str = "shelfstream"
    password: SecretStr = SecretStr("")
    ca_file: Path | None = None


class InfluxSettings(Settings):
    """Where InfluxDB 2 is and how to log in; an empty URL means there is none."""

    group: ClassVar[str] = "INFLUX"
    url: str = ""
    org: str = "shelfstream"
    bucket: str = "shelfstream"
    token: SecretStr = SecretStr("")


class InstallationSettings(Settings):
    """What an installation is made with; recorded once, compared at every start."""

    group: ClassVar[str] = "INSTALLATION"
    partition_count: int = Field(default=4, ge=1, le=1024)
    time: Literal["wall", "driven"] = "wall"


SettingsT = TypeVar("SettingsT", bound=Settings)


def read_env_file(path: Path) -> dict[str, str]:
    """Return the `NAME=value` lines of a stack's env file; empty where there is no file."""
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def load(settings_class: type[SettingsT], environ: Mapping[str, str]) -> SettingsT:
    """Read one group of settings out of an environment.

    The environment wins over the env file of the local stack (`$SHELFSTREAM_HOME/env`).

    Raises:
        SettingsError: A `SHELFSTREAM_` name is unknown, or a value is refused.
    """
    home = Path(environ.get(HOME_VARIABLE, ".shelfstream"))
    merged = {**read_env_file(home / ENV_FILE_NAME), **environ}
    prefix = f"{ENV_PREFIX}{settings_class.group}_"
    values: dict[str, str] = {}
    for name, value in merged.items():
        if not name.startswith(ENV_PREFIX) or name == HOME_VARIABLE:
            continue
        group = name.removeprefix(ENV_PREFIX).partition("_")[0]
        if group not in GROUPS:
            raise SettingsError(f"{name} is no setting: the groups are {', '.join(sorted(GROUPS))}")
        if name.startswith(prefix):
            values[name.removeprefix(prefix).lower()] = value
    try:
        return settings_class.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_sentence(prefix, error)) from error


def _sentence(prefix: str, error: ValidationError) -> str:
    first = error.errors()[0]
    name = prefix + "_".join(str(part) for part in first["loc"]).upper()
    return f"{name}: {first['msg']}"
