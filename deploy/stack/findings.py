"""What `shelfstream doctor` looks at: each finding is one sentence, and says what to do."""

import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from deploy.stack import influxdb_server, mosquitto_broker
from deploy.stack.home import Home, is_locked
from deploy.stack.influxdb_build import missing_tools
from deploy.stack.kafka_jars import JAVA_VERSION_MIN, KAFKA_VERSION, is_fetched, java_version
from deploy.stack.plan import PORT_NAMES, is_free, read_plan
from deploy.stack.state import orphans, read_state

DISK_FREE_MIB_MIN: Final = 2_048
Verdict = Literal["good", "optional", "bad"]


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    subject: str
    verdict: Verdict
    sentence: str


def findings(home: Home) -> Iterator[Finding]:
    """Look at everything a stack in this home needs, and at what an old one left."""
    yield _python()
    yield _java()
    yield _kafka()
    yield _mosquitto()
    yield _influxdb()
    yield _disk(home)
    yield from _private_files(home)
    yield from _ports(home)
    yield _leftovers(home)


def _python() -> Finding:
    version = ".".join(str(number) for number in sys.version_info[:3])
    return Finding("Python", "good", f"{version} at {sys.executable}")


def _java() -> Finding:
    version = java_version()
    if version is None or version < JAVA_VERSION_MIN:
        package = f"openjdk-{JAVA_VERSION_MIN}-jre-headless"
        return Finding("Java", "bad", f"install a JRE {JAVA_VERSION_MIN} or newer ({package})")
    return Finding("Java", "good", f"version {version}")


def _kafka() -> Finding:
    if is_fetched():
        return Finding("Kafka", "good", f"{KAFKA_VERSION}, its jars are in the cache")
    if shutil.which("mvn") is None:
        return Finding("Kafka", "bad", "install Maven (the package maven): it fetches the jars")
    return Finding("Kafka", "good", f"{KAFKA_VERSION} is fetched at the first start")


def _mosquitto() -> Finding:
    found = mosquitto_broker.program("mosquitto")
    if found and mosquitto_broker.program("mosquitto_passwd"):
        return Finding("mosquitto", "good", found)
    return Finding("mosquitto", "bad", "install it: `apt-get install mosquitto` as root")


def _influxdb() -> Finding:
    found = influxdb_server.influxd_program()
    if found is not None:
        return Finding("InfluxDB", "good", str(found))
    missing = missing_tools()
    if missing:
        names = ", ".join(missing)
        return Finding("InfluxDB", "optional", f"charts are left out: install {names} to build it")
    return Finding("InfluxDB", "good", "it is built in the background at the first start")


def _disk(home: Home) -> Finding:
    folder = next(path for path in (home.path, *home.path.parents) if path.exists())
    free_mib = shutil.disk_usage(folder).free // (1024 * 1024)
    if free_mib < DISK_FREE_MIB_MIN:
        return Finding("disk", "bad", f"{free_mib} MiB free: make room for {DISK_FREE_MIB_MIN}")
    return Finding("disk", "good", f"{free_mib // 1024} GiB free")


def _private_files(home: Home) -> Iterator[Finding]:
    files = (home.env_file, home.devices_env_file, home.plan_file)
    open_files = [path for path in files if path.exists() and _mode(path) & 0o077]
    for path in open_files:
        yield Finding("credentials", "bad", f"others can read {path}: `chmod 600` it")
    if not open_files:
        yield Finding("credentials", "good", "readable by their owner only")


def _ports(home: Home) -> Iterator[Finding]:
    if not home.plan_file.is_file():
        yield Finding("ports", "good", "chosen free at the first start")
        return
    plan = read_plan(home)
    ports = [getattr(plan, name) for name in PORT_NAMES]
    listed = ", ".join(str(port) for port in ports)
    taken = [] if is_locked(home) else [port for port in ports if not is_free(port)]
    if taken:
        yield Finding("ports", "good", f"{taken[0]} is taken: the next start chooses another")
    else:
        yield Finding("ports", "good", listed)


def _leftovers(home: Home) -> Finding:
    state = read_state(home)
    if is_locked(home):
        return Finding("stack", "good", f"it runs: {state.phase if state else 'starting'}")
    left = orphans(state)
    if left:
        names = ", ".join(f"{part.name} ({part.pid})" for part in left)
        return Finding("stack", "bad", f"left over from a crash: {names}; `shelfstream down`")
    return Finding("stack", "good", "it does not run, and left nothing behind")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
