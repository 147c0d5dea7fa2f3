"""Sends a command to the stock, planning or alert fold and waits a little for its answer."""

import asyncio

import msgspec

from deploy.catalog_load import input_time_ms, installation_of, read_catalog
from ingest.contracts.commands import ANSWER_WAIT_MS, Command, command_input, command_sku
from ingest.contracts.count_commands import CountCommand
from ingest.contracts.order_commands import OrderCommand
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import ALERT_INPUTS, EVENTS, INPUTS, PLANS
from ingest.frames import INPUT_FRAMES
from ingest.partitions import partition_of
from streams.contracts.alerts import ALERT_INPUT_FRAMES, AlertAnswer
from streams.contracts.counts import CountAsked
from streams.contracts.events import EVENT_FRAMES, CommandAccepted, CommandRefused
from streams.contracts.orders import LineAsked, OrderAsked
from streams.contracts.plans import PLAN_FRAMES
from streams.contracts.purchases import PurchaseCommand
from streams.domain.purchase_commands import supplier_of
from streams.engine.adapters.reader import RecordWriter, TopicReader, TopicRecord, end_offsets

Answer = CommandAccepted | CommandRefused
PlanCommand = CountCommand | OrderCommand | PurchaseCommand

_POLL_MS = 50


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
    installation = installation_of(await read_catalog(kafka))
    partition = partition_of(command_sku(command), installation.partition_count)
    frame = INPUT_FRAMES.encode(
        [command_input(command)], received_at_ms=input_time_ms(installation, now_ms)
    )
    place = (INPUTS.name, partition)
    return await _asked(kafka, place, frame, command.command_id, wait_ms=wait_ms)


async def send_plan_command(
    kafka: KafkaSettings, command: PlanCommand, *, now_ms: int, wait_ms: int = ANSWER_WAIT_MS
) -> Answer | None:
    """Write a command to the planning fold and return its answer; None where none came in time.

    Args:
        kafka: Where Kafka is.
        command: What is asked of a count session, a customer order or a purchase order.
        now_ms: Wall clock, UTC milliseconds; not used where time is driven.
        wait_ms: How long to wait for the answer.

    Raises:
        InstallationError: The installation was never recorded, or a topic is missing.
        KafkaError: Kafka can't be read or written.
    """
    installation = installation_of(await read_catalog(kafka))
    entity, asked = _planned(command)
    if isinstance(asked, CountAsked) and installation.time == "driven":
        asked = msgspec.structs.replace(asked, counted_at_ms=0)  # a clock says nothing there
    frame = PLAN_FRAMES.encode([asked], received_at_ms=input_time_ms(installation, now_ms))
    place = (PLANS.name, partition_of(entity, installation.partition_count))
    return await _asked(kafka, place, frame, asked.command_id, wait_ms=wait_ms)


async def send_alert_answer(
    kafka: KafkaSettings, answer: AlertAnswer, *, now_ms: int, wait_ms: int = ANSWER_WAIT_MS
) -> Answer | None:
    """Write a person's answer to an alert and return the alert fold's word; None for none in time.

    Args:
        kafka: Where Kafka is.
        answer: What is answered.
        now_ms: Wall clock, UTC milliseconds; not used where time is driven.
        wait_ms: How long to wait for the answer.

    Raises:
        InstallationError: The installation was never recorded, or a topic is missing.
        KafkaError: Kafka can't be read or written.
    """
    installation = installation_of(await read_catalog(kafka))
    partition = partition_of(answer.site, installation.partition_count)
    frame = ALERT_INPUT_FRAMES.encode([answer], received_at_ms=input_time_ms(installation, now_ms))
    place = (ALERT_INPUTS.name, partition)
    return await _asked(kafka, place, frame, answer.command_id, wait_ms=wait_ms)


def _planned(command: PlanCommand) -> tuple[str, CountAsked | OrderAsked | PurchaseCommand]:
    """Return the site, order or supplier whose partition is asked, and the item."""
    if isinstance(command, CountCommand):
        fields = {**command.model_dump(), "skus": list(command.skus)}
        return command.site, CountAsked(**fields)
    if isinstance(command, OrderCommand):
        lines = [LineAsked(line.sku, line.site, line.quantity_units) for line in command.lines]
        return command.order_id, OrderAsked(**{**command.model_dump(), "lines": lines})
    return supplier_of(command.order_id), command


async def _asked(
    kafka: KafkaSettings, place: tuple[str, int], frame: bytes, command_id: str, *, wait_ms: int
) -> Answer | None:
    before = await end_offsets(kafka, EVENTS.name)
    async with TopicReader(kafka, EVENTS.name, from_offsets=before) as events:
        async with RecordWriter(kafka) as writer:
            await writer.write(*place, None, frame)
        try:
            async with asyncio.timeout(wait_ms / 1_000):
                return await _answer(events, command_id)
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
