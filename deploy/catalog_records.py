"""A catalogue load as Kafka records: the catalog topic, the inputs and the alert inputs. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from deploy.catalog_planogram import planogram_changes
from ingest.catalog_changes import Change
from ingest.contracts.alert_reference import AlertRule, NotificationChannel
from ingest.contracts.demand import PromotionRecord
from ingest.contracts.demand_reference import Promotion
from ingest.contracts.policies import PolicyRecord
from ingest.contracts.policy_reference import Policy
from ingest.contracts.reference import (
    VERSION_KEY,
    CatalogVersion,
    Entity,
    Installation,
    Network,
    Site,
    Sku,
)
from ingest.contracts.supply import LaneRecord, SupplierRecord
from ingest.contracts.supply_reference import Lane, Supplier
from ingest.contracts.topics import ALERT_INPUTS, CATALOG, INPUTS, PLANS
from ingest.frames import (
    FRAME_ITEMS_MAX,
    INPUT_FRAMES,
    FrameCodec,
    InputItem,
    InstallationInput,
    NetworkRecord,
    ReferenceEntity,
    ReferenceInput,
    SiteRecord,
    SkuRecord,
)
from ingest.partitions import partition_of
from streams.contracts.alerts import (
    ALERT_INPUT_FRAMES,
    AlertItem,
    AlertRuleInput,
    ChannelInput,
)
from streams.contracts.plans import PLAN_FRAMES, PlanItem
from streams.engine.adapters.reader import TopicWrite

_RECORDS: Final[dict[type, type[msgspec.Struct]]] = {
    Network: NetworkRecord,
    Site: SiteRecord,
    Sku: SkuRecord,
    Lane: LaneRecord,
    Supplier: SupplierRecord,
    Promotion: PromotionRecord,
    Policy: PolicyRecord,
}
"""What the stock fold needs to know, in the order in which it is told."""

_ORDER: Final = {model: place for place, model in enumerate(_RECORDS)}

ItemT = TypeVar("ItemT")


def load_records(
    changed: Sequence[Change],
    *,
    version: int,
    installation: Installation,
    network: Network,
    now_ms: int,
) -> list[TopicWrite]:
    """Return all records of one load, the version record last in the catalog topic.

    Each inputs partition hears the network's record in any case: it carries the load's number. The
    first load begins each partition with the installation.

    Args:
        changed: What the load changes.
        version: The load's number.
        installation: What the installation was made with.
        network: The network as it will be.
        now_ms: UTC milliseconds; 0 where time is driven, so that the load moves no time.
    """
    count = installation.partition_count
    items = stock_items(changed, version=version, network=network, partition_count=count)
    if version == 1:
        first = InstallationInput(installation.installation_id, count, installation.time)
        items = {partition: [first, *told] for partition, told in items.items()}
    notices = alert_items(changed, version=version)
    terms = plan_items(changed, version=version, partition_count=count)
    return [
        *catalog_records(changed, version=version, now_ms=now_ms),
        *frame_records(INPUTS.name, INPUT_FRAMES, items, version=version, now_ms=now_ms),
        *frame_records(
            ALERT_INPUTS.name,
            ALERT_INPUT_FRAMES,
            dict.fromkeys(range(count), notices),
            version=version,
            now_ms=now_ms,
        ),
        *frame_records(PLANS.name, PLAN_FRAMES, terms, version=version, now_ms=now_ms),
    ]


def catalog_records(
    changed: Sequence[Change], *, version: int, now_ms: int
) -> Iterator[TopicWrite]:
    """Yield the records of the catalog topic: one a changed entity, tombstones for removed ones."""
    for change in changed:
        value = None if change.kind == "removed" else change.entity.model_dump_json().encode()
        yield TopicWrite(CATALOG.name, 0, change.key.encode(), value)
    loaded = CatalogVersion(version=version, loaded_at_ms=now_ms, changed=len(changed))
    yield TopicWrite(CATALOG.name, 0, VERSION_KEY.encode(), loaded.model_dump_json().encode())


def stock_items(
    changed: Sequence[Change], *, version: int, network: Network, partition_count: int
) -> dict[int, list[InputItem]]:
    """Return what the stock fold's partitions are told, by partition."""
    head = ReferenceInput(version, _record(network))
    items: dict[int, list[InputItem]] = {p: [head] for p in range(partition_count)}
    told = [c for c in changed if type(c.entity) in _RECORDS and not isinstance(c.entity, Network)]
    for change in sorted(told, key=lambda c: (_ORDER[type(c.entity)], c.key)):
        removed = change.kind == "removed"
        item = ReferenceInput(version, _record(change.entity), removed)
        sku = getattr(change.entity, "sku", "")
        told_to = set(_partitions(sku, partition_count))
        for partition in sorted(told_to):
            items[partition].append(item)
        if isinstance(change.before, Promotion):  # its article may have been another one
            gone = ReferenceInput(version, _record(change.before), removed=True)
            for partition in sorted(set(_partitions(change.before.sku, partition_count)) - told_to):
                items[partition].append(gone)
    for record, is_gone in planogram_changes(changed):
        partition = partition_of(record.sku or record.device, partition_count)
        items[partition].append(ReferenceInput(version, record, is_gone))
    return items


def _partitions(sku: str, partition_count: int) -> Iterable[int]:
    return [partition_of(sku, partition_count)] if sku else range(partition_count)


def alert_items(changed: Sequence[Change], *, version: int) -> list[AlertItem]:
    """Return what every partition of the alert fold is told: channels, then rules."""
    channels: list[AlertItem] = []
    rules: list[AlertItem] = []
    for change in changed:
        entity, removed = change.entity, change.kind == "removed"
        if isinstance(entity, NotificationChannel):
            channel = ChannelInput(
                version=version,
                channel=entity.channel,
                url_variable=entity.url_variable,
                enabled=entity.enabled,
                removed=removed,
            )
            channels.append(channel)
        elif isinstance(entity, AlertRule):
            rule = AlertRuleInput(
                version=version,
                rule=entity.rule,
                channels=list(entity.channels),
                kinds=list(entity.kinds),
                sites=list(entity.sites),
                severity_min=entity.severity_min,
                repeat_ms=entity.repeat_ms,
                clear_notice=entity.clear_notice,
                removed=removed,
            )
            rules.append(rule)
    return [*channels, *rules]


def plan_items(
    changed: Sequence[Change], *, version: int, partition_count: int
) -> dict[int, list[PlanItem]]:
    """Return what the planning fold's partitions are told: terms of their suppliers and lanes."""
    items: dict[int, list[PlanItem]] = {}
    for change in changed:
        if isinstance(change.entity, Supplier | Lane):
            entity = change.entity
            name = entity.supplier if isinstance(entity, Supplier) else entity.from_site
            item = ReferenceInput(version, _record(entity), change.kind == "removed")
            items.setdefault(partition_of(name, partition_count), []).append(item)
    return items


def frame_records(
    topic: str,
    codec: FrameCodec[ItemT],
    items: Mapping[int, Sequence[ItemT]],
    *,
    version: int,
    now_ms: int,
) -> Iterator[TopicWrite]:
    """Yield frames of at most `FRAME_ITEMS_MAX` items, partition by partition."""
    for partition, told in sorted(items.items()):
        for begin in range(0, len(told), FRAME_ITEMS_MAX):
            part = list(told[begin : begin + FRAME_ITEMS_MAX])
            value = codec.encode(part, received_at_ms=now_ms, reference_version=version)
            yield TopicWrite(topic, partition, None, value)


def _record(entity: Entity) -> ReferenceEntity:
    struct = _RECORDS[type(entity)]
    fields = {name: getattr(entity, name) for name in struct.__struct_fields__}
    record: ReferenceEntity = struct(**fields)  # type: ignore[assignment] # one of them
    return record
