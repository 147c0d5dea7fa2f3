"""Verifying on real topics: a barrier through every partition, then table and ledger read whole."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final

import msgspec

from ingest.contracts.errors import InstallationError, ShelfstreamError
from ingest.contracts.reference import INSTALLATION_KEY
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import CATALOG, EVENTS, INPUTS, MOVEMENTS, STOCK
from ingest.frames import INPUT_FRAMES, BarrierInput
from simulators.oracle import Oracle
from simulators.verification import (
    Agreement,
    LedgerTally,
    LiveTable,
    agreement,
    ledger_agreement,
)
from streams.contracts.events import EVENT_FRAMES, BarrierPassed, StreamEvent
from streams.contracts.state import CLOCK, Clock, decode, key
from streams.engine.adapters.reader import RecordWriter, end_offsets, read_topic

TIMEOUT_S_DEFAULT: Final = 120.0


class _Installation(msgspec.Struct):
    installation_id: str


_INSTALLATIONS: Final = msgspec.json.Decoder(_Installation)


class OracleMismatchError(ShelfstreamError):
    """The oracle is the truth of another installation."""


class BarrierTimeoutError(ShelfstreamError):
    """Not every partition passed the barrier in time: a worker is down or far behind."""


async def installation_id_of(kafka: KafkaSettings) -> str:
    """Return whose topics these are.

    Raises:
        InstallationError: The installation was never recorded.
        KafkaError: Kafka could not be asked.
    """
    found = ""
    async for records in read_topic(kafka, CATALOG.name, until_end=True):
        for record in records:
            if record.key == INSTALLATION_KEY.encode() and record.value is not None:
                found = _INSTALLATIONS.decode(record.value).installation_id
    if not found:
        raise InstallationError("no installation is recorded: start one with `shelfstream up`")
    return found


def check_oracle(oracle: Oracle, installation_id: str) -> None:
    """Compare an oracle's installation with the one that runs.

    Raises:
        OracleMismatchError: They are not the same.
    """
    if oracle.installation_id != installation_id:
        raise OracleMismatchError(
            f"the oracle is the truth of installation {oracle.installation_id or 'unknown'}, "
            f"and this is {installation_id}: name the right file with --oracle, or a new one"
        )


async def fold_now_ms(kafka: KafkaSettings) -> int:
    """Return how late it is for the stock fold, UTC milliseconds; 0 for a new installation.

    Raises:
        InstallationError: The topics are not there.
        KafkaError: Kafka could not be asked.
    """
    clock_key = key(CLOCK)
    now_ms = 0
    async for records in read_topic(kafka, STOCK.name, until_end=True):
        for record in records:
            if record.key and record.key.startswith(clock_key) and record.value:
                clock = decode(record.key, record.value)
                now_ms = max(now_ms, clock.now_ms if isinstance(clock, Clock) else 0)
    return now_ms


async def committed_events(
    kafka: KafkaSettings, from_offsets: Mapping[int, int]
) -> AsyncIterator[StreamEvent]:
    """Yield the events from these offsets on, in order within each partition, without end.

    Raises:
        InstallationError: The topics are not there.
        KafkaError: Kafka could not be asked.
    """
    async for records in read_topic(kafka, EVENTS.name, from_offsets=from_offsets):
        for record in records:
            for event in EVENT_FRAMES.decode(record.value or b"").items:
                yield event


async def barrier_write(kafka: KafkaSettings, barrier_id: str, partitions: list[int]) -> None:
    """Append a barrier to each partition of the input log.

    Raises:
        KafkaError: The broker refused it or could not be asked.
    """
    async with RecordWriter(kafka) as writer:
        for partition in partitions:
            await barrier_append(writer, barrier_id, partition)


async def barrier_append(writer: RecordWriter, barrier_id: str, partition: int) -> None:
    """Append one barrier by an open writer; it carries no time, so it moves no clock.

    Raises:
        KafkaError: The broker refused it or could not be asked.
    """
    frame = INPUT_FRAMES.encode([BarrierInput(barrier_id, partition)], received_at_ms=0)
    await writer.write(INPUTS.name, partition, None, frame)


async def barrier_passed(kafka: KafkaSettings, barrier_id: str, timeout_s: float) -> None:
    """Write a barrier to every partition and wait until the stock fold has passed it everywhere.

    Raises:
        BarrierTimeoutError: Some partition did not pass it within `timeout_s` seconds.
        InstallationError: The topics are not there.
        KafkaError: Kafka could not be asked.
    """
    offsets = await end_offsets(kafka, EVENTS.name)
    waiting = set(await end_offsets(kafka, INPUTS.name))
    await barrier_write(kafka, barrier_id, sorted(waiting))
    try:
        async with asyncio.timeout(timeout_s):
            await _until_passed(kafka, barrier_id, waiting, offsets)
    except TimeoutError as error:
        places = ", ".join(map(str, sorted(waiting)))
        raise BarrierTimeoutError(
            f"partition {places} did not pass the barrier within {timeout_s:g} s"
        ) from error


async def _until_passed(
    kafka: KafkaSettings, barrier_id: str, waiting: set[int], offsets: Mapping[int, int]
) -> None:
    async for event in committed_events(kafka, offsets):
        if isinstance(event, BarrierPassed) and event.barrier_id == barrier_id:
            waiting.discard(event.partition)
            if not waiting:
                return


async def verified(
    kafka: KafkaSettings, oracle: Oracle | None, *, barrier_id: str, timeout_s: float
) -> Agreement:
    """Return how far the committed table and ledger agree with the oracle, now.

    Without an oracle they are compared with each other.

    Raises:
        OracleMismatchError: The oracle is of another installation.
        BarrierTimeoutError: Some partition did not pass the barrier within `timeout_s` seconds.
        InstallationError: The topics are not there.
        KafkaError: Kafka could not be asked.
    """
    if oracle is not None:
        check_oracle(oracle, await installation_id_of(kafka))
    await barrier_passed(kafka, barrier_id, timeout_s)
    table = LiveTable()
    async for records in read_topic(kafka, STOCK.name, until_end=True):
        for record in records:
            table.take(record.key, record.value)
    tally = LedgerTally(oracle or Oracle())
    async for records in read_topic(kafka, MOVEMENTS.name, until_end=True):
        for record in records:
            tally.take(record.value)
    return agreement(oracle, table, tally) if oracle else ledger_agreement(table, tally)
