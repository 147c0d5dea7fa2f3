"""Sends a command to the stock, planning or alert fold and waits a little for its answer."""

import asyncio
from typing import Any, NamedTuple

import msgspec

from deploy.catalog_load import input_time_ms, installation_of, read_catalog
from deploy.terminal import Answer
from ingest.contracts.commands import ANSWER_WAIT_MS, Command, command_input, command_sku
from ingest.contracts.count_commands import CountCommand
from ingest.contracts.order_commands import OrderCommand
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import ALERT_INPUTS, EVENTS, INPUTS, PLANS
from ingest.frames import INPUT_FRAMES, CommandInput, FrameCodec
from ingest.partitions import partition_of
from streams.contracts.alerts import ALERT_INPUT_FRAMES, AlertAnswer
from streams.contracts.counts import CountAsked
from streams.contracts.events import EVENT_FRAMES
from streams.contracts.orders import LineAsked, OrderAsked
from streams.contracts.plans import PLAN_FRAMES
from streams.contracts.purchases import PurchaseCommand
from streams.domain.purchase_commands import supplier_of
from streams.engine.adapters.reader import RecordWriter, TopicReader, TopicRecord, end_offsets

PlanCommand = CountCommand | OrderCommand | PurchaseCommand
Asked = CommandInput | CountAsked | OrderAsked | PurchaseCommand | AlertAnswer

_POLL_MS = 50


class _Way(NamedTuple):
    """By which topic a fold hears it, and by whose name the partition is chosen."""

    topic: str
    codec: FrameCodec[Any]
    entity: str


async def send_command(
    kafka: KafkaSettings, command: Command, *, now_ms: int, wait_ms: int = ANSWER_WAIT_MS
) -> Answer | None:
    """Write a command and return its answer; None where none came in time.

    Args:
        kafka: Where Kafka is.
        command: What is asked.
        now_ms: Wall clock, UTC milliseconds; not used where time is driven.
        wait_ms: How long to wait for the answer.

    Raises:
        InstallationError: The installation was never recorded, or a topic is missing.
        KafkaError: Kafka can't be read or written.
    """
    way = _Way(INPUTS.name, INPUT_FRAMES, command_sku(command))
    return await _answered(kafka, way, command_input(command), now_ms=now_ms, wait_ms=wait_ms)


async def send_plan_command(
    kafka: KafkaSettings, command: PlanCommand, *, now_ms: int, wait_ms: int = ANSWER_WAIT_MS
) -> Answer | None:
    """Do as `send_command` with what is asked of a count, a customer order or a purchase order."""
    entity, asked = _planned(command)
    way = _Way(PLANS.name, PLAN_FRAMES, entity)
    return await _answered(kafka, way, asked, now_ms=now_ms, wait_ms=wait_ms)


async def send_alert_answer(
    kafka: KafkaSettings, answer: AlertAnswer, *, now_ms: int, wait_ms: int = ANSWER_WAIT_MS
) -> Answer | None:
    """Do as `send_command` with a person's answer to an alert."""
    way = _Way(ALERT_INPUTS.name, ALERT_INPUT_FRAMES, answer.site)
    return await _answered(kafka, way, answer, now_ms=now_ms, wait_ms=wait_ms)


def _planned(command: PlanCommand) -> tuple[str, CountAsked | OrderAsked | PurchaseCommand]:
    """Return the site, order or supplier whose partition is asked, and the item."""
    if isinstance(command, CountCommand):
        fields = {**command.model_dump(), "skus": list(command.skus)}
        return command.site, CountAsked(**fields)
    if isinstance(command, OrderCommand):
        lines = [LineAsked(line.sku, line.site, line.quantity_units) for line in command.lines]
        return command.order_id, OrderAsked(**{**command.model_dump(), "lines": lines})
    return supplier_of(command.order_id), command


async def _answered(
    kafka: KafkaSettings, way: _Way, asked: Asked, *, now_ms: int, wait_ms: int
) -> Answer | None:
    installation = installation_of(await read_catalog(kafka))
    if isinstance(asked, CountAsked) and installation.time == "driven":
        asked = msgspec.structs.replace(asked, counted_at_ms=0)  # a clock says nothing there
    frame = way.codec.encode([asked], received_at_ms=input_time_ms(installation, now_ms))
    partition = partition_of(way.entity, installation.partition_count)
    before = await end_offsets(kafka, EVENTS.name)
    async with TopicReader(kafka, EVENTS.name, from_offsets=before) as events:
        async with RecordWriter(kafka) as writer:
            await writer.write(way.topic, partition, None, frame)
        try:
            async with asyncio.timeout(wait_ms / 1_000):
                return await _answer(events, asked.command_id)
        except TimeoutError:
            return None


async def _answer(events: TopicReader, command_id: str) -> Answer:
    while True:
        found = answer_in(await events.poll(timeout_ms=_POLL_MS), command_id)
        if found is not None:
            return found


def answer_in(records: list[TopicRecord], command_id: str) -> Answer | None:
    """Return the answer to a command among records of the events topic."""
    for record in records:
        for event in EVENT_FRAMES.decode(record.value).items if record.value else []:
            if isinstance(event, Answer) and event.command_id == command_id:
                return event
    return None
