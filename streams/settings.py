"""Settings of the InfluxDB sink: `SHELFSTREAM_SINK_*`."""

from typing import ClassVar

from pydantic import PositiveInt

from ingest.contracts.settings import Settings


class SinkSettings(Settings):
    """Limits of the sink."""

    group: ClassVar[str] = "SINK"
    batch_lines_max: PositiveInt = 5_000
    """Lines of one write."""
    poll_records_max: PositiveInt = 5_000
    """Kafka records of one poll; frames hold up to 500 items each."""
    write_timeout_ms: PositiveInt = 10_000
    retry_delay_ms_max: PositiveInt = 15_000
    """An outage is waited out with this as the longest pause; nothing is dropped."""
    health_interval_ms: PositiveInt = 5_000
