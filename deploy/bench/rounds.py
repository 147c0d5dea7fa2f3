"""One round of one engine: its process, its names, and what is seen while it works."""

import asyncio
import os
import time
from collections.abc import Coroutine, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from deploy.bench.engine_worker import TAKEN
from deploy.bench.engines import Engine
from deploy.bench.peers.told import READY, Told
from deploy.bench.place import Place, logs_of
from deploy.bench.preload import PARTITIONS, Log, log_topic, state_topic
from deploy.bench.processes import BenchProcess, Line, cpu_s
from deploy.bench.rates import Round, Sample
from deploy.stack.children import import_path
from deploy.stack.home import Home
from deploy.stack.run import environment_of
from ingest.contracts.errors import BenchError
from ingest.contracts.topics import Topic
from streams.engine.adapters.reader import TopicReader

FRAMES_TAKEN: Final = msgspec.json.Decoder(dict[int, int])
SILENCE_TIMEOUT_S: Final = 30.0
"""An engine that makes no progress for so long has failed."""


class Turn(NamedTuple):
    """One engine's turn over one log, under a name of its own: of topics, group, folder, log."""

    engine: Engine
    log: Log
    name: str


def topics_of(turn: Turn) -> list[Topic]:
    """Return the topics that must be there before a turn; some engines make their own."""
    if turn.engine.makes_topics:
        return []
    return [state_topic(f"{turn.name}-state"), log_topic(f"{turn.name}-progress")]


def started(home: Home, turn: Turn, place: Place | None) -> BenchProcess:
    """Start an engine for its turn.

    One that can be held is imported, and waits for its turn: neither the log nor the broker need
    be there. Any other is told all that it needs now.
    """
    engine, log, name = turn
    environ = os.environ  # noqa: TID251 - children get what we have
    environment = environment_of(home, environ) if engine.is_ours else dict(environ)
    if place is not None and not engine.waits:
        environment |= told_of(place, turn)
    environment["PYTHONPATH"] = import_path(environ)
    argv = [*engine.argv, name, log.topic] if engine.is_ours else engine.argv
    _folder(home, name).mkdir()
    file = logs_of(home) / f"{name}.log"
    return BenchProcess(argv, log=file, environment=environment, held=engine.waits)


def await_ready(turn: Turn, process: BenchProcess) -> None:
    """Wait until a held engine is imported.

    Raises:
        BenchError: It ended, or took too long.
    """
    if turn.engine.waits:
        process.await_line(READY, SILENCE_TIMEOUT_S)


def run_round(
    place: Place,
    turn: Turn,
    process: BenchProcess,
    beside: Coroutine[Any, Any, None] | None = None,
) -> Round:
    """Let an engine that is ready run over a whole log; return what was seen.

    `beside` is done meanwhile, by this process: for this engine alone, while it joins its group.

    Raises:
        BenchError: It ended early, or got nowhere.
    """
    engine, log, name = turn
    process.go({} if engine.is_ours else told_of(place, turn))
    if not engine.is_ours:
        return _watch_told(place, log, process)  # a peer may have something to flush

    async def watch() -> Round:
        if beside is None:
            return await _watch_committed(place, log, name, process)
        watching = asyncio.create_task(_watch_committed(place, log, name, process))
        await asyncio.gather(watching, beside)
        return watching.result()

    seen = asyncio.run(watch())
    seen.taken.extend(samples_taken(log, process.lines_so_far()))
    process.kill()  # all is committed, and how it ends is not measured
    return seen


def samples_taken(log: Log, lines: Iterable[Line]) -> Iterator[Sample]:
    """Yield what a worker said that it had folded, and when."""
    for line in lines:
        if line.text.startswith(TAKEN):
            frames = FRAMES_TAKEN.decode(line.text.removeprefix(TAKEN))
            yield Sample(line.at_s, log.events_in(frames), line.cpu_s)


def told_of(place: Place, turn: Turn) -> dict[str, str]:
    """Return what a peer is told: where Kafka is, what to read, how much of it."""
    kafka, (engine, log, name) = place.kafka, turn
    return Told(
        bootstrap=kafka.bootstrap,
        security_protocol=kafka.security_protocol,
        sasl_mechanism=kafka.sasl_mechanism,
        username=kafka.username,
        password=kafka.password.get_secret_value(),
        topic=log.topic,
        name=name,
        folder=str(_folder(place.home, name)),
        partition_count=PARTITIONS,
        frames=log.frames,
        exactly_once=engine.exactly_once,
        events=log.events,
    ).environment()


def _folder(home: Home, name: str) -> Path:
    return home.path.parent / name


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
