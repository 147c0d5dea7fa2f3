"""Who changed which policy, when and why: records of each load in the catalog topic. Pure.

Compaction keeps an entity's newest version only, so each load leaves records of its own under keys
that no later load writes again. Readers of the catalogue leave them out: they are no entities.
Articles are told where their category or pack changed: by these policies speak of them.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from ingest.catalog_changes import Change, ChangeKind
from ingest.contracts.demand_reference import Promotion
from ingest.contracts.errors import CatalogError
from ingest.contracts.policy_reference import Policy
from ingest.contracts.reference import (
    KEY_SEPARATOR,
    Entity,
    Sku,
    entity_kind,
    entity_name,
)
from ingest.contracts.topics import CATALOG
from streams.engine.adapters.reader import TopicWrite

AUDIT: Final = "audit"
"""Kind that the keys begin with; then the load's number, then the place of the change in it."""
CHANGES_AUDITED_MAX: Final = 1_000
"""Policies, promotions and articles of one load that are written one by one, in this order; what is
above is only counted."""
_POLICY_FIELDS: Final = {"category", "pack_units"}
"""Of an article: what policies speak of it by."""
_NUMBER_DIGITS: Final = 8


class AuditedLoad(BaseModel):
    """One load: who made it, when and why."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    version: int
    at_ms: int
    """Wall clock, also where time is driven."""
    actor: str
    reason: str
    changed: dict[str, int]
    """How many entities of each kind it added, changed or removed."""


class AuditedChange(BaseModel):
    """One policy, promotion or article that a load changed."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    version: int
    kind: ChangeKind
    name: str
    before: dict[str, Any]
    """The fields that differ, as they were; those that nobody had set are left out."""
    after: dict[str, Any]


def audit_records(
    changed: Sequence[Change], *, version: int, at_ms: int, actor: str, reason: str
) -> Iterator[TopicWrite]:
    """Yield what a load leaves: the load itself, then the changes that are written one by one."""
    counts = Counter(entity_kind(change.key) for change in changed)
    load = AuditedLoad(
        version=version,
        at_ms=at_ms,
        actor=actor,
        reason=reason,
        changed=dict(sorted(counts.items())),
    )
    yield _write(version, 0, load)
    audited = [one for one in changed if isinstance(one.entity, Policy | Promotion)]
    audited += [
        one
        for one in changed
        if isinstance(one.entity, Sku) and not _POLICY_FIELDS.isdisjoint(one.fields)
    ]
    for number, change in enumerate(audited[:CHANGES_AUDITED_MAX], start=1):
        yield _write(version, number, _audited(change, version))


def audited(
    records: Iterable[tuple[str, bytes | None]],
) -> list[tuple[AuditedLoad, list[AuditedChange]]]:
    """Return the loads among records of the catalog topic, oldest first, each with its changes.

    Raises:
        CatalogError: A record can't be read.
    """
    loads: dict[int, AuditedLoad] = {}
    changes: dict[int, list[tuple[str, AuditedChange]]] = {}
    for key, value in records:
        if entity_kind(key) != AUDIT or value is None:
            continue
        _, _, number = key.split(KEY_SEPARATOR)
        try:
            if int(number):
                change = AuditedChange.model_validate_json(value)
                changes.setdefault(change.version, []).append((number, change))
            else:
                load = AuditedLoad.model_validate_json(value)
                loads[load.version] = load
        except ValidationError as error:
            name = key.replace(KEY_SEPARATOR, " ")
            raise CatalogError(f"{name} of {CATALOG.name} can't be read: {error}") from error
    return [
        (load, [change for _, change in sorted(changes.get(version, []), key=lambda one: one[0])])
        for version, load in sorted(loads.items())
    ]


def _audited(change: Change, version: int) -> AuditedChange:
    before = None if change.kind == "added" else change.before or change.entity
    after = None if change.kind == "removed" else change.entity
    old, new = said_fields(before), said_fields(after)
    return AuditedChange(
        version=version,
        kind=change.kind,
        name=entity_name(change.key),
        before={name: value for name, value in old.items() if new.get(name) != value},
        after={name: value for name, value in new.items() if old.get(name) != value},
    )


def said_fields(entity: Entity | None) -> dict[str, Any]:
    """Return the fields that an entity says something in, as JSON has them."""
    if entity is None:
        return {}
    said: dict[str, Any] = json.loads(entity.model_dump_json(exclude_none=True))
    return {name: value for name, value in said.items() if value != ""}


def _write(version: int, number: int, record: BaseModel) -> TopicWrite:
    digits = _NUMBER_DIGITS
    key = KEY_SEPARATOR.join((AUDIT, f"{version:0{digits}}", f"{number:0{digits}}"))
    return TopicWrite(CATALOG.name, 0, key.encode(), record.model_dump_json().encode())
