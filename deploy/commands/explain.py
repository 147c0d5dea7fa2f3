"""`shelfstream explain`: why a threshold, a breach, a transfer or an order is as it is.

Exit code 0: explained; 1: `--replay` found something else; 2: it could not be explained.
"""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from deploy.catalog_load import committed_records, installation_of
from deploy.explained_policies import relied_on
from deploy.explanations import entity_of, explained, threshold_behind
from deploy.order_rows import explained_order
from deploy.planned import (
    Planned,
    contains,
    explained_shipment,
    planned_of,
    planning_events,
)
from deploy.policy_origins import PolicyHistory
from deploy.refolds import RecordedPlan, Refold, recorded_events, recorded_plan, refolded
from deploy.terminal import kafka_settings
from ingest.contracts.errors import ShelfstreamError
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import EVENTS, INPUTS, PLAN_STATE, PLANS
from ingest.partitions import partition_of
from streams.contracts.events import StreamEvent
from streams.contracts.ids import sku_of
from streams.contracts.orders import OrderChanged, OrderLineChanged
from streams.contracts.plans import Shipment
from streams.domain.fold import StockFold
from streams.domain.planning import PlanningFold

DIFFERENT_CODE: Final = 1

ReplayOption = Annotated[
    bool, typer.Option("--replay", help="Fold the log of its partition again, and compare.")
]


class UnknownIdError(ShelfstreamError):
    """Nothing is known of an id."""


def explain(
    entity_id: Annotated[
        str,
        typer.Argument(
            help="Such as threshold-SKU-12, breach-SKU-7, transfer-SKU-3, need-SKU-4,"
            " purchase-SUPPLIER-2, shipment-S1>S2-5, count-SITE-3 or order-SO-17."
        ),
    ],
    replay: ReplayOption = False,
) -> None:
    """Print the inputs, the formula with its numbers, the policy's part and the version."""
    agrees = asyncio.run(explain_id(kafka_settings(), entity_id, replay=replay))
    if not agrees:
        raise typer.Exit(DIFFERENT_CODE)


async def read_history(kafka: KafkaSettings) -> PolicyHistory:
    """Return the catalogue as committed now, and what its loads have changed.

    Raises:
        CatalogError: A record can't be read.
        InstallationError: There is no catalog topic.
        KafkaError: Kafka can't be read.
    """
    return PolicyHistory([record async for record in committed_records(kafka)])


async def explain_id(kafka: KafkaSettings, entity_id: str, *, replay: bool) -> bool:
    """Print why something is as it is; False where folding its log again gives something else.

    Raises:
        InstallationError: A log that is to be folded again no longer has its beginning.
        KafkaError: Kafka can't be read.
        UnknownIdError: Nothing is known of the id.
    """
    try:
        planned = planned_of(entity_id)
        place = planned.place if planned is not None else sku_of(entity_id)
    except ValueError as error:
        hint = "a customer order is told by `shelfstream order explain`"
        raise UnknownIdError(f"{error}; {hint}") from error
    history = await read_history(kafka)
    if planned is not None:
        return await _explain_planned(kafka, entity_id, planned, history, replay=replay)
    count = installation_of(history.catalog).partition_count
    partition = partition_of(place, count)
    events = await recorded_events(kafka, partition, lambda event: bool(entity_of(event)))
    found = _named(events, entity_id)
    _show(entity_id, explained(found))
    _show_rules(history, found)
    behind = threshold_behind(found)
    if behind:
        gone = [f"{behind} is not kept any more"]
        computed = _named(events, behind)
        for line in explained(computed) or gone:
            typer.echo(line)
        _show_rules(history, computed)
    return not replay or await _agrees_in_stock(kafka, partition, count, found)


async def _explain_planned(
    kafka: KafkaSettings, entity_id: str, planned: Planned, history: PolicyHistory, *, replay: bool
) -> bool:
    count = installation_of(history.catalog).partition_count
    partition = partition_of(planned.place, count)
    everywhere = entity_id.startswith("order-")  # its lines are told where their SKUs are
    found = await recorded_events(
        kafka, None if everywhere else partition, lambda event: entity_of(event) == entity_id
    )
    recorded = await recorded_plan(kafka, partition, planned)
    record = planned.decoded(recorded.value)
    if isinstance(record, Shipment):
        _show(entity_id, explained_shipment(record))
    elif everywhere:
        told = [one for one in found if isinstance(one, OrderChanged | OrderLineChanged)]
        _show(entity_id, explained_order(told))
    else:
        _show(entity_id, explained(found))
    _show_rules(history, found)
    if not replay:
        return True
    agrees = await _agrees(kafka, planned, count, found, recorded)
    lines: dict[int, list[StreamEvent]] = {}
    for event in found:
        if isinstance(event, OrderLineChanged):
            lines.setdefault(partition_of(event.sku, count), []).append(event)
    for place, told_there in sorted(lines.items()):
        agrees = await _agrees_in_stock(kafka, place, count, told_there) and agrees
    return agrees


async def _agrees_in_stock(
    kafka: KafkaSettings, partition: int, count: int, found: Sequence[StreamEvent]
) -> bool:
    """Fold the inputs of a partition again: the same events of what is explained."""
    named = {(type(event), entity_of(event)) for event in found}
    again = Refold(
        StockFold(partition, count), lambda event: (type(event), entity_of(event)) in named
    )
    offset = max([one async for one in refolded(kafka, INPUTS.name, partition, again)], default=-1)
    differs = "" if contains(again.events, found) else "its events"
    return _verdict(INPUTS.name, partition, offset, differs)


async def _agrees(
    kafka: KafkaSettings,
    planned: Planned,
    count: int,
    found: Sequence[StreamEvent],
    recorded: RecordedPlan,
) -> bool:
    """Fold the plans of a partition again: the same events, and by then the same record."""
    partition = partition_of(planned.place, count)
    named = {entity_of(event) for event in found}
    again = Refold(PlanningFold(count), lambda event: entity_of(event) in named)
    offset, value = -1, None
    async for offset in refolded(kafka, PLANS.name, partition, again):
        if offset <= recorded.applied_offset:
            value = again.state.get(planned.state_key)
    differs = []
    if not contains(planning_events(again.events), planning_events(found)):
        differs.append("its events")
    if planned.decoded(value) != planned.decoded(recorded.value):
        differs.append(f"its record in {PLAN_STATE.name}")
    return _verdict(PLANS.name, partition, offset, " and ".join(differs))


def _verdict(topic: str, partition: int, offset: int, differs: str) -> bool:
    told = f"something else: {differs}" if differs else "the same"
    typer.echo(f"replay of {topic}/{partition} from offset 0 to {offset}: {told}")
    return not differs


def _named(events: Sequence[StreamEvent], entity_id: str) -> list[StreamEvent]:
    return [event for event in events if entity_of(event) == entity_id]


def _show(entity_id: str, lines: Sequence[str]) -> None:
    if not lines:
        where = PLAN_STATE.name if entity_id.startswith("shipment-") else EVENTS.name
        kept = "7 days after it closed" if where == PLAN_STATE.name else "35 days"
        what = "record" if where == PLAN_STATE.name else "event"
        raise UnknownIdError(f"no {what} of {entity_id} is in {where}, which is kept for {kept}")
    for line in lines:
        typer.echo(line)


def _show_rules(history: PolicyHistory, events: Sequence[StreamEvent]) -> None:
    for relied in relied_on(events):
        for line in history.lines(relied):
            typer.echo(line)
