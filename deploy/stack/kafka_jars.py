"""Apache Kafka's own jars, fetched once by Maven into the cache."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from deploy.stack.cache import (
    MARKER_NAME,
    cache_path,
    is_complete,
    mark_complete,
    part_lock,
    work_folder,
)
from deploy.stack.children import dying_with
from ingest.contracts.errors import StackError

KAFKA_VERSION: Final = "4.1.1"
SCALA_VERSION: Final = "2.13"
LOG4J_VERSION: Final = "2.24.3"
"""The one that this Kafka uses; its distribution adds the binding, its Maven modules don't."""

JAVA_VERSION_MIN: Final = 17
_DEPENDENCY_PLUGIN: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"

POM: Final = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>shelfstream</groupId><artifactId>kafka-jars</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_{SCALA_VERSION}</artifactId>
      <version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>{LOG4J_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""

JARS_NEEDED: Final = (
    f"kafka_{SCALA_VERSION}-{KAFKA_VERSION}.jar",
    f"kafka-clients-{KAFKA_VERSION}.jar",
    f"kafka-server-{KAFKA_VERSION}.jar",
    f"kafka-metadata-{KAFKA_VERSION}.jar",
    f"kafka-raft-{KAFKA_VERSION}.jar",
    f"kafka-storage-{KAFKA_VERSION}.jar",
    f"log4j-slf4j-impl-{LOG4J_VERSION}.jar",
)
"""Without any of these a fetch is not whole, whatever Maven said."""


def jars_path() -> Path:
    """Return the folder of the jars in the cache."""
    return cache_path() / f"kafka-{KAFKA_VERSION}"


def is_fetched() -> bool:
    """Tell whether every jar that the fetch ended with is still there."""
    part = jars_path()
    if not is_complete(part):
        return False
    listed = (part / MARKER_NAME).read_text(encoding="utf-8").split()
    return all((part / name).is_file() for name in (*JARS_NEEDED, *listed))


def java_version() -> int | None:
    """Return the major version of the `java` on PATH, or None."""
    if shutil.which("java") is None:
        return None
    answer = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)  # noqa: S607 - the PATH's java is meant
    match = re.search(r'version "(\d+)', answer.stderr)
    return int(match[1]) if match else None


def fetch_jars(say: Callable[[str], None]) -> Path:
    """Fetch the jars, or wait for the process that is fetching them; return their folder.

    Raises:
        StackError: Java or Maven is missing, or the fetch failed.
    """
    version = java_version()
    if version is None or version < JAVA_VERSION_MIN:
        raise StackError(
            f"Kafka needs Java {JAVA_VERSION_MIN} or newer: "
            f"install a JRE, on Debian openjdk-{JAVA_VERSION_MIN}-jre-headless"
        )
    part = jars_path()
    with part_lock(part):
        if not is_fetched():
            say(f"fetching Apache Kafka {KAFKA_VERSION} by Maven")
            _fetch_into(part)
    return part


def _fetch_into(part: Path) -> None:
    if shutil.which("mvn") is None:
        raise StackError(
            "Kafka's jars are fetched by Maven: install it, on Debian the package maven"
        )
    with work_folder(part) as folder:
        (folder / "pom.xml").write_text(POM, encoding="utf-8")
        goal = f"{_DEPENDENCY_PLUGIN}:copy-dependencies"
        argv = [
            "mvn",
            "-B",
            "-q",
            goal,
            f"-DoutputDirectory={folder}/jars",
            "-DincludeScope=runtime",
        ]
        done = subprocess.run(  # noqa: S603 - fixed words
            argv,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=dying_with(os.getpid()),
        )
        names = sorted(path.name for path in (folder / "jars").glob("*.jar"))
        absent = [name for name in JARS_NEEDED if name not in names]
        if done.returncode != 0 or absent:
            reason = (done.stdout + done.stderr).strip().splitlines()
            raise StackError(
                f"Kafka's jars could not be fetched: {reason[0] if reason else absent[0]}"
            )
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(folder / "jars", part)
    mark_complete(part, "\n".join(names) + "\n")
