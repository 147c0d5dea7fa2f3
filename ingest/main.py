"""The bridge process: `python -m ingest.main`."""

import contextlib
import gc
import os
import signal
import sys
import time
import uuid
from collections.abc import Mapping
from typing import Final, Protocol

import structlog

from ingest.adapters.kafka import KafkaCatalogFeed, KafkaSink
from ingest.adapters.metrics import BridgeCollector, serve_metrics
from ingest.adapters.mqtt import MqttSource
from ingest.adapters.mqtt_presence import Presence
from ingest.bridge import Bridge
from ingest.catalog import Catalog
from ingest.contracts.errors import InstallationError, ShelfstreamError
from ingest.contracts.settings import KafkaSettings, MqttSettings, load
from ingest.settings import BridgeSettings
from ingest.slices import SliceRouter, client_id

WAIT_BUSY_S: Final = 0.002
WAIT_IDLE_S: Final = 0.01
PACE_S: Final = 0.002
PACED_BYTES: Final = 128 * 1024
"""After a step that took less more may gather for so long: a step costs as much as ten messages,
and a frame waits ten times as long."""
CATALOG_READ_S_MAX: Final = 60.0
INSTALLATION_WAIT_S_MAX: Final = 60.0
BROKER_WAIT_S_MAX: Final = 30.0
CLOSE_S_MAX: Final = 10.0
RETRY_S: Final = 0.5
GC_ALLOCATIONS: Final = 100_000
"""Thousands of messages in flight are no garbage; looking at them often costs a tenth."""

_log = structlog.get_logger("ingest.main")


class Stop:
    """Whether the process was asked to end."""

    def __init__(self) -> None:
        """Listen to SIGTERM and SIGINT."""
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True


def main() -> int:
    """Run the bridge until it is asked to end, and return the exit code."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        _run(os.environ, Stop())  # noqa: TID251 - main reads the environment
    except ShelfstreamError as error:
        _log.error("bridge_failed", error=str(error), kind=type(error).__name__)
        return 1
    except Exception:  # noqa: BLE001 - the outermost loop; the supervisor restarts the process
        _log.exception("bridge_broken")
        return 2
    return 0


def _run(environ: Mapping[str, str], stop: Stop) -> None:
    settings = load(BridgeSettings, environ)
    mqtt = load(MqttSettings, environ)
    kafka = load(KafkaSettings, environ)
    name = client_id(settings.slice_index, settings.slice_count)
    instance = f"{_now_ms():015d}-{uuid.uuid4().hex}"
    presence = Presence(mqtt, name, instance, time.monotonic)
    with contextlib.ExitStack() as opened:
        opened.callback(presence.close)
        _claim(presence, stop)
        if stop.asked:
            return
        feed = KafkaCatalogFeed(kafka)
        opened.callback(feed.close)
        catalog = Catalog()
        _read_catalog(feed, catalog, stop)
        installation = catalog.installation
        if stop.asked or installation is None:
            return
        sink = KafkaSink(kafka, partition_count=installation.partition_count)
        opened.callback(sink.close)
        source = MqttSource(
            mqtt,
            client_id=name,
            session_expiry_s=settings.session_expiry_s,
            messages_in_flight_max=settings.messages_in_flight_max,
            monotonic_s=time.monotonic,
            presence=presence,
        )
        opened.callback(source.close)
        driven = installation.time == "driven"
        bridge = Bridge(
            source=source,
            sink=sink,
            catalog=catalog,
            feed=feed,
            router=SliceRouter(settings.slice_index, settings.slice_count, driven=driven),
            now_ms=_now_ms,
            monotonic_ms=_monotonic_ms,
            limits=settings.limits,
        )
        if settings.metrics_port:
            _serve_metrics(bridge, source, settings.metrics_port)
        _log.info("bridge_started", client_id=name, version=catalog.version, driven=driven)
        gc.freeze()
        gc.set_threshold(GC_ALLOCATIONS, 20, 100)
        _serve(bridge, source, stop)
    _log.info("bridge_ended", **_totals(bridge))


class Waiting(Protocol):
    """What can wait until there is something to do."""

    def wait(self, timeout_s: float) -> None:
        """Wait, at most `timeout_s`."""


def _serve(bridge: Bridge, source: Waiting, stop: Stop) -> None:
    counts = bridge.counts
    while not stop.asked:
        before_bytes = counts.message_bytes
        if not bridge.step():
            source.wait(WAIT_BUSY_S if bridge.in_flight else WAIT_IDLE_S)
        elif counts.message_bytes - before_bytes < PACED_BYTES:
            time.sleep(PACE_S)
    deadline_s = time.monotonic() + CLOSE_S_MAX
    while not bridge.idle and time.monotonic() < deadline_s:
        if not bridge.step(taking=False):
            source.wait(WAIT_BUSY_S)


def _claim(presence: Presence, stop: Stop) -> None:
    deadline_s = time.monotonic() + BROKER_WAIT_S_MAX
    while not stop.asked:
        try:
            presence.claim()
        except OSError as error:
            if time.monotonic() > deadline_s:
                raise InstallationError(f"the MQTT broker can't be used: {error}") from error
            time.sleep(RETRY_S)
        else:
            return


def _read_catalog(feed: KafkaCatalogFeed, catalog: Catalog, stop: Stop) -> None:
    feed.read_to_end(catalog.apply, timeout_s=CATALOG_READ_S_MAX, monotonic_s=time.monotonic)
    deadline_s = time.monotonic() + INSTALLATION_WAIT_S_MAX
    while catalog.installation is None and not stop.asked:
        if time.monotonic() > deadline_s:
            raise InstallationError("the catalog topic holds no installation; run `shelfstream up`")
        time.sleep(RETRY_S)
        for key, value in feed.poll():
            catalog.apply(key, value)


def _serve_metrics(bridge: Bridge, source: MqttSource, port: int) -> None:
    collector = BridgeCollector(
        bridge.counts,
        stale_acks=lambda: source.stale_acks,
        in_flight=lambda: bridge.in_flight,
        clocks_flagged=lambda: len(bridge.clocks.flagged()),
    )
    serve_metrics(collector, port)


def _totals(bridge: Bridge) -> dict[str, int]:
    counts = bridge.counts
    return {
        "messages": counts.messages,
        "items": counts.items,
        "frames": counts.frames,
        "letters": counts.letters.total(),
    }


def _now_ms() -> int:
    return time.time_ns() // 1_000_000  # noqa: TID251 - the bridge's clock is made here


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


if __name__ == "__main__":
    sys.exit(main())
