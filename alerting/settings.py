"""Settings of the sender and the floor: `SHELFSTREAM_ALERTING_*`."""

from typing import ClassVar

from pydantic import Field

from ingest.contracts.settings import Settings


class AlertingSettings(Settings):
    """How messages are tried, and how many may wait."""

    group: ClassVar[str] = "ALERTING"
    attempts_max: int = Field(default=6, ge=1, le=100)
    """Attempts of one message. After a message used them all up, the next ones of its channel have
    a single attempt each, until one is taken."""
    backoff_ms: int = Field(default=1_000, ge=1, le=60_000)
    """The wait after the first failed attempt; it doubles with each."""
    backoff_ms_max: int = Field(default=60_000, ge=1, le=3_600_000)
    send_timeout_ms: int = Field(default=15_000, ge=10, le=600_000)
    """An attempt that takes longer has failed."""
    queue_deliveries_max: int = Field(default=5_000, ge=1, le=1_000_000)
    """Messages that may wait for one channel; more fail at once, visibly."""
    channels_max: int = Field(default=64, ge=1, le=1_000)
    """Channels with a worker of their own; messages for more fail at once, visibly."""
    known_deliveries_max: int = Field(default=100_000, ge=1, le=10_000_000)
    """Finished messages remembered, so that one read again is not sent again."""
    poll_records_max: int = Field(default=500, ge=1, le=100_000)
    """Kafka records of one poll."""
    publish_timeout_ms: int = Field(default=30_000, ge=100, le=600_000)
    """How long the MQTT broker may take to acknowledge tasks; after that the process ends."""
