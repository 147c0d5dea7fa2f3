"""What a restored state is woken for: the same, at the same time, as the live one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.contracts.counts import CountLineInput
from ingest.contracts.order_lines import OrderLineInput
from ingest.contracts.policies import PolicyRecord
from ingest.frames import SkuRecord
from streams.contracts.state import Breach, Level, SensedChannel
from streams.domain import restored
from streams.domain.catalogue import Catalogue
from streams.domain.restored import BUCKET_MS, BlindAges
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    SKU,
    T0,
    Story,
    opening,
    policy,
    reading,
    reference,
)

AGES = st.sampled_from([None, 0, 90, 5_000])
SCOPES = ("network", "site", "category", "sku", "sku_site")


@given(st.lists(st.tuples(st.sampled_from(SCOPES), st.booleans(), AGES), max_size=8))
def test_ages_are_those_of_the_rules(said: list[tuple[Any, bool, int | None]]) -> None:
    """Whichever scopes speak, of this site, category and SKU or of others."""
    catalogue = Catalogue()
    record = SkuRecord(SKU, category="dairy")
    for scope, is_other, age_ms in said:
        name = "other" if is_other else ""
        catalogue.set(
            PolicyRecord(
                scope,
                site=name or SHOP,
                category=name or "dairy",
                sku=name or SKU,
                blind_after_ms=age_ms,
            ),
            removed=False,
        )
    ages = BlindAges(catalogue.policies, lambda _: "dairy")
    assert ages.of(SKU, SHOP) == catalogue.resolve(SKU, SHOP, record).blind_after_ms


@pytest.mark.parametrize("wait_ms", [1, 250, BUCKET_MS, 7 * BUCKET_MS])
def test_restored_levels_wake_like_live_ones(wait_ms: int) -> None:
    """Channels turn blind by age and dwells pass, in the same order at the same ticks."""
    plain, other = _watched(), _watched()
    other.restore()
    for _ in range(12):
        plain.wait(wait_ms)
        other.wait(wait_ms)
        assert other.state == plain.state
    assert other.said() == plain.said()


def _watched() -> Story:
    """Return two sites with a dwell each, and their channels seen at different times."""
    story = Story().tell(
        policy(lead_witness="shelf", blind_after_ms=1_500, dwell_ms=700),
        reference(PolicyRecord("site", site=DONOR, blind_after_ms=2_200)),
        opening(5),
        opening(40, site=DONOR),
    )
    story.tell(reading(4, at_ms=T0 + 3), reading(20, at_ms=T0 + 3, site=DONOR))
    return story.tell(reading(4, at_ms=T0 + 400, channel="b"), after_ms=333)


def test_a_start_decodes_no_level() -> None:
    """A million of them would take the time and the memory of all their structs."""
    story = _watched()
    story.restore()
    store = story.fold._store
    assert (len(store.levels.entries), len(store.timers)) == (0, 3)  # two buckets and the round
    story.wait(BUCKET_MS)
    assert len(store.levels.entries) > 0


def test_a_second_start_knows_nothing_of_the_first() -> None:
    """A fold that is given another partition's state begins with no aid of the one before."""
    story = _watched().tell(
        policy(short_orders="wait", lead_witness="shelf"),
        OrderLineInput("o1", 1, SKU, SHOP, "reserve", 90),
        CountLineInput("count-1", SKU, SHOP, "open", "ann"),
    )
    store = story.fold._store
    assert (list(store.waiting), list(store.counting)) == ([(SKU, SHOP)], [(SKU, SHOP)])
    story.fold.start({})
    aids = (store.touched, store.channels, store.fresher, store.skus)
    assert not any((*aids, store.waiting, store.counting))


def test_the_short_structs_are_the_beginning_of_the_whole_ones() -> None:
    """Fields are told apart by their place alone."""
    for short, whole in (
        (restored._LevelTimes, Level),
        (restored._ChannelTimes, SensedChannel),
        (restored._BreachTimes, Breach),
    ):
        fields = short.__struct_fields__
        assert whole.__struct_fields__[: len(fields)] == fields
