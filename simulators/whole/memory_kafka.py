"""A double of Kafka in memory: partitions, transactions, fencing, `read_committed`.

What the product relies on is modelled, and nothing more: offsets with gaps where transaction
markers stand, topic ids, the last stable offset, epochs by transactional id, aborts after the
transaction time-out, retention, compaction, a broker that is down. All of it is synchronous; the
delays and the losses of a network are in `simulators.whole.memory_link`.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextvars import Context
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal

from ingest.contracts.errors import FencedError

TRANSACTION_TIMEOUT_S_DEFAULT: Final = 10.0

Outcome = Literal["open", "committed", "aborted"]


@dataclass(slots=True, eq=False)
class Transaction:
    """One transaction of one producer epoch."""

    transactional_id: str
    epoch: int
    outcome: Outcome = "open"
    partitions: list["PartitionLog"] = field(default_factory=list)
    """Where it has written and no marker stands yet."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record of a partition; a marker has neither key nor value that anybody reads."""

    offset: int
    key: bytes | None
    value: bytes | None
    transaction: Transaction | None = None
    marker: bool = False


class PartitionLog:
    """The records of one partition, in order of their offsets."""

    def __init__(self) -> None:
        """Start empty, at offset 0."""
        self.records: list[LogRecord] = []
        self.begin_offset = 0
        self.end_offset = 0
        self._open: dict[Transaction, int] = {}
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    @property
    def stable_offset(self) -> int:
        """The last stable offset: no record at or above it is told to `read_committed`."""
        return min(self._open.values(), default=self.end_offset)

    def append(
        self, key: bytes | None, value: bytes | None, transaction: Transaction | None = None
    ) -> int:
        """Append one record and return its offset."""
        if transaction is not None and transaction not in self._open:
            self._open[transaction] = self.end_offset
            transaction.partitions.append(self)
        return self._put(LogRecord(self.end_offset, key, value, transaction))

    def mark(self, transaction: Transaction) -> None:
        """Write the transaction's marker, which takes an offset of its own."""
        self._put(LogRecord(self.end_offset, None, None, transaction, marker=True))
        del self._open[transaction]
        transaction.partitions.remove(self)
        self.tell()

    def read_committed(self, begin_offset: int, end_offset: int | None = None) -> list[LogRecord]:
        """Return what a `read_committed` consumer sees from one offset to below another."""
        end = self.stable_offset if end_offset is None else min(end_offset, self.stable_offset)
        return [
            record
            for record in self._between(begin_offset, end)
            if not record.marker
            and (record.transaction is None or record.transaction.outcome == "committed")
        ]

    def fetch(self, begin_offset: int, records_max: int) -> tuple[list[LogRecord], int]:
        """Return what a `read_committed` consumer fetches at an offset, and its next position."""
        records: list[LogRecord] = []
        for record in self._between(begin_offset, self.stable_offset):
            if len(records) >= records_max:
                return records, record.offset
            aborted = record.transaction is not None and record.transaction.outcome != "committed"
            if not record.marker and not aborted:
                records.append(record)
        return records, max(begin_offset, self.stable_offset)

    def readable(self, offset: int) -> "asyncio.Future[None]":
        """Return a future that is done once `read_committed` gets beyond an offset."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.stable_offset > offset:
            future.set_result(None)
        else:
            self._waiting.append((offset, future))
        return future

    def tell(self) -> None:
        """Wake who waits for what can be read by now."""
        if not self._waiting:
            return
        stable = self.stable_offset
        for offset, future in self._waiting:
            if stable > offset and not future.done():
                future.set_result(None)
        self._waiting = [one for one in self._waiting if not one[1].done()]

    def truncate(self, begin_offset: int) -> None:
        """Drop all records below an offset, as retention does."""
        self.begin_offset = min(max(self.begin_offset, begin_offset), self.end_offset)
        self.records = [record for record in self.records if record.offset >= self.begin_offset]

    def compact(self) -> None:
        """Keep the newest committed record of each key, below the last stable offset."""
        stable = self.stable_offset
        newest = {record.key: record.offset for record in self.read_committed(self.begin_offset)}
        self.records = [
            record
            for record in self.records
            if record.offset >= stable
            or (not record.marker and newest.get(record.key) == record.offset)
        ]

    def _between(self, begin_offset: int, end_offset: int) -> Iterator[LogRecord]:
        low, high = 0, len(self.records)
        while low < high:
            middle = (low + high) // 2
            if self.records[middle].offset < begin_offset:
                low = middle + 1
            else:
                high = middle
        for index in range(low, len(self.records)):
            if self.records[index].offset >= end_offset:
                return
            yield self.records[index]

    def _put(self, record: LogRecord) -> int:
        self.records.append(record)
        self.end_offset = record.offset + 1
        if record.transaction is None:
            self.tell()
        return record.offset


@dataclass(slots=True)
class TopicLog:
    """One topic: its id, new at each creation, and its partitions."""

    name: str
    topic_id: str
    partitions: list[PartitionLog]


@dataclass(slots=True)
class KafkaCounts:
    """What happened in a broker's life."""

    appends: int = 0
    commits: int = 0
    aborts: int = 0
    """Transactions aborted, for whatever reason."""
    aborts_by_fence: int = 0
    aborts_by_timeout: int = 0
    fences: int = 0
    """Requests of an older epoch that were refused."""
    crashes: int = 0


@dataclass(frozen=True, slots=True)
class ProducerId:
    """Who writes: a transactional id and the epoch of its start."""

    transactional_id: str
    epoch: int


@dataclass(slots=True)
class _Producer:
    epoch: int = -1
    transaction: Transaction | None = None


DelayS = Callable[[], float]


class MemoryKafka:
    """One broker; its methods are what a request does when it arrives."""

    def __init__(
        self,
        *,
        transaction_timeout_s: float = TRANSACTION_TIMEOUT_S_DEFAULT,
        marker_delay_s: DelayS | None = None,
    ) -> None:
        """Make an empty broker.

        `marker_delay_s` tells how long after the commit each partition's marker is written; None
        writes all at once.
        """
        self.topics: dict[str, TopicLog] = {}
        self.counts = KafkaCounts()
        self.up = True
        self._topic_number = 0
        self._producers: dict[str, _Producer] = {}
        self._timeout_s = transaction_timeout_s
        self._marker_delay_s = marker_delay_s

    def create_topic(self, name: str, partition_count: int) -> TopicLog:
        """Create a topic, or make it again with a new id and no records."""
        self._topic_number += 1
        partitions = [PartitionLog() for _ in range(partition_count)]
        topic = TopicLog(name, f"{name}#{self._topic_number}", partitions)
        self.topics[name] = topic
        return topic

    def partition(self, topic: str, partition: int) -> PartitionLog:
        """Return one partition's log.

        Raises:
            KeyError: There is no such topic.
            IndexError: The topic has fewer partitions.
        """
        return self.topics[topic].partitions[partition]

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes | None) -> int:
        """Append a plain record and return its offset."""
        self.counts.appends += 1
        return self.partition(topic, partition).append(key, value)

    def init_producer(self, transactional_id: str) -> ProducerId | None:
        """Start a producer: fence the older one, abort its transaction; return the newer.

        None while the last transaction still waits for its markers: ask again, as clients do.
        """
        producer = self._producers.setdefault(transactional_id, _Producer())
        transaction = producer.transaction
        if transaction is not None and transaction.outcome == "open":
            self.counts.aborts_by_fence += 1
            producer.epoch += 1  # from here on the older one is refused
            self._end(producer, "aborted")
        if not self._idle(producer):
            return None
        producer.epoch += 1
        return ProducerId(transactional_id, producer.epoch)

    def begin(self, writer: ProducerId) -> bool:
        """Begin a transaction; False while the last one waits for its markers: ask again.

        Raises:
            FencedError: A newer epoch has started.
        """
        producer = self._checked(writer)
        if not self._idle(producer):
            return False
        transaction = Transaction(writer.transactional_id, writer.epoch)
        producer.transaction = transaction
        self._later(self._timeout_s, lambda: self._time_out(producer, transaction))
        return True

    def append_transactional(
        self,
        writer: ProducerId,
        topic: str,
        partition: int,
        *,
        key: bytes | None,
        value: bytes | None,
    ) -> int:
        """Append a record to the open transaction and return its offset.

        Raises:
            FencedError: A newer epoch has started, or the transaction was aborted.
        """
        producer = self._checked(writer)
        if producer.transaction is None or producer.transaction.outcome != "open":
            raise FencedError(f"{writer.transactional_id}: the transaction is no longer open")
        self.counts.appends += 1
        return self.partition(topic, partition).append(key, value, producer.transaction)

    def end(self, writer: ProducerId, *, commit: bool) -> None:
        """Commit or abort the open transaction; it is decided when this returns.

        Raises:
            FencedError: A newer epoch has started, or the transaction was aborted.
        """
        producer = self._checked(writer)
        if producer.transaction is None or producer.transaction.outcome != "open":
            raise FencedError(f"{writer.transactional_id}: the transaction is no longer open")
        self._end(producer, "committed" if commit else "aborted")

    def _checked(self, writer: ProducerId) -> _Producer:
        producer = self._producers.get(writer.transactional_id)
        if producer is None or producer.epoch != writer.epoch:
            self.counts.fences += 1
            raise FencedError(f"{writer.transactional_id}: a newer producer has started")
        return producer

    def _idle(self, producer: _Producer) -> bool:
        return producer.transaction is None or not (
            producer.transaction.outcome == "open" or producer.transaction.partitions
        )

    def _end(self, producer: _Producer, outcome: Outcome) -> None:
        transaction = producer.transaction
        if transaction is None:
            return
        transaction.outcome = outcome
        if outcome == "committed":
            self.counts.commits += 1
        else:
            self.counts.aborts += 1
        for partition in list(transaction.partitions):
            if self._marker_delay_s is None:
                partition.mark(transaction)
            else:
                self._later(self._marker_delay_s(), partial(partition.mark, transaction))

    def _time_out(self, producer: _Producer, transaction: Transaction) -> None:
        if transaction.outcome == "open":
            self.counts.aborts_by_timeout += 1
            producer.epoch += 1  # the broker fences whom it has given up
            self._end(producer, "aborted")

    def _later(self, delay_s: float, callback: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(delay_s, callback, context=Context())
