"""What a load leaves behind for those who ask who changed what."""

import pytest

from deploy.catalog_audit import CHANGES_AUDITED_MAX, audit_records, audited
from deploy.commands.policy import audit_lines
from ingest.catalog import Catalog
from ingest.catalog_changes import Change, changes
from ingest.contracts.errors import CatalogError
from ingest.contracts.policy_reference import Policy
from ingest.contracts.reference import (
    CatalogFile,
    Entity,
    Site,
    entity_key,
)
from streams.engine.adapters.reader import TopicWrite

HELD = Policy(scope="network", min_units=5, dwell_ms=0)


def changed(before: tuple[Policy, ...], after: tuple[Policy, ...]) -> list[Change]:
    """Return what a load of policies changes."""
    known: dict[str, Entity] = {entity_key(one): one for one in before}
    found, faults = changes(known, CatalogFile(policies=after), now_ms=1)
    assert not faults
    return [one for one in found if isinstance(one.entity, Policy)]


def records(found: list[Change], version: int = 2) -> list[tuple[str, bytes | None]]:
    """Return the audit's records as read from the topic."""
    writes: list[TopicWrite] = list(
        audit_records(found, version=version, at_ms=1_000, actor="ann", reason="autumn")
    )
    return [((one.key or b"").decode(), one.value) for one in writes]


def test_a_change_is_told_with_who_when_and_why() -> None:
    """Only the fields that differ stand in it, before and after."""
    [(load, [change])] = audited(
        records(changed((HELD,), (HELD.model_copy(update={"min_units": 8}),)))
    )
    assert (load.version, load.actor, load.reason, load.at_ms) == (2, "ann", "autumn", 1_000)
    assert (change.kind, change.before, change.after) == (
        "changed",
        {"min_units": 5},
        {"min_units": 8},
    )
    assert audit_lines(load, [change]) == [
        "version 2  1970-01-01T00:00:01+00:00  ann  autumn  (1 policy)",
        "  changed policy network: min_units 5 -> 8",
    ]


def test_added_and_removed_are_told_whole() -> None:
    """An added policy has no before, a removed one no after."""
    [(_, [added])] = audited(records(changed((), (HELD,))))
    assert (added.kind, added.before, added.after["min_units"]) == ("added", {}, 5)
    [(_, [removed])] = audited(records(changed((HELD,), ())))
    assert (removed.kind, removed.after, removed.before["min_units"]) == ("removed", {}, 5)


def test_loads_keep_apart_whatever_the_order_of_records() -> None:
    """Each load has keys of its own, which compaction never merges."""
    first, second = records(changed((), (HELD,)), 1), records(changed((HELD,), ()), 2)
    assert not {key for key, _ in first} & {key for key, _ in second}
    found = audited(reversed([*first, *second]))
    assert [(load.version, [one.kind for one in made]) for load, made in found] == [
        (1, ["added"]),
        (2, ["removed"]),
    ]


def test_a_load_writes_no_more_than_its_limit() -> None:
    """Above it policies are only counted."""
    many = tuple(
        Policy(scope="sku", sku=f"sku-{n}", min_units=1) for n in range(CHANGES_AUDITED_MAX + 1)
    )
    [(load, made)] = audited(records(changed((), many)))
    assert len(made) == CHANGES_AUDITED_MAX
    assert load.changed == {"policy": CHANGES_AUDITED_MAX + 1}


def test_readers_of_the_catalogue_leave_it_out() -> None:
    """An audit record is no entity: the next load does not remove it."""
    catalog = Catalog()
    for key, value in records(changed((), (HELD,))):
        catalog.apply(key, value)
    assert not catalog.entities
    assert catalog.version == 0
    assert audited([(entity_key(Site(site="A")), b"{}")]) == []


def test_a_broken_record_is_named() -> None:
    """One sentence with the key."""
    with pytest.raises(CatalogError, match="audit 00000002 00000000"):
        audited([("audit\x1f00000002\x1f00000000", b"{}")])
