"""The Kafka topics as code, and the names of the MQTT topics.

Everything that creates, reads or writes a topic takes its name and its settings from here.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

from ingest.contracts.durations import DAY_MS

PARTITION_COUNT_DEFAULT: Final = 4
"""Partitions of every partitioned topic of an installation, unless it chose otherwise."""

INPUT_RETENTION_MS: Final = 35 * DAY_MS
LEDGER_RETENTION_MS: Final = 3650 * DAY_MS
RECORD_BYTES_MAX: Final = 4 * 1024 * 1024

PartitionedBy = Literal["sku", "site", "channel", "single"]


@dataclass(frozen=True, kw_only=True)
class Topic:
    """One Kafka topic: what its partition means and how long its records are kept."""

    name: str
    partitioned_by: PartitionedBy
    retention_ms: int | None
    """None for a compacted topic."""
    doc: str
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def compacted(self) -> bool:
        """Tell whether only the newest record of a key is kept."""
        return self.retention_ms is None

    def partitions(self, partition_count: int) -> int:
        """Return how many partitions the topic has in an installation of `partition_count`."""
        return 1 if self.partitioned_by == "single" else partition_count

    def config(self) -> dict[str, str]:
        """Return the broker's topic settings, names and values as Kafka spells them."""
        common = {
            "max.message.bytes": str(RECORD_BYTES_MAX),
            # Retention counts from when the broker took a record: driven time may be of 2010.
            "message.timestamp.type": "LogAppendTime",
            **self.extra,
        }
        if self.retention_ms is not None:
            return {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms), **common}
        return {
            "cleanup.policy": "compact",
            "segment.bytes": str(64 * 1024 * 1024),
            "segment.ms": "600000",
            "min.cleanable.dirty.ratio": "0.1",
            # A store on disk trusts itself for half as long; see streams.engine.store.
            "delete.retention.ms": str(DAY_MS),
            **common,
        }


INPUTS: Final = Topic(
    name="shelfstream.inputs",
    partitioned_by="sku",
    retention_ms=INPUT_RETENTION_MS,
    doc="Frames of everything that can change stock; the one input of the stock fold.",
)
STOCK: Final = Topic(
    name="shelfstream.stock",
    partitioned_by="sku",
    retention_ms=None,
    doc="State of the stock fold: levels, transfers, needs, reference data. The live table.",
)
MOVEMENTS: Final = Topic(
    name="shelfstream.movements",
    partitioned_by="sku",
    retention_ms=LEDGER_RETENTION_MS,
    doc="Frames of the ledger: each change of a quantity with its cause.",
)
EVENTS: Final = Topic(
    name="shelfstream.events",
    partitioned_by="sku",
    retention_ms=INPUT_RETENTION_MS,
    doc="Frames of life-cycle events: breaches, transfers, needs, devices, answers to commands.",
)
CATALOG: Final = Topic(
    name="shelfstream.catalog",
    partitioned_by="single",
    retention_ms=None,
    doc="Reference data, one record an entity: sites, lanes, SKUs, devices, policies, channels.",
)
PLANS: Final = Topic(
    name="shelfstream.plans",
    partitioned_by="site",
    retention_ms=INPUT_RETENTION_MS,
    doc="Frames of proposals; the input of the planning fold.",
)
PLAN_STATE: Final = Topic(
    name="shelfstream.plan-state",
    partitioned_by="site",
    retention_ms=None,
    doc="State of the planning fold: shipments per lane.",
)
ALERT_INPUTS: Final = Topic(
    name="shelfstream.alert-inputs",
    partitioned_by="site",
    retention_ms=INPUT_RETENTION_MS,
    doc="Frames of what may alert, people's answers and delivery results; the alert fold's input.",
)
ALERTS: Final = Topic(
    name="shelfstream.alerts",
    partitioned_by="site",
    retention_ms=None,
    doc="State of the alert fold: one record an alert.",
)
DELIVERIES: Final = Topic(
    name="shelfstream.deliveries",
    partitioned_by="channel",
    retention_ms=INPUT_RETENTION_MS,
    doc="The outbox: frames of messages to send to people.",
)
DEAD_LETTERS: Final = Topic(
    name="shelfstream.dead-letters",
    partitioned_by="single",
    retention_ms=LEDGER_RETENTION_MS,
    doc="What could not be accepted: raw bytes, reason, origin; replayable.",
)

TOPICS: Final = (
    INPUTS,
    STOCK,
    MOVEMENTS,
    EVENTS,
    CATALOG,
    PLANS,
    PLAN_STATE,
    ALERT_INPUTS,
    ALERTS,
    DELIVERIES,
    DEAD_LETTERS,
)

MQTT_ROOT: Final = "stock/v1"
MQTT_TIME: Final = f"{MQTT_ROOT}/_time"
"""Driven time: the payload is `{"at_ms": 123}`."""


def mqtt_topic(site: str, device: str, leaf: str) -> str:
    """Return `stock/v1/{site}/{device}/{leaf}`; leaf is readings, scans, status or accepted."""
    return f"{MQTT_ROOT}/{site}/{device}/{leaf}"


def mqtt_tasks_topic(site: str) -> str:
    """Return the topic on which a site's floor hears of tasks."""
    return f"{MQTT_ROOT}/{site}/tasks"
