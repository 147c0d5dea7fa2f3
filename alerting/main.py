"""`python -m alerting.main fold | send | floor`: one process, until SIGTERM or SIGINT.

Exit codes as those of `streams.main`: 0 ended by a signal; 1 failed, just start again; 2 a
setting is wrong; 3 fenced; 4 the broker holds another installation; 5 stalled.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import structlog

from alerting.adapters.apprise import AppriseSender
from alerting.adapters.kafka import GroupLog, KafkaResultLog, known_deliveries
from alerting.adapters.mqtt import MqttTaskPublisher
from alerting.alerts import alert_spec
from alerting.floor import FloorTasks
from alerting.sender import OutboxSender
from alerting.settings import AlertingSettings
from ingest.contracts.errors import SettingsError, ShelfstreamError
from ingest.contracts.settings import (
    InstallationSettings,
    KafkaSettings,
    MqttSettings,
    load,
)
from ingest.contracts.topics import DELIVERIES, EVENTS
from streams.contracts.alerts import Delivery
from streams.engine.adapters.reader import RecordWriter
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

SENDER_GROUP: Final = "shelfstream-sender"
FLOOR_GROUP: Final = "shelfstream-floor"

_log = structlog.get_logger(__name__)


def main(arguments: Sequence[str]) -> int:
    """Run what the one argument names; return the exit code."""
    configure_logs()
    jobs: dict[str, Callable[[Mapping[str, str]], int]] = {
        "fold": _fold,
        "send": lambda environ: _until_signal(_send(environ)),
        "floor": lambda environ: _until_signal(_floor(environ)),
    }
    if len(arguments) != 1 or arguments[0] not in jobs:
        _log.error("usage", detail=f"python -m alerting.main {' | '.join(jobs)}")
        return EXIT_SETTINGS
    try:
        return jobs[arguments[0]](os.environ)  # noqa: TID251 - main reads the environment
    except SettingsError as error:
        _log.error("settings refused", detail=str(error))
        return EXIT_SETTINGS
    except ShelfstreamError as error:
        _log.error("process ends", reason=type(error).__name__, detail=str(error))
        return exit_code(error)
    except Exception:  # noqa: BLE001 - the outermost loop; the supervisor restarts the process
        _log.exception("process ends")
        return EXIT_FAILED


def _fold(environ: Mapping[str, str]) -> int:
    return run_worker(
        alert_spec(),
        load(KafkaSettings, environ),
        load(EngineSettings, environ),
        load(InstallationSettings, environ),
    )


def _until_signal(work: Coroutine[Any, Any, None]) -> int:
    asyncio.run(work)
    return EXIT_STOPPED


async def _send(environ: Mapping[str, str]) -> None:
    stop = stop_on_signal()
    kafka = load(KafkaSettings, environ)
    settings = load(AlertingSettings, environ)
    installation = load(InstallationSettings, environ)
    sender = AppriseSender(environ)
    outbox = GroupLog(
        kafka, SENDER_GROUP, DELIVERIES.name, poll_records_max=settings.poll_records_max
    )
    known = await known_deliveries(kafka)
    try:
        async with RecordWriter(kafka) as writer, outbox:
            _log.info("sender started", known_deliveries=len(known))
            await OutboxSender(
                outbox,
                KafkaResultLog(writer, installation.partition_count),
                sender,
                settings,
                stamp_ms=_wall_ms if installation.time == "wall" else _delivery_ms,
                known=known,
            ).run(stop)
    finally:
        sender.close()
    _log.info("sender stopped")


async def _floor(environ: Mapping[str, str]) -> None:
    stop = stop_on_signal()
    kafka = load(KafkaSettings, environ)
    settings = load(AlertingSettings, environ)
    events = GroupLog(kafka, FLOOR_GROUP, EVENTS.name, poll_records_max=settings.poll_records_max)
    publisher = MqttTaskPublisher(load(MqttSettings, environ), settings.publish_timeout_ms)
    async with publisher, events:
        floor = FloorTasks(events, publisher)
        _log.info("floor started")
        await floor.run(stop)
    _log.info("floor stopped", tasks=floor.tasks_published)


def _wall_ms(_delivery: Delivery) -> int:
    return time.time_ns() // 1_000_000  # noqa: TID251 - the process's edge


def _delivery_ms(delivery: Delivery) -> int:
    """Return a time that has passed already: in driven time only the driver moves time on."""
    return delivery.at_ms


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
