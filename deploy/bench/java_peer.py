"""The Kafka Streams peer: compiled once by Maven into the cache."""

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

PROJECT: Final = PEERS_FOLDER / "kafka_streams"
MAIN_CLASS: Final = "shelfstream.bench.Counting"
HEAP_MIB: Final = 1024
BUILD_TIMEOUT_S: Final = 600.0


def kafka_streams_argv(say: Callable[[str], None]) -> list[str]:
    """Return the command of the peer, which is built now where it is missing.

    Raises:
        BenchError: Java, its compiler or Maven is missing, or the build failed.
    """
    missing = [program for program in ("java", "javac", "mvn") if shutil.which(program) is None]
    if missing:
        raise BenchError(f"{missing[0]} is not installed: Kafka Streams needs a JDK and Maven")
    folder = _folder()
    with part_lock(folder):
        if not is_complete(folder):
            say("building the Kafka Streams peer by Maven, once")
            _build(folder)
    path = f"{folder}/classes:{folder}/jars/*"
    return ["java", f"-Xmx{HEAP_MIB}m", "-cp", path, MAIN_CLASS]


def _folder() -> Path:
    sources = sorted(path for path in PROJECT.rglob("*") if path.is_file())
    stamp = sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    return bench_cache() / f"kafka-streams-{stamp}"


def _build(folder: Path) -> None:
    goals = ["compile", "dependency:copy-dependencies"]
    options = ["-DoutputDirectory=target/jars", "-DincludeScope=runtime"]
    with work_folder(folder) as work:
        shutil.copytree(PROJECT, work, dirs_exist_ok=True)
        done = subprocess.run(  # noqa: S603 - our own words
            ["mvn", "-B", "-q", *goals, *options],  # noqa: S607 - the PATH's Maven is meant
            cwd=work,
            capture_output=True,
            text=True,
            check=False,
            timeout=BUILD_TIMEOUT_S,
            preexec_fn=dying_with(os.getpid()),
        )
        if done.returncode != 0:
            lines = (done.stdout + done.stderr).strip().splitlines()
            raise BenchError(f"the Kafka Streams peer can't be built: {lines[0] if lines else '?'}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copytree(work / "target" / "classes", folder / "classes")
        shutil.copytree(work / "target" / "jars", folder / "jars")
    mark_complete(folder, "classes and jars\n")
