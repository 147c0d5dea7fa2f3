"""Policies: which one speaks for a level, and what a change does."""

import pytest

from ingest.contracts.errors import InstallationError
from ingest.contracts.policies import PolicyRecord
from ingest.frames import (
    INPUT_FRAMES,
    InputItem,
    InstallationInput,
    ReferenceInput,
    SkuRecord,
)
from streams.contracts.events import BreachCleared, BreachOpened
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    SKU,
    T0,
    Story,
    command,
    lane,
    opening,
    policy,
    reference,
    scan,
)


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


def test_without_a_multiple_whole_packs_are_moved() -> None:
    """A policy's own multiple wins, also one of single units; another pack brings other rules."""
    story = Story().tell(opening(1))
    rules = story.fold._store.rules
    assert rules(SKU, SHOP).multiple_units == 1
    story.tell(reference(SkuRecord(SKU, pack_units=6)))
    assert rules(SKU, SHOP).multiple_units == 6
    story.tell(reference(PolicyRecord(scope="sku", sku=SKU, multiple_units=1)))
    assert rules(SKU, SHOP).multiple_units == 1
    story.tell(reference(PolicyRecord(scope="sku", sku=SKU), removed=True))
    story.tell(reference(SkuRecord(SKU, pack_units=6), removed=True))
    assert rules(SKU, SHOP).multiple_units == 1


def test_a_transfer_is_of_whole_packs() -> None:
    """25 are missing: at most four packs of six fit under the maximum of 30."""
    story = Story().tell(reference(SkuRecord(SKU, pack_units=6)), policy(), lane(DONOR))
    story.tell(opening(60, site=DONOR), opening(20), scan("sale", 15, seq=1))
    assert story.transfer().quantity_units == 24
    assert story.transfer().decided_from["multiple_units"] == 6


def test_a_policy_that_lets_the_fold_act_is_asked_about_open_shortages() -> None:
    """Observed for long, then automatic: the transfer follows with no scan."""
    story = Story().tell(policy(autonomy="observe"), lane(DONOR))
    story.tell(opening(60, site=DONOR), opening(5))
    assert story.transfers() == []
    story.tell(policy(autonomy="auto"))
    assert (story.transfer().state, story.transfer().quantity_units) == ("approved", 25)


def test_a_frame_resolved_by_a_load_that_was_never_told_stops_the_fold() -> None:
    """Nothing of it is folded; the load's own frames and older ones are."""
    story = Story().tell(reference(PolicyRecord(scope="network")))
    frame = INPUT_FRAMES.encode([opening(5)], received_at_ms=T0 + 9, reference_version=2)
    for _ in range(2):
        with pytest.raises(InstallationError, match="load 2, but partition 0 has only been told"):
            story.fold.fold(frame)
        story.restore()
    assert story.levels() == []
    load = [ReferenceInput(2, PolicyRecord(scope="network", min_units=1))]
    story.fold.fold(INPUT_FRAMES.encode(list(load), received_at_ms=T0, reference_version=2))
    story.fold.fold(frame)
    story.restore()
    assert story.level().on_hand_units == 5


def test_the_first_load_may_begin_with_the_installation() -> None:
    """Its frame is stamped with the load that it tells."""
    story = Story()
    first: list[InputItem] = [InstallationInput("i", 1, "wall"), policy()]
    story.fold.fold(INPUT_FRAMES.encode(first, received_at_ms=T0, reference_version=1))
    story.drain()
    assert story.fold._store.clock.reference_version == 1
