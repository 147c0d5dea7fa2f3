"""Where a benchmark runs: a local stack of its own, in a folder that goes with it."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from deploy.stack.home import Home
from deploy.stack.local import running_stack
from deploy.stack.plan import StackOptions
from ingest.contracts.errors import BenchError
from ingest.contracts.settings import ENV_PREFIX, HOME_VARIABLE, KafkaSettings, load, read_env_file

KAFKA_HEAP_MIB: Final = 1024


@dataclass(frozen=True)
class Place:
    """A running stack, its broker's process, and a folder for the logs of what is measured."""

    home: Home
    kafka: KafkaSettings
    broker_pid: int
    logs: Path


@contextmanager
def bench_stack(
    say: Callable[[str], None],
    *,
    only: tuple[str, ...] | None = ("kafka",),
    time: Literal["wall", "driven"] = "driven",
    meanwhile: Callable[[Home], None] | None = None,
) -> Iterator[Place]:
    """Run brokers in a temporary home; both end with the block.

    `only` names the stack's parts; None for all brokers but InfluxDB. `meanwhile` is called with
    the home before anything starts there, and may begin what goes on while the brokers start.
    Settings of the shell are left out: a benchmark must not load somebody's brokers.
    """
    environ = {n: v for n, v in os.environ.items() if not n.startswith(ENV_PREFIX)}  # noqa: TID251 - a main's work
    options = StackOptions(
        apps=False, influx=False, only=only, time=time, kafka_heap_mib=KAFKA_HEAP_MIB
    )
    with tempfile.TemporaryDirectory(prefix="shelfstream-bench-") as folder:
        home = Home(Path(folder) / "home")
        if meanwhile is not None:
            meanwhile(home)
        with running_stack(home, options, environ, say=say) as state:
            broker = state.part("kafka")
            if broker is None or broker.pid is None:
                raise BenchError("the stack came up without Kafka")
            values = read_env_file(home.env_file) | {HOME_VARIABLE: str(home.path)}
            yield Place(home, load(KafkaSettings, values), broker.pid, logs_of(home))


def logs_of(home: Home) -> Path:
    """Return where the logs of what is measured are."""
    return home.path.parent / "logs"
