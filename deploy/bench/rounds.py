"""One round of one engine: its process, its names, and what is seen while it works."""

import asyncio
import os
import time
from typing import Final

from deploy.bench.engines import Engine
from deploy.bench.peers.told import Told
from deploy.bench.place import Place
from deploy.bench.preload import PARTITIONS, Log, log_topic, make_topics, state_topic
from deploy.bench.processes import BenchProcess, cpu_s, running
from deploy.bench.rates import Round, Sample
from deploy.stack.children import import_path
from deploy.stack.run import environment_of
from ingest.contracts.errors import BenchError
from streams.engine.adapters.reader import TopicReader

SILENCE_TIMEOUT_S: Final = 30.0
"""An engine that makes no progress for so long has failed."""


def run_round(place: Place, engine: Engine, log: Log, name: str) -> Round:
    """Run an engine over a whole log under names of its own; return what was seen.

    Raises:
        BenchError: It ended early, or got nowhere.
    """
    if not engine.makes_topics:
        topics = [state_topic(f"{name}-state"), log_topic(f"{name}-progress")]
        asyncio.run(make_topics(place.kafka, topics))
    environ = os.environ  # noqa: TID251 - children get what we have
    folder = place.logs.parent / name
    told = _told(place, engine, log, name, str(folder))
    environment = environment_of(place.home, environ) if engine.is_ours else environ | told
    environment = {**environment, "PYTHONPATH": import_path(environ)}
    argv = [*engine.argv, name, log.topic] if engine.is_ours else engine.argv
    folder.mkdir()
    with running(argv, log=place.logs / f"{name}.log", environment=environment) as process:
        if engine.is_ours:
            seen = asyncio.run(_watch_committed(place, log, name, process))
            process.kill()  # all is committed, and how it ends is not measured
            return seen
        return _watch_told(place, log, process)  # a peer may have something to flush


def _told(place: Place, engine: Engine, log: Log, name: str, folder: str) -> dict[str, str]:
    kafka = place.kafka
    return Told(
        bootstrap=kafka.bootstrap,
        security_protocol=kafka.security_protocol,
        sasl_mechanism=kafka.sasl_mechanism,
        username=kafka.username,
        password=kafka.password.get_secret_value(),
        topic=log.topic,
        name=name,
        folder=folder,
        partition_count=PARTITIONS,
        frames=log.frames,
        exactly_once=engine.exactly_once,
        events=log.events,
    ).environment()


def _watch_told(place: Place, log: Log, process: BenchProcess) -> Round:
    """Watch what a peer says on its stdout; at the end it says so after its last commit."""
    seen = Round()
    while seen.events < log.events:
        line = process.await_line("progress ", SILENCE_TIMEOUT_S)
        sample = Sample(line.at_s, int(line.text.split()[1]), line.cpu_s)
        seen.add(sample, cpu_s(place.broker_pid))
    return seen


async def _watch_committed(place: Place, log: Log, name: str, process: BenchProcess) -> Round:
    """Watch what is committed: the progress that the worker writes in its transactions."""
    seen = Round()
    frames: dict[int, int] = {}
    heard_s = time.monotonic()
    async with TopicReader(place.kafka, f"{name}-progress") as reader:
        while seen.events < log.events:
            records = await reader.poll()
            at_s = time.monotonic()
            process.check_alive()
            if not records and at_s - heard_s > SILENCE_TIMEOUT_S:
                raise BenchError(f"{name} got nowhere for {SILENCE_TIMEOUT_S:.0f} s")
            if records:
                heard_s = at_s
                frames |= {record.partition: int(record.value or 0) for record in records}
                sample = Sample(at_s, log.events_in(frames), cpu_s(process.pid))
                seen.add(sample, cpu_s(place.broker_pid))
    return seen
