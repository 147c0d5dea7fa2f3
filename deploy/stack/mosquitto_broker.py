"""The local stack's MQTT broker: mosquitto on loopback, two logins, everything else refused."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from deploy.stack.home import Home, write_private
from deploy.stack.plan import DEVICES_USER, LOOPBACK, PIPELINE_USER, StackPlan
from ingest.contracts.errors import StackError
from ingest.contracts.topics import MQTT_ROOT, MQTT_TIME, RECORD_BYTES_MAX

PART: Final = "mosquitto"
INFLIGHT_MESSAGES_MAX: Final = 65_535
QUEUED_MESSAGES_MAX: Final = 200_000
"""Messages kept for a bridge that is away; above it mosquitto drops, and spools send again."""

AUTOSAVE_S: Final = 30
APT_TIMEOUT_S: Final = 300
_SBIN: Final = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")

ACCESS_RULES: Final = f"""user {PIPELINE_USER}
topic readwrite {MQTT_ROOT}/#
topic read $SYS/#

user {DEVICES_USER}
topic write {MQTT_ROOT}/+/+/readings
topic write {MQTT_ROOT}/+/+/scans
topic write {MQTT_ROOT}/+/+/status
topic write {MQTT_TIME}
topic read {MQTT_ROOT}/+/+/accepted
topic read {MQTT_ROOT}/+/tasks
"""


def program(name: str) -> str | None:
    """Return the path of `mosquitto` or `mosquitto_passwd`; Debian keeps the first in sbin."""
    path = os.pathsep.join((os.defpath, *_SBIN))
    return shutil.which(name) or shutil.which(name, path=path)


def install(say: Callable[[str], None]) -> None:
    """Install Debian's package where this user may; do nothing where mosquitto is there.

    Raises:
        StackError: It is missing and can't be installed from here.
    """
    if program("mosquitto") and program("mosquitto_passwd"):
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise StackError(
            "mosquitto is missing: install it, on Debian `sudo apt-get install mosquitto`"
        )
    for arguments in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", PART]):
        say(f"apt-get {' '.join(arguments)}")
        _apt(arguments)


def configuration(home: Home, plan: StackPlan, *, user: str | None) -> str:
    """Return mosquitto's configuration; `user` is whom it stays when root starts it."""
    folder = home.config(PART)
    lines = [
        f"listener {plan.mqtt_port} {LOOPBACK}",
        "allow_anonymous false",
        f"password_file {folder / 'passwords'}",
        f"acl_file {folder / 'access'}",
        "persistence true",
        f"persistence_location {home.data(PART)}/",
        f"autosave_interval {AUTOSAVE_S}",
        f"max_inflight_messages {INFLIGHT_MESSAGES_MAX}",
        f"max_queued_messages {QUEUED_MESSAGES_MAX}",
        f"max_packet_size {RECORD_BYTES_MAX}",
        "set_tcp_nodelay true",
        "log_dest stdout",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "log_timestamp_format %Y-%m-%dT%H:%M:%S",
        "connection_messages false",
    ]
    # Left alone, root's mosquitto turns into the user `mosquitto`, who can't read the home; and
    # a change of user makes the kernel forget to end it with the supervisor.
    lines += [f"user {user}"] if user else []
    return "\n".join(lines) + "\n"


def write_configuration(home: Home, plan: StackPlan) -> None:
    """Write configuration, access rules and hashed passwords.

    Raises:
        StackError: mosquitto's own tool refused the passwords.
    """
    folder = home.config(PART)
    home.data(PART).mkdir(parents=True, exist_ok=True)
    user = "root" if os.geteuid() == 0 else None
    write_private(folder / "mosquitto.conf", configuration(home, plan, user=user))
    write_private(folder / "access", ACCESS_RULES)
    passwords = folder / "passwords"
    logins = f"{PIPELINE_USER}:{plan.mqtt_password}\n{DEVICES_USER}:{plan.devices_password}\n"
    write_private(passwords, logins)
    _hash_in_place(passwords)


def broker_argv(home: Home) -> list[str]:
    """Return the command that runs the broker."""
    return [program("mosquitto") or "mosquitto", "-c", str(home.config(PART) / "mosquitto.conf")]


def _hash_in_place(passwords: Path) -> None:
    argv = [program("mosquitto_passwd") or "mosquitto_passwd", "-U", str(passwords)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode != 0:
        raise StackError(f"mosquitto's passwords can't be written: {done.stderr.strip()}")


def _apt(arguments: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}  # noqa: TID251 - handed on
    done = subprocess.run(  # noqa: S603 - our own words
        ["apt-get", *arguments],  # noqa: S607 - the PATH's apt-get is meant
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=APT_TIMEOUT_S,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise StackError(
            f"mosquitto can't be installed: {lines[-1] if lines else 'apt-get failed'}"
        )
