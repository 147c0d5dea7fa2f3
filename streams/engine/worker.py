"""A worker process of one fold: Faust, the host and the watchdog, from start to exit code.

Any process that runs a fold calls `run_worker` as the last thing it does.
"""

import asyncio
import contextlib
import gc
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn, cast

import structlog

from ingest.contracts.errors import FencedError, InstallationError, SettingsError, StalledError
from ingest.contracts.settings import InstallationSettings, KafkaSettings
from streams.engine.adapters.faust_app import FoldApp, create_app
from streams.engine.adapters.kafka import KafkaLogs
from streams.engine.adapters.reader import topic_facts_if_up
from streams.engine.fold import FoldSpec
from streams.engine.host import PartitionHost
from streams.engine.settings import EngineSettings
from streams.engine.store import StoreOpener, memory_store
from streams.engine.watchdog import OBSERVATIONS_STALLED, Progress, StallWatch

EXIT_STOPPED: Final = 0
"""Ended by SIGTERM or SIGINT: all that was folded is committed."""
EXIT_FAILED: Final = 1
"""Anything else: a fold raised, Kafka stayed away too long."""
EXIT_SETTINGS: Final = 2
"""A setting is unknown, missing or out of range."""
EXIT_FENCED: Final = 3
"""A newer owner has taken a partition; start again."""
EXIT_INSTALLATION: Final = 4
"""What is on the broker is not the installation that was expected; do not just start again."""
EXIT_STALLED: Final = 5
"""There were frames to read and nothing was applied for `stalled_timeout_ms`; start again."""

_STOP_TIMEOUT_S: Final = 20.0
_GC_THRESHOLDS: Final = (50_000, 20, 100)
"""Frames, batches and restores make millions of short-lived objects and hardly a cycle: with
Python's default of 700 the collector takes a third of a restore's time."""

_log = structlog.get_logger(__name__)


def calm_collector() -> None:
    """Let the garbage collector look seldom, and never at what is imported."""
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def run_worker(
    spec: FoldSpec,
    kafka: KafkaSettings,
    engine: EngineSettings,
    installation: InstallationSettings,
) -> int:
    """Run a fold's worker until SIGTERM or SIGINT; return the exit code of the process.

    After an error that may have left memory ahead of the log it does not return: the process ends
    at once, with one line in the log and a code that tells why.
    """
    calm_collector()
    with contextlib.ExitStack() as stack:
        data_folder = engine.data_folder
        if data_folder is None:
            data_folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        data_folder.mkdir(parents=True, exist_ok=True)  # Faust makes the last level only
        return asyncio.run(_run(spec, kafka, engine, installation, data_folder))


async def _run(
    spec: FoldSpec,
    kafka: KafkaSettings,
    engine: EngineSettings,
    installation: InstallationSettings,
    data_folder: Path,
) -> int:
    stop = stop_on_signal()
    host = PartitionHost(
        spec,
        installation.partition_count,
        logs=KafkaLogs(kafka, engine, spec),
        engine=engine,
        now_ms=lambda: time.time_ns() // 1_000_000,  # noqa: TID251 - the worker's edge
        on_failed=end_process,
        ticks=installation.time == "wall",
        stores=_stores(spec, engine, data_folder),
    )
    app = create_app(host, kafka, engine, data_folder)
    async with _running(app, stop):
        watch = asyncio.create_task(_watch(app, host, kafka, engine))
        watch.add_done_callback(_end_with)
        await stop.wait()
        watch.cancel()
        await host.drain()  # while the group still has us: a new owner would fence this commit
    await host.close()
    _log.info("worker stopped", fold=spec.name)
    return EXIT_STOPPED


def stop_on_signal() -> asyncio.Event:
    """Return what SIGTERM and SIGINT set from now on, in the running loop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _stores(spec: FoldSpec, engine: EngineSettings, data_folder: Path) -> StoreOpener:
    if engine.store == "memory":
        return memory_store
    # RocksDB is loaded only where it is used.
    disk: Any = import_module("streams.engine.adapters.disk_store")
    return cast(StoreOpener, disk.disk_stores(data_folder / "state" / spec.name))


@contextlib.asynccontextmanager
async def _running(app: FoldApp, stop: asyncio.Event) -> AsyncIterator[None]:
    app_task = asyncio.create_task(_start(app))
    app_task.add_done_callback(_end_with)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([app_task, stopping], return_when=asyncio.FIRST_COMPLETED)
    crash = asyncio.create_task(_end_on_crash(app))
    try:
        yield
    finally:
        crash.cancel()
        app_task.cancel()
        async with asyncio.timeout(_STOP_TIMEOUT_S):
            await app.stop()


async def _start(app: FoldApp) -> None:
    await app.start()


async def _end_on_crash(app: FoldApp) -> None:
    await app.wait_until_stopped()
    end_process(app.crash_reason or RuntimeError("Faust stopped by itself"))


def _end_with(task: "asyncio.Task[None]") -> None:
    if not task.cancelled():
        error = task.exception()
        if error is not None:
            end_process(error)


def end_process(error: BaseException) -> NoReturn:
    """End the process at once, with one line in the log and the exit code of the error.

    Nothing is cleaned up: what is not committed must not be, and connections end with us.
    """
    _log.error("worker ends", reason=type(error).__name__, detail=str(error) or repr(error))
    os._exit(exit_code(error))


def exit_code(error: BaseException) -> int:
    """Return the exit code that tells what ended a worker."""
    if isinstance(error, SettingsError):
        return EXIT_SETTINGS
    if isinstance(error, FencedError):
        return EXIT_FENCED
    if isinstance(error, InstallationError):
        return EXIT_INSTALLATION
    if isinstance(error, StalledError):
        return EXIT_STALLED
    return EXIT_FAILED


async def _watch(
    app: FoldApp, host: PartitionHost, kafka: KafkaSettings, engine: EngineSettings
) -> None:
    watch = StallWatch()
    while True:
        await asyncio.sleep(engine.stalled_timeout_ms / 1000 / OBSERVATIONS_STALLED)
        now = await topic_facts_if_up(kafka, host.spec.input_topic)
        if now is None:
            continue  # no broker, no verdict: the outage is not this worker's stall
        ends = now.end_offsets
        for partition, runner in host.runners.items():
            runner.check_topic(now.topic_id)
            position = await app.input_position(partition)
            if position is None or partition not in ends:
                watch.forget(partition)
                continue
            held = host.waiting_frames(partition) + runner.pending_frames
            look = Progress(runner.applied_offset, position, ends[partition], held)
            if watch.observe(partition, look):
                raise StalledError(
                    f"partition {partition} of {host.spec.input_topic} has frames up to"
                    f" {look.end_offset} and stays at {look.applied_offset}"
                )
