"""Policies: which one speaks for a level, and what a change does."""

from ingest.frames import PolicyRecord, SkuRecord
from streams.contracts.events import BreachCleared, BreachOpened
from tests.unit.streams.builders import DONOR, SHOP, SKU, Story, command, opening, reference, scan


def _minimum(scope: str, least: int | None, **fields: str) -> PolicyRecord:
    return PolicyRecord(scope=scope, min_units=least, **fields)  # type: ignore[arg-type]


def test_the_narrower_scope_wins_field_by_field() -> None:
    """Network, site, category, SKU, SKU at a site; None inherits."""
    story = Story().tell(reference(SkuRecord(SKU, category="dairy")), opening(1))
    store = story.fold._store
    found = []
    for entity in (
        PolicyRecord(scope="network", min_units=1, dwell_ms=7),
        _minimum("site", 2, site=SHOP),
        _minimum("category", 3, category="dairy"),
        _minimum("sku", 4, sku=SKU),
        _minimum("sku_site", 5, sku=SKU, site=SHOP),
        _minimum("sku_site", None, sku=SKU, site=SHOP),
    ):
        story.tell(reference(entity))
        rules = store.rules(SKU, SHOP)
        found.append((rules.min_units, rules.dwell_ms))
    assert found == [(1, 7), (2, 7), (3, 7), (4, 7), (5, 7), (4, 7)]


def test_a_changed_policy_is_applied_to_what_stands() -> None:
    """A minimum raised opens a breach with no scan; removed, it clears."""
    story = Story().tell(opening(5))
    story.tell(reference(_minimum("network", 6)))
    assert len(story.events(BreachOpened)) == 1
    story.tell(reference(_minimum("network", 6), removed=True))
    assert len(story.events(BreachCleared)) == 1


def test_another_category_brings_other_rules() -> None:
    """A SKU record that changes its category is looked at again."""
    story = Story().tell(reference(_minimum("category", 6, category="dairy")), opening(5))
    story.tell(reference(SkuRecord(SKU, category="dairy")))
    assert len(story.events(BreachOpened)) == 1


def test_rules_survive_a_restore() -> None:
    """The reference set is part of the state."""
    story = Story().tell(reference(_minimum("site", 6, site=SHOP)), opening(8))
    story.restore()
    story.tell(scan("sale", 3, seq=1), opening(1, site=DONOR))
    assert [event.site for event in story.events(BreachOpened)] == [SHOP]


def test_the_buffer_is_kept_out_until_it_is_released() -> None:
    """Released on purpose; it stays released until the policy says otherwise."""
    story = Story().tell(reference(PolicyRecord(scope="network", min_units=5, buffer_units=4)))
    story.tell(opening(7))
    assert story.level().buffer_units == 4
    assert len(story.events(BreachOpened)) == 1
    story.tell(command("release_buffer", site=SHOP))
    assert story.level().buffer_units == 0
    assert len(story.events(BreachCleared)) == 1
    story.tell(scan("sale", 1, seq=1))
    assert story.level().buffer_units == 0
