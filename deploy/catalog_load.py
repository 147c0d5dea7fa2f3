"""Loads a catalogue and opening stock into Kafka: each in one transaction, numbered and fenced."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from deploy.catalog_audit import audit_records
from deploy.catalog_records import frame_records, load_records
from ingest.catalog import Catalog
from ingest.catalog_changes import Change, changes
from ingest.catalog_check import check
from ingest.catalog_faults import Fault, Marks, refusal
from ingest.contracts.errors import CatalogError, FencedError, InstallationError
from ingest.contracts.reference import CatalogFile, Installation
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import CATALOG, INPUTS
from ingest.frames import INPUT_FRAMES, InputItem, OpeningInput
from ingest.loads import Record
from ingest.partitions import partition_of
from streams.contracts.alerts import ALERT_KINDS
from streams.engine.adapters.reader import TopicWrite, read_topic, write_transaction

TRANSACTIONAL_ID: Final = "shelfstream-catalog"
"""Two loads exclude each other by it: the later fences the earlier."""

STOCK_TRANSACTIONAL_ID: Final = "shelfstream-stock-import"


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What a load did, or would do."""

    version: int
    """The number of the newest load, after it."""
    changes: tuple[Change, ...]
    written: bool


async def read_catalog(kafka: KafkaSettings) -> Catalog:
    """Return the catalogue as committed now.

    Raises:
        CatalogError: A record can't be read.
        InstallationError: There is no catalog topic.
        KafkaError: Kafka can't be read.
    """
    catalog = Catalog()
    async for key, value in committed_records(kafka):
        catalog.apply(key, value)
    return catalog


async def committed_records(kafka: KafkaSettings) -> AsyncIterator[Record]:
    """Yield the records of the catalog topic as committed now, in order.

    Raises:
        InstallationError: There is no catalog topic.
        KafkaError: Kafka can't be read.
    """
    async for records in read_topic(kafka, CATALOG.name, until_end=True):
        for record in records:
            yield (record.key or b"").decode(), record.value


async def load_catalog(
    kafka: KafkaSettings,
    wanted: CatalogFile,
    *,
    now_ms: int,
    marks: Marks | None = None,
    restate: bool = False,
    dry_run: bool = False,
    actor: str = "",
    reason: str = "",
) -> LoadResult:
    """Bring the catalogue to what is wanted; nothing is written where nothing changes.

    Args:
        kafka: Where Kafka is.
        wanted: The whole catalogue: what is not in it is removed.
        now_ms: Wall clock, UTC milliseconds; not used where time is driven.
        marks: Where its parts were read, for the errors.
        restate: Change on purpose what channels watched in the past.
        dry_run: Only say what would change.
        actor: Who loads it; stands in the audit.
        reason: Why.

    Raises:
        CatalogError: The catalogue is refused, or a later load has taken over.
        InstallationError: The installation was never recorded.
        KafkaError: Kafka can't be read or written; nothing is visible then.
    """
    faults = [*check(wanted), *alert_kind_faults(wanted)]
    if faults:
        raise refusal(faults, marks or {})
    load = _Load(kafka, wanted, now_ms=now_ms, marks=marks or {}, restate=restate)
    load.actor, load.reason = actor, reason
    if dry_run:
        await load.records()
        return LoadResult(load.version, tuple(load.changes), written=False)
    try:
        await write_transaction(kafka, TRANSACTIONAL_ID, load.records)
    except FencedError as error:
        raise CatalogError("a later load has taken over; nothing of this one is visible") from error
    return LoadResult(load.version, tuple(load.changes), written=bool(load.changes))


def alert_kind_faults(wanted: CatalogFile) -> Iterator[Fault]:
    """Yield the alert kinds of rules that nothing ever raises: such a rule would stay silent.

    The catalogue itself can't know them: they belong to the folds.
    """
    for number, rule in enumerate(wanted.rules):
        for i, kind in enumerate(rule.kinds):
            if kind not in ALERT_KINDS:
                listed = ", ".join(ALERT_KINDS)
                yield Fault(
                    ("rules", number, "kinds", i), f"no alert is a {kind}; the kinds are {listed}"
                )


async def import_openings(
    kafka: KafkaSettings, openings: Sequence[OpeningInput], catalog: Catalog, *, now_ms: int
) -> None:
    """Write opening stock into the inputs as one transaction.

    Args:
        kafka: Where Kafka is.
        openings: Opening stock and cost; the same import id applies once a key.
        catalog: The catalogue as read; says the partition count and whether time is driven.
        now_ms: Wall clock, UTC milliseconds; not used where time is driven.

    Raises:
        FencedError: Another import began meanwhile; nothing of this one is visible.
        InstallationError: The installation was never recorded.
        KafkaError: Kafka can't be written; nothing is visible then.
    """
    installation = installation_of(catalog)
    items: dict[int, list[InputItem]] = {}
    for opening in openings:
        partition = partition_of(opening.sku, installation.partition_count)
        items.setdefault(partition, []).append(opening)
    records = frame_records(
        INPUTS.name,
        INPUT_FRAMES,
        items,
        version=catalog.version,
        now_ms=input_time_ms(installation, now_ms),
    )
    await write_transaction(kafka, STOCK_TRANSACTIONAL_ID, list(records))


def installation_of(catalog: Catalog) -> Installation:
    """Return the installation's record.

    Raises:
        InstallationError: There is none.
    """
    if catalog.installation is None:
        raise InstallationError("the catalog topic holds no installation; run `shelfstream up`")
    return catalog.installation


def input_time_ms(installation: Installation, now_ms: int) -> int:
    """Return the `received_at_ms` of a frame: 0 in driven time, so that it moves no time."""
    return now_ms if installation.time == "wall" else 0


@dataclass(frozen=True, slots=True)
class Planned:
    """What a load would tell the stock fold."""

    version: int
    installation: Installation
    changes: tuple[Change, ...]
    frames: dict[int, list[bytes]]
    """Frames of `shelfstream.inputs` by partition; without a receive time, so no time passes."""


async def planned_load(
    kafka: KafkaSettings, wanted: CatalogFile, *, now_ms: int, marks: Marks | None = None
) -> Planned:
    """Return what a load would write into the inputs; nothing is written.

    Raises:
        CatalogError: The catalogue is refused.
        InstallationError: The installation was never recorded.
        KafkaError: Kafka can't be read.
    """
    load = _Load(kafka, wanted, now_ms=now_ms, marks=marks or {}, restate=False)
    faults = [*check(wanted), *alert_kind_faults(wanted)]
    if faults:
        raise refusal(faults, marks or {})
    catalog = await read_catalog(kafka)
    installation = installation_of(catalog)
    frames: dict[int, list[bytes]] = {}
    for record in load.planned(catalog, 0):
        if record.topic == INPUTS.name:
            frames.setdefault(record.partition, []).append(record.value or b"")
    return Planned(load.version, installation, tuple(load.changes), frames)


class _Load:
    """One load; its records are made once earlier loaders are fenced."""

    def __init__(
        self,
        kafka: KafkaSettings,
        wanted: CatalogFile,
        *,
        now_ms: int,
        marks: Marks,
        restate: bool,
    ) -> None:
        self.version = 0
        self.changes: list[Change] = []
        self.actor = self.reason = ""
        self._kafka = kafka
        self._wanted = wanted
        self._now_ms = now_ms
        self._marks = marks
        self._restate = restate

    async def records(self) -> list[TopicWrite]:
        return self.planned(await read_catalog(self._kafka))

    def planned(self, catalog: Catalog, stamp_ms: int | None = None) -> list[TopicWrite]:
        """Return the records beside a catalogue; `stamp_ms` stamps them in the place of now."""
        installation = installation_of(catalog)
        now_ms = input_time_ms(installation, self._now_ms)
        self.changes, faults = changes(
            catalog.entities, self._wanted, now_ms=now_ms, restated=self._restate
        )
        if faults:
            raise refusal(faults, self._marks)
        if not self.changes:
            self.version = catalog.version
            return []
        self.version = catalog.version + 1
        audit = audit_records(
            self.changes,
            version=self.version,
            at_ms=self._now_ms,
            actor=self.actor,
            reason=self.reason,
        )
        records = load_records(
            self.changes,
            version=self.version,
            installation=installation,
            network=self._wanted.network,
            now_ms=now_ms if stamp_ms is None else stamp_ms,
        )
        return [*audit, *records]
