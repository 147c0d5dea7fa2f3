"""The feed for a supplier says what the fold acts by."""

from deploy.supplier_feed import SupplyView
from ingest.contracts.demand import PromotionRecord
from ingest.contracts.durations import DAY_MS
from ingest.contracts.supply import SupplierRecord
from ingest.frames import SkuRecord
from tests.unit.streams.builders import SHOP, SKU, T0, Story, opening, policy, reference


def test_what_a_promotion_needs_is_wanted_of_the_supplier() -> None:
    """A promotion tomorrow is planned to sell 90; with 40 there, 50 are wanted."""
    story = Story().tell(reference(SupplierRecord("mill", 0, 0)))
    story.tell(reference(SkuRecord(SKU, supplier="mill")))
    story.tell(policy(promotion_lead_ms=2 * DAY_MS, autonomy="observe"), opening(40))
    begins_ms = T0 + DAY_MS
    sale = PromotionRecord("sale", begins_ms, begins_ms + DAY_MS, 1_000, planned_units=90)
    story.tell(reference(sale))
    view = SupplyView()
    for raw, value in story.state.items():
        view.take_stock(raw, value)
    (row,) = view.feed_rows("mill")
    assert (row["site"], row["max_units"], row["wanted_units"]) == (SHOP, 90, 50)
