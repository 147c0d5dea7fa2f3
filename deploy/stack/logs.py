"""Log files of the stack's processes: appended to, and never larger than their limit."""

import shutil
from pathlib import Path
from typing import IO, Final

from deploy.stack.home import PRIVATE_MODE

LOG_BYTES_MAX: Final = 16 * 1024 * 1024
"""A log grows to this; then it becomes `.log.1`, of which there is one."""


def open_log(path: Path) -> IO[bytes]:
    """Open a log so that what a child writes always goes to its end; its owner's only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=PRIVATE_MODE)
    return path.open("ab")


def limit_log(path: Path, bytes_max: int = LOG_BYTES_MAX) -> bool:
    """Move what a log holds aside where it is over its limit; tell whether it was.

    The file itself stays, for a child writes to it: copied, then cut to nothing. A line written
    between the two is lost; that is a log's worth.
    """
    if not path.is_file() or path.stat().st_size <= bytes_max:
        return False
    shutil.copy(path, path.with_name(f"{path.name}.1"))
    with path.open("r+b") as file:
        file.truncate(0)
    return True


def last_line(path: Path, bytes_max: int = 4096) -> str:
    """Return the last line of a log that says anything, or an empty text."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - bytes_max))
        lines = file.read().decode(errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
