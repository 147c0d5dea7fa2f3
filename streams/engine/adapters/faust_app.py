"""Faust around a partition host: it finds the partitions of this worker and fetches their frames.

All that the product needs of Faust is here. Faust's own table writing, recovery and producer are
given nothing to do: the store takes partitions over and keeps their state, and reading starts
after the applied offset, whatever the consumer group has committed.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import aiokafka
import faust
from aiokafka.errors import IllegalStateError
from faust.assignor.partition_assignor import PartitionAssignor
from faust.stores import memory
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import ServiceT

from ingest.contracts.settings import KafkaSettings
from streams.engine.adapters.connection import client_options
from streams.engine.host import PartitionHost
from streams.engine.settings import EngineSettings

_POLL_RECORDS_MAX = 256
"""Frames that one poll hands over at most."""
_FETCH_BYTES_MAX = 4 * 1024 * 1024
"""Of one partition in one fetch: what is fetched is folded while the next is on its way."""
_FETCH_TIMEOUT_S = 1.0
_OFFSET_COMMIT_INTERVAL_S = 1.0
_POSITION_TIMEOUT_S = 5.0


class FoldStore(memory.Store[bytes, bytes]):
    """The table's store: the host's live state, read-only, restored in bulk by the host."""

    host: PartitionHost

    def __post_init__(self) -> None:
        """Show the host's state as the table's data."""
        super().__post_init__()
        self.data = cast("dict[Any, Any]", self.host.state)

    def persisted_offset(self, tp: TP) -> int | None:
        """Return the uncommitted end - 1, so that Faust's recovery has nothing to read."""
        runner = self.host.runners.get(tp.partition)
        return runner.end_offset - 1 if runner is not None else None

    def set_persisted_offset(self, tp: TP, offset: int) -> None:
        """Ignore Faust's word: the applied record is the truth."""

    async def on_rebalance(
        self,
        assigned: set[TP],
        revoked: set[TP],  # noqa: ARG002 - Faust's signature
        newly_assigned: set[TP],  # noqa: ARG002 - Faust's signature
        generation_id: int = 0,  # noqa: ARG002 - Faust's signature
    ) -> None:
        """Give back what was revoked and fence what is new.

        It must be short: aiokafka sends no heartbeat before it returns. The restore goes on
        behind it, with heartbeats, and reading waits for it in `on_recovery_completed`.
        """
        topic, assignor = self.host.spec.state_topic, cast(HostAssignor, self.app.assignor)
        standbys = {tp.partition for tp in assignor.engine_standbys() if tp.topic == topic}
        mine = {tp.partition for tp in assigned if tp.topic == topic}
        await self.host.assign(mine - standbys, standbys)

    async def on_recovery_completed(
        self,
        active_tps: set[TP],  # noqa: ARG002 - Faust's signature
        standby_tps: set[TP],  # noqa: ARG002 - Faust's signature
    ) -> None:
        """Hold reading back until all partitions are restored."""
        await self.host.ready()


class HostAssignor(PartitionAssignor):
    """Faust's assignor, which spreads owners and standbys and lets a standby take over.

    Faust itself is told of no standby, or it would read uncommitted state into its table.
    """

    def assigned_standbys(self) -> set[TP]:
        """Return none."""
        return set()

    def engine_standbys(self) -> set[TP]:
        """Return the state partitions that this worker stands by for."""
        return super().assigned_standbys()


class FoldTable(faust.Table[bytes, bytes]):
    """A Faust table that is written by the engine's transactions only."""

    host: PartitionHost

    def _new_store(self) -> FoldStore:
        store_class = type("HostStore", (FoldStore,), {"host": self.host})
        return cast(FoldStore, store_class("memory://", self.app, self))


class CommittedThread(driver.AIOKafkaConsumerThread):
    """Reads committed records only; Faust's own reads uncommitted ones."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Begin with nothing fetched."""
        super().__init__(*args, **kwargs)
        self.end_offsets: dict[TP, int] = {}
        """Committed end of each partition when it was fetched last."""

    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's signature
        max_records: int | None = None,
    ) -> Mapping[TP, list[Any]]:
        records = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
        for tp in consumer.assignment().intersection(records):  # in the thread that changes it
            self.end_offsets[tp] = consumer.last_stable_offset(tp) or 0
        return records

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - Faust has no setting for it
        return consumer


class HostConsumer(driver.Consumer):
    """Faust's consumer, with the host's word on where to read and what is applied.

    Frames go straight to the host. By Faust's own way each message is two tasks, a queue, an event
    and an acknowledgement under a lock: as much work as counting the 500 events of a frame.
    """

    host: ClassVar[PartitionHost]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Begin with nothing committed."""
        super().__init__(*args, **kwargs)
        self._told: dict[TP, int] = {}

    def _new_consumer_thread(self) -> CommittedThread:
        return CommittedThread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: ServiceT) -> None:
        """Hand frames to the host until this or the fetcher is stopped."""
        try:
            while not (self.should_stop or fetcher.should_stop):
                records, active = await self._wait_next_records(_FETCH_TIMEOUT_S)
                if not self.flow_active:  # what was fetched belongs to a past assignment
                    with contextlib.suppress(IllegalStateError):  # taken away meanwhile
                        await self.perform_seek()
                    continue
                for tp, found in (records or {}).items():
                    if active is None or tp in active or tp in self._buffered_partitions:
                        self._hand_over(tp, found)
                await asyncio.sleep(0)  # a fetch may be answered without waiting
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    def _hand_over(self, tp: TP, records: Iterable[Any]) -> None:
        if tp.topic != self.host.spec.input_topic:
            return
        ends = cast(CommittedThread, self._thread).end_offsets
        self.host.tell_end(tp.partition, ends.get(tp, 0))
        for record in records:
            offset = record.offset
            if offset >= (self._read_offset[tp] or 0):
                self.host.receive(tp.partition, offset, record.value or b"")
                self._read_offset[tp] = offset

    async def force_commit(
        self,
        topics: Any = None,  # noqa: ARG002 - Faust's signature
        start_new_transaction: bool = True,  # noqa: ARG002 - Faust's signature
    ) -> bool:
        """Commit where the next owner may begin to read; the applied records are the truth."""
        topic = self.host.spec.input_topic
        applied = {TP(topic, p): one.applied_offset + 1 for p, one in self.host.runners.items()}
        news = {tp: offset for tp, offset in applied.items() if offset > self._told.get(tp, 0)}
        self._told |= news
        return bool(news) and await self._commit_offsets(news)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Look for nothing: no frame goes by Faust's streams; the worker has its own watchdog."""

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek every input partition to the frame after the last applied one."""
        topic = self.host.spec.input_topic
        mine = {tp.partition: tp for tp in self.assignment() if tp.topic == topic}
        offsets = {
            mine[partition]: runner.applied_offset + 1
            for partition, runner in self.host.runners.items()
            if partition in mine
        }
        if offsets:
            await self.seek_wait(offsets)
        return offsets

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Return where each state partition ended when it was taken over.

        Faust asks only to find out whether its recovery must read something: it never must.
        """
        runners = self.host.runners
        return {
            tp: runners[tp.partition].end_offset if tp.partition in runners else 0
            for tp in partitions
        }

    async def commit_and_end_transactions(self) -> None:
        """Let the host commit what is folded before the partitions are taken away."""
        await self.host.drain()
        await super().commit_and_end_transactions()


class FoldApp(faust.App):
    """A Faust app whose consumer obeys a partition host."""

    host: PartitionHost

    def _new_transport(self) -> driver.Transport:
        consumer_class = type("FoldConsumer", (HostConsumer,), {"host": self.host})
        transport_class = type("FoldTransport", (driver.Transport,), {"Consumer": consumer_class})
        return cast(driver.Transport, transport_class(self.conf.broker_consumer, self))

    async def input_position(self, partition: int) -> int | None:
        """Return the offset that is read next of an input partition; None while not assigned.

        -1 when the consumer does not answer: it is stuck then, whatever else it says.
        """
        place = TP(self.host.spec.input_topic, partition)
        if self.rebalancing or place not in self.consumer.assignment():
            return None
        try:
            async with asyncio.timeout(_POSITION_TIMEOUT_S):
                return await self.consumer.position(place)
        except IllegalStateError:
            return None  # taken away since we asked
        except TimeoutError:
            return -1

    async def _consumer_wait_empty(self, consumer: Any, logger: Any) -> None:  # noqa: ARG002 - Faust's signature
        """Commit what is folded and no more: Faust would wait without a limit."""
        await consumer.commit_and_end_transactions()


class ConsumerSource:
    """Pauses and resumes partitions of the app's consumer for the host."""

    def __init__(self, app: FoldApp) -> None:
        """Take the app; its consumer is made later."""
        self._app = app

    def pause(self, partition: int) -> None:
        """Read no further frames of a partition for now; fetched ones still come."""
        self._app.consumer.on_buffer_full(self._place(partition))

    def go_on(self, partition: int) -> None:
        """Read frames of a paused partition again."""
        place = self._place(partition)
        if place in self._app.consumer.assignment():
            self._app.consumer.on_buffer_drop(place)

    def _place(self, partition: int) -> TP:
        return TP(self._app.host.spec.input_topic, partition)


def create_app(
    host: PartitionHost, kafka: KafkaSettings, engine: EngineSettings, data_folder: Path
) -> FoldApp:
    """Build app, topics and table of one fold's worker; nothing is connected yet.

    There is no agent: frames go from the consumer to the host.
    """
    spec, partition_count = host.spec, host.partition_count
    app_class = type("HostApp", (FoldApp,), {"host": host})
    app = cast(FoldApp, app_class(f"shelfstream-{spec.name}", **_conf(kafka, engine, data_folder)))
    raw: dict[str, Any] = {
        "key_type": bytes,
        "value_type": bytes,
        "key_serializer": "raw",
        "value_serializer": "raw",
        "partitions": partition_count,
    }
    inputs = app.topic(spec.input_topic, **raw)
    state = app.topic(spec.state_topic, **raw)
    table_class = type("HostTable", (FoldTable,), {"host": host})
    app.tables.add(
        table_class(
            app,
            name=spec.name,
            partitions=partition_count,
            key_type=bytes,
            value_type=bytes,
            changelog_topic=state,
        )
    )
    host.source = ConsumerSource(app)

    app.topics.add(inputs)
    return app


def _conf(kafka: KafkaSettings, engine: EngineSettings, data_folder: Path) -> dict[str, Any]:
    options = client_options(kafka)
    addresses = [f"kafka://{address.strip()}" for address in kafka.bootstrap.split(",")]
    conf: dict[str, Any] = {
        "broker": addresses,
        "store": "memory://",
        "datadir": data_folder,
        "autodiscover": False,
        "web_enabled": False,
        "topic_disable_leader": True,
        "topic_allow_declare": False,
        "table_standby_replicas": engine.standby_replicas,
        "PartitionAssignor": HostAssignor,
        "consumer_group_instance_id": engine.instance_id,
        "consumer_auto_offset_reset": "earliest",
        "consumer_max_fetch_size": _FETCH_BYTES_MAX,
        "recovery_consistency_check": False,
        "stream_recovery_delay": 0.0,
        "stream_wait_empty": False,
        "broker_max_poll_records": _POLL_RECORDS_MAX,
        "broker_commit_interval": _OFFSET_COMMIT_INTERVAL_S,
        "broker_session_timeout": engine.session_timeout_ms / 1000,
        "broker_heartbeat_interval": engine.heartbeat_interval_ms / 1000,
        "broker_rebalance_timeout": (engine.drain_timeout_ms + engine.session_timeout_ms) / 1000,
        "broker_max_poll_interval": 2 * engine.takeover_timeout_ms / 1000,
        "producer_acks": -1,
        "producer_request_timeout": engine.commit_timeout_ms / 1000,
    }
    if "sasl_mechanism" in options:
        conf["broker_credentials"] = faust.SASLCredentials(
            username=kafka.username,
            password=kafka.password.get_secret_value(),
            mechanism=kafka.sasl_mechanism,
            ssl_context=options.get("ssl_context"),
        )
    elif "ssl_context" in options:
        conf["broker_credentials"] = faust.SSLCredentials(options["ssl_context"])
    return conf
