"""Loads, imports and commands on a real Kafka: numbered, whole, fenced, answered."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from deploy.catalog_load import LoadResult, import_openings, load_catalog, read_catalog
from deploy.command_send import send_command
from deploy.commands.stock import stock_imported
from ingest.contracts.alert_reference import AlertRule
from ingest.contracts.commands import Command
from ingest.contracts.errors import CatalogError
from ingest.contracts.reference import CatalogFile, Site, Sku
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import ALERT_INPUTS, CATALOG, EVENTS, INPUTS
from ingest.frames import INPUT_FRAMES, CommandInput, OpeningInput, ReferenceInput, SkuRecord
from ingest.partitions import partition_of
from streams.contracts.events import EVENT_FRAMES, CommandAccepted
from streams.engine.adapters.reader import (
    RecordWriter,
    TopicReader,
    TopicRecord,
    end_offsets,
    read_topic,
)
from tests.stack import TestStack, unique_name
from tests.unit.ingest.catalog_samples import catalog_of

pytestmark = pytest.mark.integration

ANSWER_S_MAX = 20.0
PENDING_WAIT_MS = 50


@pytest.fixture
def kafka(stack: TestStack) -> Iterator[KafkaSettings]:
    """Return where Kafka is; leave a catalogue without rules behind."""
    yield stack.kafka
    asyncio.run(load(stack.kafka, CatalogFile(sites=(Site(site="left-over"),))))


async def load(kafka: KafkaSettings, wanted: CatalogFile, *, dry_run: bool = False) -> LoadResult:
    """Load a catalogue now."""
    now_ms = time.time_ns() // 1_000_000  # noqa: TID251 - a main of tests
    return await load_catalog(kafka, wanted, now_ms=now_ms, dry_run=dry_run)


async def new_records(kafka: KafkaSettings, topic: str, since: dict[int, int]) -> list[TopicRecord]:
    """Return the records of a topic that were committed since."""
    batches = read_topic(kafka, topic, from_offsets=since, until_end=True)
    return [record async for batch in batches for record in batch]


async def ends(kafka: KafkaSettings) -> dict[str, dict[int, int]]:
    """Return where the topics of a load end now."""
    topics = (CATALOG.name, INPUTS.name, ALERT_INPUTS.name)
    return {topic: await end_offsets(kafka, topic) for topic in topics}


def sample(*skus: str) -> CatalogFile:
    """Return the sample catalogue with more articles."""
    catalog = catalog_of()
    more = tuple(Sku(sku=sku) for sku in skus)
    return catalog.model_copy(update={"skus": (*catalog.skus, *more)})


def test_a_load_is_numbered_and_reaches_every_log(kafka: KafkaSettings) -> None:
    """Only what differs is written; a dry run and a repeat write nothing."""

    async def scenario() -> None:
        first = await load(kafka, sample())
        before = await ends(kafka)
        again, dry = await load(kafka, sample()), await load(kafka, sample("N"), dry_run=True)
        assert (again.written, again.version, again.changes) == (False, first.version, ())
        assert (dry.written, dry.version, len(dry.changes)) == (False, first.version + 1, 1)
        assert await ends(kafka) == before

        second = await load(kafka, sample("N"))
        assert (second.written, second.version) == (True, first.version + 1)
        keys = [r.key for r in await new_records(kafka, CATALOG.name, before[CATALOG.name])]
        audit = f"audit\x1f{second.version:08}\x1f00000000".encode()
        assert keys == [audit, b"sku\x1fN", b"version"]
        records = await new_records(kafka, INPUTS.name, before[INPUTS.name])
        items = {r.partition: INPUT_FRAMES.decode(r.value or b"").items for r in records}
        told = ReferenceInput(second.version, SkuRecord("N"))
        assert [p for p in sorted(items) if told in items[p]] == [partition_of("N", len(items))]
        assert not await new_records(kafka, ALERT_INPUTS.name, before[ALERT_INPUTS.name])

    asyncio.run(scenario())


def test_what_is_removed_is_gone(kafka: KafkaSettings) -> None:
    """Tombstones take removed entities out of the catalogue that is read."""

    async def scenario() -> None:
        await load(kafka, sample("GONE"))
        assert (await read_catalog(kafka)).sku("GONE") is not None
        result = await load(kafka, sample())
        found = await read_catalog(kafka)
        assert found.sku("GONE") is None
        assert found.version == result.version

    asyncio.run(scenario())


def test_a_refused_load_leaves_no_trace(kafka: KafkaSettings) -> None:
    """Nothing is written when one entity is wrong."""

    async def scenario() -> None:
        before = await ends(kafka)
        bad = sample("N").model_copy(update={"rules": (AlertRule(rule="r", channels=("none",)),)})
        with pytest.raises(CatalogError, match="no channel none"):
            await load(kafka, bad)
        assert await ends(kafka) == before

    asyncio.run(scenario())


def test_two_loads_at_once_never_mix(kafka: KafkaSettings) -> None:
    """The later fences the earlier; numbers go up by one and the last load holds whole."""

    async def scenario() -> None:
        await load(kafka, sample())
        before = await end_offsets(kafka, CATALOG.name)
        version = (await read_catalog(kafka)).version
        results = await asyncio.gather(
            *(load(kafka, sample(*(f"L{n}-{i}" for i in range(50)))) for n in range(3)),
            return_exceptions=True,
        )
        done = [result for result in results if isinstance(result, LoadResult)]
        assert done
        assert all(isinstance(result, LoadResult | CatalogError) for result in results)
        numbers = sorted(result.version for result in done)
        assert numbers == list(range(version + 1, version + 1 + len(done)))
        keys = [record.key for record in await new_records(kafka, CATALOG.name, before)]
        assert keys.count(b"version") == len(done)
        skus = {key for key in (await read_catalog(kafka)).entities if "\x1fL" in key}
        assert len(skus) == 50
        assert len({key.split("-")[0] for key in skus}) == 1

    asyncio.run(scenario())


def test_opening_stock_goes_to_the_articles_partition(kafka: KafkaSettings) -> None:
    """Each line becomes an opening with the import's id; a bad file writes nothing."""

    async def scenario() -> None:
        await load(kafka, sample())
        before = await end_offsets(kafka, INPUTS.name)
        good = b"site,sku,quantity,unit_cost_minor\nS1,0042,12,250\nS2,NAIL,5,1\n"
        with pytest.raises(CatalogError, match=r"stock\.csv:4: "):
            await stock_imported(kafka, "stock.csv", good + b"S1,NONE,1,1\n", now_ms=1)
        assert await end_offsets(kafka, INPUTS.name) == before
        found = await stock_imported(kafka, "stock.csv", good, now_ms=1)
        records = await new_records(kafka, INPUTS.name, before)
        items = {
            item: record.partition
            for record in records
            for item in INPUT_FRAMES.decode(record.value or b"").items
            if isinstance(item, OpeningInput)
        }
        assert set(items) == set(found.openings)
        assert all(items[item] == partition_of(item.sku, len(before)) for item in items)
        await import_openings(kafka, [], await read_catalog(kafka), now_ms=1)

    asyncio.run(scenario())


async def answer_as_fold(kafka: KafkaSettings, since: dict[int, int], command_id: str) -> None:
    """Stand in for the stock fold: answer one command where it was written."""
    async with TopicReader(kafka, INPUTS.name, from_offsets=since) as reader:
        async with asyncio.timeout(ANSWER_S_MAX):
            asked = None
            while asked is None:
                asked = next(
                    (
                        (record.partition, item)
                        for record in await reader.poll()
                        for item in INPUT_FRAMES.decode(record.value or b"").items
                        if isinstance(item, CommandInput) and item.command_id == command_id
                    ),
                    None,
                )
    partition, item = asked
    accepted = CommandAccepted(
        command_id=item.command_id, actor=item.actor, entity_id=item.entity_id, at_ms=1, version=2
    )
    async with RecordWriter(kafka) as writer:
        frame = EVENT_FRAMES.encode([accepted], received_at_ms=1)
        await writer.write(EVENTS.name, partition, None, frame)


def test_a_command_waits_for_its_answer(kafka: KafkaSettings) -> None:
    """The answer of the fold is found; where none comes in time, the command is pending."""

    async def scenario() -> None:
        command = Command(
            command_id=unique_name("command"),
            verb="approve_transfer",
            entity_id="transfer-0042-1",
            actor="ann",
        )
        since = await end_offsets(kafka, INPUTS.name)
        assert await send_command(kafka, command, now_ms=1, wait_ms=PENDING_WAIT_MS) is None
        again = command.model_copy(update={"command_id": unique_name("command")})
        answer, _ = await asyncio.gather(
            send_command(kafka, again, now_ms=1, wait_ms=int(ANSWER_S_MAX * 1_000)),
            answer_as_fold(kafka, since, again.command_id),
        )
        assert isinstance(answer, CommandAccepted)
        assert (answer.command_id, answer.version) == (again.command_id, 2)

    asyncio.run(scenario())
