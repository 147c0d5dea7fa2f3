"""The composition root of the InfluxDB sink: which source, writer and letter box are real."""

import asyncio
from collections.abc import Callable

import structlog

from ingest.contracts.errors import SettingsError
from ingest.contracts.settings import InfluxSettings, KafkaSettings
from streams.adapters.influx import InfluxPointWriter
from streams.adapters.letters import KafkaLetterBox
from streams.adapters.watched import WatchedReader
from streams.engine.adapters.reader import RecordWriter
from streams.settings import SinkSettings
from streams.sink import FOLD_GROUPS, MAPPERS, SINK_GROUP, Sink


async def run(
    kafka: KafkaSettings,
    influx: InfluxSettings,
    settings: SinkSettings,
    *,
    stop: asyncio.Event,
    now_ms: Callable[[], int],
) -> None:
    """Run the sink until `stop` is set; the step under way is finished first.

    Raises:
        SettingsError: There is no InfluxDB in the settings.
    """
    if not influx.url:
        raise SettingsError("SHELFSTREAM_INFLUX_URL is not set: the sink has nowhere to write")
    source = WatchedReader(
        kafka,
        SINK_GROUP,
        sorted(MAPPERS),
        FOLD_GROUPS,
        poll_records_max=settings.poll_records_max,
    )
    log = structlog.get_logger("sink")
    with InfluxPointWriter(influx, settings.write_timeout_ms) as writer:
        async with RecordWriter(kafka) as letters, source:
            sink = Sink(source, writer, KafkaLetterBox(letters, now_ms), settings, now_ms)
            log.info("started", url=influx.url, bucket=influx.bucket)
            while not stop.is_set():
                await sink.step()
    log.info("stopped", records=sink.records, lines=sink.lines, refused=sink.refused)
