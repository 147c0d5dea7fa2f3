"""A preview says what the load then does, and leaves everything as it was."""

from typing import Any

from ingest.contracts.demand import PromotionRecord
from ingest.contracts.durations import DAY_MS
from ingest.contracts.policies import PolicyRecord
from ingest.frames import (
    INPUT_FRAMES,
    NetworkRecord,
    ReferenceEntity,
    ReferenceInput,
    SkuRecord,
)
from streams.contracts.events import BreachCleared, BreachOpened, NeedChanged, TransferChanged
from streams.policy_preview import LevelPreview, preview
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    SKU,
    T0,
    Story,
    lane,
    opening,
    policy,
    reference,
    scan,
)


def previewed(story: Story, *policies: ReferenceEntity) -> dict[str, LevelPreview]:
    """Return the rows of a load of policies and the like, by site."""
    items = [ReferenceInput(2, NetworkRecord()), *(ReferenceInput(2, one) for one in policies)]
    frame = INPUT_FRAMES.encode(list(items), received_at_ms=0, reference_version=2)
    before = dict(story.state)
    rows = preview(story.state, [frame], 0, 1)
    assert story.state == before
    return {row.site: row for row in rows}


def stocked() -> Story:
    """Return 12 at the shop and 50 at the donor, a minimum of 10, and a lane between them."""
    story = Story().tell(reference(SkuRecord(SKU, unit_cost_minor=100, category="dairy")))
    story.tell(lane(DONOR), policy(autonomy="suggest", max_units=None))
    return story.tell(opening(12), opening(50, site=DONOR))


RAISED = PolicyRecord(scope="sku_site", site=SHOP, sku=SKU, min_units=20, max_units=30)


def test_a_raised_minimum_opens_and_asks_for_a_transfer() -> None:
    """The row has the rules before and after, the breach, and what the fold would suggest."""
    row = previewed(stocked(), RAISED)[SHOP]
    assert row.rules["min_units"] == (10, 20)
    assert row.rules["max_units"] == (None, 30)
    assert row.opens == ["low_stock"]
    assert row.transfers == [f"proposed: 18 from {DONOR}"]
    assert set(previewed(stocked(), RAISED)) == {SHOP}


def test_the_load_then_does_what_the_preview_said() -> None:
    """Told for real, the fold opens, clears and proposes exactly that."""
    story = stocked()
    row = previewed(story, RAISED)[SHOP]
    outputs = len(story.outputs)
    story.tell(ReferenceInput(2, NetworkRecord()), ReferenceInput(2, RAISED))
    story.outputs = story.outputs[outputs:]
    assert [event.kind for event in story.events(BreachOpened)] == row.opens
    assert [event.kind for event in story.events(BreachCleared)] == row.clears
    assert len(story.events(TransferChanged)) == len(row.transfers)
    assert len(story.events(NeedChanged)) == len(row.needs)


def test_a_breach_that_has_to_dwell_waits() -> None:
    """No time passes in a preview: what would open later is told apart."""
    slow = PolicyRecord(scope="category", category="dairy", min_units=20, dwell_ms=60_000)
    row = previewed(stocked(), slow)[SHOP]
    assert (row.opens, row.waits) == ([], ["low_stock"])


def test_a_lowered_minimum_clears() -> None:
    """A breach that is open now ends with the load."""
    story = stocked().tell(ReferenceInput(2, NetworkRecord()), ReferenceInput(2, RAISED))
    lowered = PolicyRecord(scope="sku_site", site=SHOP, sku=SKU, min_units=5, max_units=30)
    assert previewed(story, lowered)[SHOP].clears == ["low_stock"]


def test_a_narrower_policy_hides_a_wider_one() -> None:
    """Network, site, category, SKU, SKU-site: only levels without a narrower word change."""
    story = stocked().tell(ReferenceInput(2, NetworkRecord()), ReferenceInput(2, RAISED))
    wider = PolicyRecord(scope="sku", sku=SKU, min_units=11)
    assert set(previewed(story, wider)) == {DONOR}


def test_a_promotion_and_its_lead_are_previewed() -> None:
    """What it needs stands in the rules; breach, transfer and end are told."""
    story = stocked()
    ahead = PolicyRecord(scope="sku_site", site=SHOP, sku=SKU, promotion_lead_ms=DAY_MS)
    sale = PromotionRecord("sale", T0 + 1, T0 + DAY_MS, 1_000, site=SHOP, planned_units=30)
    row = previewed(story, sale, ahead)[SHOP]
    assert row.rules["promoted_units"] == (None, 30)
    assert row.opens == ["promotion_shortage"]
    assert row.transfers == [f"proposed: 18 from {DONOR}"]
    story.tell(ReferenceInput(2, ahead), ReferenceInput(2, sale))
    off = PolicyRecord(scope="sku_site", site=SHOP, sku=SKU, promotion_lead_ms=0)
    row = previewed(story, off)[SHOP]
    assert row.rules["promoted_units"] == (30, None)
    assert row.clears == ["promotion_shortage"]


def test_nothing_changes_nothing() -> None:
    """The same policy again gives no row."""
    same = PolicyRecord(scope="network", min_units=10, autonomy="suggest")
    assert previewed(stocked(), same) == {}


def test_a_flapping_breach_is_told_as_settling() -> None:
    """It clears a window after the load; without the limit, at once."""
    flapping: dict[str, Any] = {"min_units": 10, "flap_opens_max": 1, "flap_window_ms": 60_000}
    story = stocked().tell(reference(PolicyRecord("site", site=SHOP, **flapping)))
    for number in range(2):
        story.tell(scan("sale", 4, seq=2 * number), after_ms=1)
        if not number:
            story.tell(scan("return", 4, seq=1), after_ms=1)
    lowered = PolicyRecord("site", site=SHOP, **{**flapping, "min_units": 5})
    row = previewed(story, lowered)[SHOP]
    assert (row.clears, row.settles) == ([], ["low_stock"])
    unlimited = PolicyRecord("site", site=SHOP, min_units=5)
    row = previewed(story, unlimited)[SHOP]
    assert (row.clears, row.settles) == (["low_stock"], [])
