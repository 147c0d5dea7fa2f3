"""The folder of one local stack: its paths, its lock, and files written so that no half is seen."""

import fcntl
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from ingest.contracts.errors import StackError
from ingest.contracts.settings import ENV_FILE_NAME, HOME_VARIABLE

HOME_NAME_DEFAULT: Final = ".shelfstream"
PRIVATE_MODE: Final = 0o600
PRIVATE_UMASK: Final = 0o077
"""For every process of the stack: the home may be a folder that others can enter."""


@dataclass(frozen=True)
class Home:
    """Names every file and folder of a stack; nothing of a stack lies outside its home."""

    path: Path

    @property
    def env_file(self) -> Path:
        """Settings of the pipeline as `NAME=value`, its login to MQTT included."""
        return self.path / ENV_FILE_NAME

    @property
    def devices_env_file(self) -> Path:
        """The MQTT settings of devices, gateways and simulators: another login, fewer rights."""
        return self.path / "devices.env"

    @property
    def plan_file(self) -> Path:
        """Ports and secrets, chosen once."""
        return self.path / "plan.json"

    @property
    def state_file(self) -> Path:
        """What runs now, as the supervisor last wrote it."""
        return self.path / "state.json"

    @property
    def lock_file(self) -> Path:
        """Locked by the supervisor for as long as it lives."""
        return self.path / "lock"

    def faust(self, process: str) -> Path:
        """Return where a worker keeps Faust's own files: two in one folder would disturb it."""
        return self.path / "faust" / process

    def data(self, part: str) -> Path:
        """Return the data folder of a part."""
        return self.path / "data" / part

    def config(self, part: str) -> Path:
        """Return the folder of a part's generated configuration."""
        return self.path / "config" / part

    def log(self, part: str) -> Path:
        """Return the log file of a process."""
        return self.path / "logs" / f"{part}.log"


def home_of(environ: Mapping[str, str], working_folder: Path) -> Home:
    """Return the home that `SHELFSTREAM_HOME` names, or `.shelfstream` in the working folder."""
    return Home((working_folder / environ.get(HOME_VARIABLE, HOME_NAME_DEFAULT)).resolve())


def write_private(path: Path, text: str) -> None:
    """Replace a file whole with one that only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    with suppress(FileNotFoundError):
        fresh.unlink()
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)


def take_lock(home: Home) -> IO[str]:
    """Take the home for this process; the lock ends with the process, however it ends.

    Raises:
        StackError: Another supervisor runs this home.
    """
    home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = home.lock_file.open("a", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise StackError(
            f"a stack already runs in {home.path}: see `shelfstream status`, end it with "
            "`shelfstream down`"
        ) from error
    return file


def is_locked(home: Home) -> bool:
    """Tell whether a supervisor runs this home now."""
    if not home.lock_file.exists():
        return False
    with home.lock_file.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
