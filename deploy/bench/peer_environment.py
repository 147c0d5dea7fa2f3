"""The peers' own virtual environment: made once, pinned, in the cache, never the product's."""

import hashlib
import platform
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Final

from deploy.stack.cache import cache_path, is_complete, mark_complete, part_lock
from ingest.contracts.errors import BenchError

PEERS_FOLDER: Final = Path(__file__).parent / "peers"
CONSTRAINTS: Final = PEERS_FOLDER / "constraints.txt"
REQUIREMENTS: Final = PEERS_FOLDER / "requirements.txt"
INSTALL_TIMEOUT_S: Final = 600.0


def bench_cache() -> Path:
    """Return the benchmarks' folder in the cache."""
    return cache_path() / "bench"


def peers_python(say: Callable[[str], None]) -> Path:
    """Return the Python of the peers' environment, which is made now where it is missing.

    Raises:
        BenchError: The packages can't be installed; the text says why.
    """
    folder = environment_folder()
    python = folder / "bin" / "python"
    with part_lock(folder):
        if not (is_complete(folder) and python.is_file()):
            say(f"making the peers' environment in {folder}, once")
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=True)
            _install(python)
            mark_complete(folder, CONSTRAINTS.read_text(encoding="utf-8"))
    return python


def environment_folder() -> Path:
    """Return where the environment of these pins and this Python is, made or not.

    Virtual environments of one Python share it, so another checkout need not make it again.
    """
    pins = CONSTRAINTS.read_bytes() + REQUIREMENTS.read_bytes()
    stamp = hashlib.sha256(pins + str(Path(sys.executable).resolve()).encode()).hexdigest()[:12]
    return bench_cache() / f"peers-{platform.python_version()}-{stamp}"


def _install(python: Path) -> None:
    words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    argv = [str(python), *words, "-r", str(REQUIREMENTS), "-c", str(CONSTRAINTS)]
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            argv, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError("the peers' packages were not installed in time") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise BenchError(f"the peers' packages can't be installed: {lines[-1] if lines else '?'}")
