"""`python -m streams.main stock | planning | sink`: one worker process, until SIGTERM or SIGINT.

Exit codes: 0 ended by a signal, all that was folded is committed; 1 failed; 2 a setting is wrong;
3 fenced by a newer owner; 4 the broker holds another installation; 5 stalled. After 1, 3 and 5 a
supervisor just starts it again; 2 and 4 want a person.
"""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from importlib import import_module

import structlog

from ingest.contracts.errors import SettingsError, ShelfstreamError
from ingest.contracts.settings import (
    InfluxSettings,
    InstallationSettings,
    KafkaSettings,
    load,
)
from streams.app import FOLDS, fold_spec
from streams.engine.logs import configure_logs
from streams.engine.settings import EngineSettings
from streams.engine.worker import (
    EXIT_FAILED,
    EXIT_SETTINGS,
    EXIT_STOPPED,
    exit_code,
    run_worker,
    stop_on_signal,
)

_log = structlog.get_logger(__name__)


def main(arguments: Sequence[str]) -> int:
    """Run what the one argument names; return the exit code."""
    configure_logs()
    if len(arguments) != 1 or arguments[0] not in (*FOLDS, "sink"):
        _log.error("usage", detail=f"python -m streams.main {' | '.join([*FOLDS, 'sink'])}")
        return EXIT_SETTINGS
    try:
        return _sink() if arguments[0] == "sink" else _fold(arguments[0])
    except SettingsError as error:
        _log.error("settings refused", detail=str(error))
        return EXIT_SETTINGS
    except ShelfstreamError as error:
        _log.error("worker ends", reason=type(error).__name__, detail=str(error))
        return exit_code(error)
    except Exception:  # noqa: BLE001 - the outermost loop; the supervisor restarts the process
        _log.exception("worker ends")
        return EXIT_FAILED


def _fold(name: str) -> int:
    environ = os.environ  # noqa: TID251 - main reads the settings
    return run_worker(
        fold_spec(name),
        load(KafkaSettings, environ),
        load(EngineSettings, environ),
        load(InstallationSettings, environ),
    )


def _sink() -> int:
    # The sink has its own libraries, which a fold's worker has no need to load.
    sink, settings = import_module("streams.sink_main"), import_module("streams.settings")
    environ = os.environ  # noqa: TID251 - main reads the settings

    async def run() -> None:
        await sink.run(
            load(KafkaSettings, environ),
            load(InfluxSettings, environ),
            load(settings.SinkSettings, environ),
            stop=stop_on_signal(),
            now_ms=lambda: time.time_ns() // 1_000_000,  # noqa: TID251 - main owns the clock
        )

    asyncio.run(run())
    return EXIT_STOPPED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
