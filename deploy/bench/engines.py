"""The engines under comparison: how each is started, watched and checked."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from deploy.bench.peers.told import VARIABLE
from deploy.bench.place import Place
from deploy.bench.preload import PARTITIONS, Log, log_topic, make_topics, state_topic
from deploy.bench.processes import BenchProcess, cpu_s, running
from deploy.bench.rates import Round, Sample
from deploy.bench.recount import Parse, parse_total
from deploy.stack.children import import_path
from deploy.stack.run import environment_of
from ingest.contracts.errors import BenchError
from streams.engine.adapters.reader import TopicReader

SILENCE_TIMEOUT_S: Final = 60.0
"""An engine that makes no progress for so long has failed."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One engine, set up one way."""

    key: str
    """What a ratio names it by."""
    name: str
    feeds: Literal["frames", "records"]
    guarantee: str
    argv: Sequence[str]
    changelog: str = "{name}-state"
    """The topic it restores from; `{name}` is the run's name, `{topic}` the input's."""
    parse: Parse = parse_total
    exactly_once: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    makes_topics: bool = True
    """Whether the benchmark makes its changelog; else the engine does."""
    is_ours: bool = False


def run_round(place: Place, engine: Engine, log: Log, name: str) -> Round:
    """Run an engine over a whole log under names of its own; return what was seen.

    Raises:
        BenchError: It ended early, or got nowhere.
    """
    if engine.makes_topics:
        topics = [state_topic(f"{name}-state"), log_topic(f"{name}-progress")]
        asyncio.run(make_topics(place.kafka, topics))
    environment = dict(os.environ)  # noqa: TID251 - children get what we have
    argv = [*engine.argv]
    if engine.is_ours:
        environment = environment_of(place.home, environment)
        argv += [name, log.topic]
    else:
        environment |= {VARIABLE: _told(place, engine, log, name), **engine.environment}
    environment["PYTHONPATH"] = import_path(os.environ)  # noqa: TID251 - the same
    with running(argv, log=place.logs / f"{name}.log", environment=environment) as process:
        if engine.is_ours:
            return asyncio.run(_watch_committed(place, log, name, process))
        return _watch_told(place, log, process)


def ours(fold: str = "counting") -> Engine:
    """Return this engine, with one of the folds that `engine_worker` knows."""
    return Engine(
        key="ours" if fold == "counting" else fold,
        name="Shelfstream" if fold == "counting" else "Shelfstream, full stock fold",
        feeds="frames",
        guarantee="exactly once: outputs, state and offset in one transaction",
        argv=[sys.executable, "-m", "deploy.bench.engine_worker", fold],
        is_ours=True,
    )


def bare_loop(python: Path) -> Engine:
    """Return the hand-written loop, in the peers' Python."""
    return Engine(
        key="bare",
        name="bare confluent-kafka loop",
        feeds="frames",
        guarantee="at least once, no rebalancing, no recovery",
        argv=[str(python), "-m", "deploy.bench.peers.bare_loop"],
    )


def _told(place: Place, engine: Engine, log: Log, name: str) -> str:
    kafka = place.kafka
    return json.dumps(
        {
            "bootstrap": kafka.bootstrap,
            "security_protocol": kafka.security_protocol,
            "sasl_mechanism": kafka.sasl_mechanism,
            "username": kafka.username,
            "password": kafka.password.get_secret_value(),
            "topic": log.topic,
            "name": name,
            "partition_count": PARTITIONS,
            "frames": log.frames,
            "exactly_once": engine.exactly_once,
            "events": log.events,
        }
    )


def _watch_told(place: Place, log: Log, process: BenchProcess) -> Round:
    samples: list[Sample] = []
    broker: list[float] = []
    while not samples or samples[-1].events < log.events:
        line = process.await_line("progress ", SILENCE_TIMEOUT_S)
        events = int(line.text.split()[1])
        samples.append(Sample(line.at_s, events, line.cpu_s))
        broker.append(cpu_s(place.broker_pid))
    return Round(samples=samples, broker_cpu_s=broker)


async def _watch_committed(place: Place, log: Log, name: str, process: BenchProcess) -> Round:
    """Watch what is committed: the progress that the worker writes in its transactions."""
    samples: list[Sample] = []
    broker: list[float] = []
    frames: dict[int, int] = {}
    heard_s = time.monotonic()
    async with TopicReader(place.kafka, f"{name}-progress") as reader:
        while not samples or samples[-1].events < log.events:
            records = await reader.poll()
            at_s = time.monotonic()
            process.check_alive()
            if not records and at_s - heard_s > SILENCE_TIMEOUT_S:
                raise BenchError(f"{name} got nowhere for {SILENCE_TIMEOUT_S:.0f} s")
            if records:
                heard_s = at_s
                frames |= {record.partition: int(record.value or 0) for record in records}
                samples.append(Sample(at_s, log.events_in(frames), cpu_s(process.pid)))
                broker.append(cpu_s(place.broker_pid))
    return Round(samples=samples, broker_cpu_s=broker)
