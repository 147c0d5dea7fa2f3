"""The catalogue as tables for people. Pure."""

from collections import Counter
from typing import Any

from pydantic import BaseModel
from rich.markup import escape
from rich.table import Table

from ingest.catalog import Catalog
from ingest.contracts.reference import (
    ENTITY_MODELS,
    INSTALLATION_KEY,
    KEY_SEPARATOR,
    VERSION_KEY,
    Entity,
    entity_kind,
)


def kinds_table(catalog: Catalog) -> Table:
    """Return how many entities of each kind there are."""
    table = Table("kind", "count", title=f"catalogue, version {catalog.version}")
    counts = Counter(entity_kind(key) for key in catalog.entities)
    for kind in ENTITY_MODELS:
        if kind not in {VERSION_KEY, INSTALLATION_KEY}:
            table.add_row(kind, str(counts[kind]))
    return table


def kind_table(catalog: Catalog, kind: str) -> Table:
    """Return all entities of one kind, a row each; fields that nobody set are left out."""
    found = _entities(catalog, kind)
    names = [
        name
        for name, field in ENTITY_MODELS[kind].model_fields.items()
        if field.is_required() or any(getattr(e, name) != field.default for e in found)
    ]
    table = Table(*names, title=f"{kind}, version {catalog.version}")
    for entity in found:
        table.add_row(*(_cell(getattr(entity, name)) for name in names))
    return table


def one_table(catalog: Catalog, kind: str, name: str) -> list[Table]:
    """Return the fields of the entities of a kind that have a name among the parts of their key."""
    tables = []
    for key, entity in sorted(catalog.entities.items()):
        parts = key.split(KEY_SEPARATOR)
        if parts[0] == kind and name in parts[1:]:
            table = Table("field", "value", title=" ".join(part for part in parts if part))
            for field in type(entity).model_fields:
                table.add_row(field, _cell(getattr(entity, field), lines=True))
            tables.append(table)
    return tables


def _entities(catalog: Catalog, kind: str) -> list[Entity]:
    if kind == INSTALLATION_KEY:
        return [catalog.installation] if catalog.installation else []
    return [e for key, e in sorted(catalog.entities.items()) if entity_kind(key) == kind]


def _cell(value: Any, *, lines: bool = False) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        texts = [_part(part) for part in value]
        return ("\n" if lines else " ").join(texts)
    return escape(str(value))


def _part(value: Any) -> str:
    if not isinstance(value, BaseModel):
        return escape(str(value))
    given = {k: v for k, v in value.model_dump().items() if v not in ("", 0)}
    first, *rest = given.items()
    return escape(str(first[1])) + "".join(f" {k}={escape(str(v))}" for k, v in rest)
