"""What every peer is told by its environment, when it begins, and how it tells how far it is."""

import json
import os
import sys
import time
from dataclasses import dataclass, fields
from typing import Any, Final

PREFIX: Final = "BENCH_PEER_"
TOLD_EVERY_S: Final = 0.1
READY: Final = "ready"
"""What a process says when it is imported and waits for its turn."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """Where Kafka is, what to read, how much of it."""

    bootstrap: str
    security_protocol: str
    sasl_mechanism: str
    username: str
    password: str
    topic: str
    name: str
    """A group, an application and a changelog that nobody else has."""
    folder: str
    """For files of its own; goes with the benchmark."""
    partition_count: int
    frames: bool
    exactly_once: bool
    events: int

    def environment(self) -> dict[str, str]:
        """Return it as environment variables; a truth is 1 or 0."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            PREFIX + name.upper(): str(int(value) if isinstance(value, bool) else value)
            for name, value in values.items()
        }

    def librdkafka(self) -> dict[str, Any]:
        """Return the login as librdkafka spells it."""
        return {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": self.security_protocol,
            "sasl.mechanism": self.sasl_mechanism,
            "sasl.username": self.username,
            "sasl.password": self.password,
        }


def told() -> Told:
    """Return what this process was told."""
    environ = os.environ  # noqa: TID251 - a peer's main
    values: dict[str, Any] = {}
    for field in fields(Told):
        text = environ[PREFIX + field.name.upper()]
        values[field.name] = text if field.type is str else field.type(int(text))  # type: ignore[operator] # int or bool
    return Told(**values)


def await_go() -> None:
    """Say that all is imported, then wait until stdin ends: its turn has come.

    What stands there, a JSON object, is taken into the environment.
    """
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    text = sys.stdin.read()
    if text:
        os.environ.update(json.loads(text))  # noqa: TID251 - a main's work


class Progress:
    """Says on stdout how many events are done: ten times a second, and at the end."""

    def __init__(self, events: int) -> None:
        """Take how many there will be."""
        self.events = 0
        self._all = events
        self._due_s = 0.0

    def add(self, events: int) -> bool:
        """Count events as done; tell whether all are."""
        self.events += events
        if self.events < self._all and time.monotonic() >= self._due_s:
            self.say()
        return self.events >= self._all

    def say(self) -> None:
        """Say it now; at the end a peer calls this when all is flushed and committed."""
        self._due_s = time.monotonic() + TOLD_EVERY_S
        sys.stdout.write(f"progress {self.events}\n")
        sys.stdout.flush()
