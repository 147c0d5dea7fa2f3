"""The simulated outside as a process: `python -m simulators.main`.

The catalogue and the opening stock must be loaded already; `shelfstream simulate` does both.
"""

import asyncio
import os
import sys
import time

import structlog

from ingest.contracts.errors import ShelfstreamError
from ingest.contracts.settings import load
from simulators.compose import simulated, surroundings
from simulators.settings import SimulatorSettings
from streams.engine.logs import configure_logs

_LOG = structlog.get_logger("simulators.main")


def main() -> int:
    """Run until the time is over or the process is asked to end; return the exit code."""
    configure_logs()
    try:
        drained = asyncio.run(_run())
    except ShelfstreamError as error:
        _LOG.error("simulation_failed", error=str(error), kind=type(error).__name__)
        return 1
    except Exception:  # noqa: BLE001 - the outermost loop; the supervisor restarts the process
        _LOG.exception("simulation_broken")
        return 2
    return 0 if drained else 1


async def _run() -> bool:
    environ = os.environ  # noqa: TID251 - main reads the environment
    settings = load(SimulatorSettings, environ)
    place = surroundings(
        environ, now_ms=_now_ms, clock=time.monotonic, oracle_file=settings.oracle_file
    )
    return await simulated(settings, place, reference_version=0)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000  # noqa: TID251 - the simulation's wall clock is made here


if __name__ == "__main__":
    sys.exit(main())
