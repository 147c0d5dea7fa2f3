"""The cache of installed parts: `~/.cache/shelfstream`, shared by every stack of this user.

A part counts as installed only when its marker file is there: it is written last, so a download
or a build that was cut short is never trusted.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

MARKER_NAME: Final = "complete"


def cache_path(environ_home: str | None = None) -> Path:
    """Return the cache folder, `$XDG_CACHE_HOME/shelfstream` or `~/.cache/shelfstream`."""
    root = environ_home or os.environ.get("XDG_CACHE_HOME")  # noqa: TID251 - deploy reads it
    return (Path(root) if root else Path.home() / ".cache") / "shelfstream"


def is_complete(part: Path) -> bool:
    """Tell whether a part's folder was filled to its end."""
    return (part / MARKER_NAME).is_file()


def mark_complete(part: Path, text: str) -> None:
    """Write the marker of a part's folder; `text` says what is in it."""
    (part / MARKER_NAME).write_text(text, encoding="utf-8")


@contextmanager
def part_lock(part: Path) -> Iterator[None]:
    """Hold the lock of one part, waiting for another process that is installing it.

    The lock ends with the process that holds it, however it ends.
    """
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.with_name(f"{part.name}.lock").open("w") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        yield


@contextmanager
def work_folder(part: Path) -> Iterator[Path]:
    """Give an empty folder beside the part to fetch or build in; call it under the part's lock.

    What a killed process left there goes at the next start, so nothing piles up.
    """
    folder = part.with_name(f"{part.name}.work")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
