"""The plain tree that catalogue files are read into, before they are validated. Pure.

All scalars stay text, so `sku: 00123` keeps its zeros and `no` is a name, and pydantic turns them
into what the field wants. What is left empty counts as not given.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeAlias

from ingest.catalog_faults import Fault, Mark, Place
from ingest.contracts.policy_reference import Policy
from ingest.contracts.reference import CatalogFile
from ingest.contracts.supply_reference import Lane, Supplier

Tree: TypeAlias = dict[str, Any]

SECTIONS: Final = tuple(CatalogFile.model_fields)
UNITS_MS: Final = {"s": 1_000, "minutes": 60_000, "hours": 3_600_000, "days": 86_400_000}
"""Endings that a duration may have in a file beside `_ms`."""

DURATIONS: Final = frozenset(
    name.removesuffix("_ms")
    for model in (Lane, Supplier, Policy)
    for name in model.model_fields
    if name.endswith("_ms")
) | {"repeat"}
DATES: Final = frozenset({"valid_from", "valid_until"})
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(slots=True)
class Draft:
    """A catalogue as written: sections, where each part stands, and what could not be read."""

    tree: Tree = field(default_factory=dict)
    marks: dict[Place, Mark] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def add(self, section: str, entity: Tree, mark: Mark) -> Place:
        """Append an entity to a section and return its place."""
        entities = self.tree.setdefault(section, [])
        place = (section, len(entities))
        entities.append(entity)
        self.marks[place] = mark
        return place

    def fault(self, place: Place, text: str) -> None:
        """Note what is wrong."""
        self.faults.append(Fault(place, text))


def translate(draft: Draft) -> None:
    """Turn durations in other units, and dates, into the milliseconds of the contracts."""
    for place, entity in list(_mappings(draft.tree, ())):
        for name in list(entity):
            target = _target(name)
            if target is None:
                continue
            at = (*place, name)
            value = entity.pop(name)
            if target in entity:
                draft.fault(at, f"{target} is given twice")
                continue
            number = _date_ms(value) if name in DATES else _duration_ms(name, value)
            if isinstance(number, str):
                draft.fault(at, number)
                number = 0  # told already; the field need not be missed as well
            entity[target] = number
            if at in draft.marks:
                draft.marks[(*place, target)] = draft.marks[at]


def _mappings(part: Any, place: Place) -> Iterator[tuple[Place, Tree]]:
    if isinstance(part, dict):
        yield place, part
        for name, inner in part.items():
            yield from _mappings(inner, (*place, name))
    elif isinstance(part, list):
        for number, inner in enumerate(part):
            yield from _mappings(inner, (*place, number))


def _target(name: str) -> str | None:
    if name in DATES:
        return f"{name}_ms"
    stem, _, unit = name.rpartition("_")
    return f"{stem}_ms" if unit in UNITS_MS and stem in DURATIONS else None


def _duration_ms(name: str, value: Any) -> int | str:
    try:
        number = Decimal(str(value)) * UNITS_MS[name.rpartition("_")[2]]
        whole = int(number)
    except (InvalidOperation, ValueError, OverflowError):
        return f"{str(value)[:60]!r} is no number"
    return whole if whole == number else f"{value} is no whole number of milliseconds"


def _date_ms(value: Any) -> int | str:
    try:
        moment = dt.datetime.fromisoformat(str(value))
    except ValueError:
        return f"{str(value)[:60]!r} is no date such as 2026-03-01T06:00:00Z"
    if moment.tzinfo is None:
        return f"{value} says no time zone; end it with Z for UTC"
    return int((moment - _EPOCH) // dt.timedelta(milliseconds=1))
