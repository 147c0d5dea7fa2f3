"""Kafka by kafka-python: frames out, the catalogue in."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from ingest.contracts.errors import DeliveryError, InstallationError, PartitionCountError
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import (
    ALERT_INPUTS,
    CATALOG,
    DEAD_LETTERS,
    INPUTS,
    PLANS,
    RECORD_BYTES_MAX,
    Topic,
)
from ingest.loads import LoadGatherer, Record
from ingest.ports import SendHandle

LINGER_MS: Final = 10
BATCH_BYTES: Final = 256 * 1024
BLOCK_MS_MAX: Final = 1_000
"""`send` waits for metadata at most so long; it is loaded before, so it should never."""
DELIVERY_MS_MAX: Final = 30_000
REQUEST_MS_MAX: Final = 10_000
CATALOG_RECORDS_MAX: Final = 5_000
"""Taken from the catalog topic at once."""

_log = structlog.get_logger(__name__)


def kafka_options(settings: KafkaSettings) -> dict[str, Any]:
    """Return kafka-python's connection options."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap.split(","),
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.username
        options["sasl_plain_password"] = settings.password.get_secret_value()
    if settings.ca_file is not None:
        options["ssl_cafile"] = str(settings.ca_file)
    return options


class _Handle:
    __slots__ = ("_future",)

    def __init__(self, future: Any) -> None:
        self._future = future

    def done(self) -> bool:
        return bool(self._future.is_done)

    def error(self) -> str | None:
        if not self._future.failed():
            return None
        return f"{type(self._future.exception).__name__}: {self._future.exception}"


class KafkaSink:
    """A `RecordSink`: acks=all, idempotent, in order within a partition, never blocking.

    Not compressed: aiokafka, which reads these topics, has no codec but gzip without an extra.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        partition_count: int,
        topics: Sequence[Topic] = (INPUTS, DEAD_LETTERS, PLANS, ALERT_INPUTS),
    ) -> None:
        """Connect, and load what must be known of `topics` before the first send.

        Args:
            settings: Where Kafka is.
            partition_count: The installation's; keys are placed by it.
            topics: All that will be written.

        Raises:
            DeliveryError: Kafka can't be reached, or has no such topic.
            PartitionCountError: A topic has another number of partitions.
        """
        try:
            _check_topics(settings, topics)
            self._producer = KafkaProducer(
                **kafka_options(settings),
                client_id="shelfstream-bridge",
                acks="all",
                enable_idempotence=True,
                linger_ms=LINGER_MS,
                batch_size=BATCH_BYTES,
                max_request_size=RECORD_BYTES_MAX,
                max_block_ms=BLOCK_MS_MAX,
                delivery_timeout_ms=DELIVERY_MS_MAX,
                request_timeout_ms=REQUEST_MS_MAX,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
            for topic in topics:
                found = len(self._producer.partitions_for(topic.name))
                _check_partitions(topic, found, topic.partitions(partition_count))
        except KafkaError as error:
            raise DeliveryError(f"Kafka can't be used: {error}") from error

    def send(self, topic: str, partition: int, key: bytes | None, value: bytes) -> SendHandle:
        """Queue one record.

        Raises:
            DeliveryError: It can't be queued.
        """
        try:
            return _Handle(self._producer.send(topic, value=value, key=key, partition=partition))
        except KafkaError as error:
            raise DeliveryError(f"Kafka does not take a record of {topic}: {error}") from error

    def poll(self) -> None:
        """Do nothing: the producer has a thread of its own."""

    def flush(self, timeout_s: float) -> bool:
        """Wait until all queued records are done; False when time ran out."""
        try:
            self._producer.flush(timeout=timeout_s)
        except KafkaError:
            return False
        return True

    def close(self, timeout_s: float = 5.0) -> None:
        """Release the connections."""
        self._producer.close(timeout=timeout_s)


def _check_partitions(topic: Topic, found: int, expected: int) -> None:
    if found != expected:
        raise PartitionCountError(
            f"{topic.name} has {found} partitions, and this installation expects {expected}: "
            "a count is changed by repartitioning, never in place"
        )


def _check_topics(settings: KafkaSettings, topics: Sequence[Topic]) -> None:
    """Ask for all topics: asking for one by name creates it, whatever the client's options say."""
    admin = KafkaAdminClient(**kafka_options(settings))
    try:
        missing = sorted({topic.name for topic in topics} - set(admin.list_topics()))
    finally:
        admin.close()
    if missing:
        raise DeliveryError(f"Kafka has no topic {', '.join(missing)}; run `shelfstream up`")


class KafkaCatalogFeed:
    """A `CatalogFeed`: the catalog topic from its beginning, committed records only."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Connect.

        Raises:
            InstallationError: Kafka can't be reached.
        """
        self._partition = TopicPartition(CATALOG.name, 0)
        self._gatherer = LoadGatherer()
        try:
            self._consumer = KafkaConsumer(
                **kafka_options(settings),
                client_id="shelfstream-bridge",
                group_id=None,
                enable_auto_commit=False,
                isolation_level="read_committed",
                auto_offset_reset="earliest",
                allow_auto_create_topics=False,
                request_timeout_ms=REQUEST_MS_MAX,
                max_poll_records=CATALOG_RECORDS_MAX,
                metrics_enabled=False,
            )
            self._consumer.assign([self._partition])
            self._consumer.seek_to_beginning(self._partition)
        except KafkaError as error:
            raise InstallationError(f"the catalogue can't be read: {error}") from error

    def poll(self) -> list[Record]:
        """Return the records of loads that are whole by now, in order, without waiting."""
        return self._gatherer.taken(self._polled(0))

    def read_to_end(
        self,
        apply: Callable[[str, bytes | None], None],
        *,
        timeout_s: float,
        monotonic_s: Callable[[], float],
    ) -> int:
        """Apply everything there is now, and return how many records it was.

        Raises:
            InstallationError: The end was not reached in `timeout_s`.
        """
        count = 0
        deadline_s = monotonic_s() + timeout_s
        try:
            end_offset = self._consumer.end_offsets([self._partition])[self._partition]
            while self._consumer.position(self._partition) < end_offset:
                if monotonic_s() > deadline_s:
                    raise InstallationError(f"the catalogue was not read in {timeout_s:g} s")
                for key, value in self._polled(200):
                    apply(key, value)
                    count += 1
        except KafkaError as error:
            raise InstallationError(f"the catalogue can't be read: {error}") from error
        return count

    def close(self) -> None:
        """Release the connections."""
        self._consumer.close()

    def _polled(self, timeout_ms: int) -> list[Record]:
        try:
            polled = self._consumer.poll(timeout_ms=timeout_ms)
        except KafkaError as error:
            _log.warning("catalog_poll_failed", error=str(error))
            return []
        records = polled.get(self._partition, [])
        return [(record.key.decode(), record.value) for record in records if record.key]
