"""Stock moves ahead of a promotion: when, how much, for what, and that nothing of it stays."""

from typing import Any

from msgspec.structs import replace

from deploy.explanations import explained
from ingest.contracts.demand import PromotionRecord
from ingest.contracts.durations import DAY_MS
from ingest.contracts.policies import PolicyRecord
from ingest.contracts.supply import LaneRecord, SupplierRecord
from ingest.frames import SiteRecord, SkuRecord
from streams.contracts.alerts import AlertEnded, AlertRaised
from streams.contracts.demand import PROMOTION_NEED, PromotionNeed
from streams.contracts.events import (
    BreachCleared,
    BreachOpened,
    NeedChanged,
    ThresholdChanged,
    TransferChanged,
)
from streams.contracts.state import TRANSFER_OPEN, Need, Transfer, decode, key, key_parts
from tests.unit.streams.builders import (
    DONOR,
    SHOP,
    SKU,
    WAREHOUSE,
    Story,
    opening,
    reference,
    scan,
)
from tests.unit.streams.demand_story import START_MS, Shop

LEAD_MS = 2 * DAY_MS
FIXED: dict[str, Any] = {
    "thresholds": "fixed",
    "min_units": 5,
    "max_units": 30,
    "autonomy": "suggest",
    "promotion_lead_ms": LEAD_MS,
}


def promotion(begins_day: int, days: int = 2, **more: Any) -> PromotionRecord:
    """Return a promotion that begins so many days after the story's first morning."""
    begins_ms = START_MS + begins_day * DAY_MS
    said = {"uplift_permille": 3_000, "sku": SKU, **more}
    return PromotionRecord("sale", begins_ms, begins_ms + days * DAY_MS, **said)


def learned(*, stock: int = 350, donor: int = 500, **said: Any) -> Shop:
    """Return a shop with 20 days of 10 a day behind it, 150 left, and a donor of 500 nearby."""
    shop = Shop(stock=stock, **{**FIXED, **said})
    shop.story.tell(
        reference(LaneRecord(DONOR, SHOP, DAY_MS // 2, 100)),
        reference(LaneRecord(SHOP, DONOR, DAY_MS // 2, 100)),
        opening(donor, site=DONOR, cost_minor=100),
    )
    return shop.days([10] * 20)


def bare(**said: Any) -> Story:
    """Return a shop with 12 and a donor with 100 that have learned nothing yet."""
    story = Story()
    story.now_ms = START_MS
    fields = {"scope": "network", **FIXED, **said}
    return story.tell(
        reference(SkuRecord(SKU, unit_cost_minor=100)),
        reference(PolicyRecord(**fields)),
        reference(LaneRecord(DONOR, SHOP, DAY_MS // 2, 100)),
        reference(LaneRecord(SHOP, DONOR, DAY_MS // 2, 100)),
        opening(12),
        opening(100, site=DONOR),
    )


def shortages(story: Story) -> list[BreachOpened]:
    """Return the breaches that were opened for promotions."""
    return [b for b in story.events(BreachOpened) if b.kind == "promotion_shortage"]


def cleared(story: Story) -> list[BreachCleared]:
    """Return the same that are over."""
    return [b for b in story.events(BreachCleared) if b.kind == "promotion_shortage"]


def records(story: Story) -> dict[str, PromotionNeed]:
    """Return the records of promotions to come, by site."""
    found = {}
    for raw, value in story.state.items():
        record = decode(raw, value)
        if isinstance(record, PromotionNeed):
            found[key_parts(raw)[2]] = record
    return found


def expecting(story: Story, site: str = SHOP) -> list[Transfer]:
    """Return the open transfers into a site."""
    return [t for t in story.transfers() if t.to_site == site and t.state in TRANSFER_OPEN]


def open_needs(story: Story, site: str = SHOP) -> list[Need]:
    """Return the open requests of a site."""
    return [need for need in story.needs() if need.site == site and need.state == "open"]


def test_stock_moves_ahead_of_a_promotion_with_fixed_thresholds() -> None:
    """A day of supply and two of lead before: 3 days of 10, then 4 of 30, and a day of 10 more."""
    shop = learned()
    shop.story.tell(reference(promotion(26, 4, site=SHOP)))
    shop.days([10] * 2)
    assert not shortages(shop.story)
    assert records(shop.story)[SHOP].promotion == ""
    shop.days([10])
    (opened,) = shortages(shop.story)
    assert (opened.at_ms, opened.site) == (START_MS + 23 * DAY_MS, SHOP)
    assert opened.promotion == "sale"
    assert (opened.threshold_units, opened.position_units) == (150, 120)
    numbers = opened.decided_from
    assert (numbers["promoted_units"], numbers["covered_demand_milli"]) == (150, 150_000)
    assert (numbers["promoted_milli"], numbers["mean_milli_day"]) == (80_000, 10_000)
    (transfer,) = expecting(shop.story)
    assert (transfer.from_site, transfer.quantity_units) == (DONOR, 40)
    assert (transfer.promotion, transfer.breach_id) == ("sale", opened.breach_id)
    assert not shop.story.needs()
    (raised,) = (a for a in shop.story.alerts(AlertRaised) if a.kind == "promotion_shortage")
    assert (raised.text, raised.facts["threshold_units"]) == ("sale", 150)


def test_what_was_decided_is_explained_with_its_numbers() -> None:
    """The promotion, its dates, its demand; transfers and requests name it."""
    shop = learned(stock=340, donor=15)
    shop.story.tell(reference(promotion(23, 4, site=SHOP)))
    (opened,) = shortages(shop.story)
    told = "\n".join(explained([opened]))
    assert "promotion sale: 2024-10-27" in told
    assert "10 a day, 3 times" in told
    assert "threshold 150 (what the promotion sale needs), catalogue load 1" in told
    assert "needed 150: 150 expected from" in told
    assert "80 of it by promotions" in told
    (transfer,) = expecting(shop.story)
    (need,) = open_needs(shop.story)
    for event in (
        TransferChanged(at_ms=0, transfer=transfer),
        NeedChanged(at_ms=0, need=need),
    ):
        assert "for the promotion sale, which begins " in explained([event])[0]
        assert "promoted_units 150" in "\n".join(explained([event]))
    moved = promotion(100, 4, site=SHOP)
    shop.story.tell(reference(moved))
    (over,) = cleared(shop.story)
    assert "needed 0: no promotion asks" in explained([over])[0]


def test_a_restored_level_wakes_when_its_lead_begins() -> None:
    """The record's time is in the state; nothing but time has to come by."""
    shop = learned(stock=340)
    shop.story.tell(reference(promotion(26, 4, site=SHOP)))
    shop.story.restore()
    shop.story.wait(3 * DAY_MS - 1)
    assert not shortages(shop.story)
    shop.story.wait(1)
    assert len(shortages(shop.story)) == 1
    shop.story.restore()
    shop.story.wait(7 * DAY_MS)
    assert len(cleared(shop.story)) == 1
    assert not records(shop.story)


def test_what_no_donor_has_is_requested_in_time_for_the_promotion() -> None:
    """Planned units need no learned demand; the request says when it is needed by."""
    story = bare(autonomy="auto")
    story.tell(reference(promotion(1, uplift_permille=1_000, planned_units=150, site=SHOP)))
    (transfer,) = expecting(story)
    assert (transfer.quantity_units, transfer.state) == (95, "approved")
    (need,) = open_needs(story)
    assert (need.quantity_units, need.promotion) == (43, "sale")
    assert need.need_by_ms == START_MS + DAY_MS
    assert need.decided_from["planned_units"] == 150
    story.wait(3 * DAY_MS)
    assert not open_needs(story)


def test_a_donor_keeps_what_its_own_promotion_needs() -> None:
    """Also where its own lead has not begun: it gives only what is beyond both needs."""
    story = bare(autonomy="auto", promotion_lead_ms=DAY_MS)
    early = PolicyRecord(scope="sku_site", site=SHOP, sku=SKU, promotion_lead_ms=4 * DAY_MS)
    story.tell(reference(early))
    story.tell(reference(promotion(3, uplift_permille=1_000, planned_units=60)))
    assert records(story)[DONOR].promotion == ""
    (transfer,) = expecting(story)
    assert transfer.quantity_units == 40
    assert transfer.decided_from["donor_kept_units"] == 60
    assert [need.quantity_units for need in open_needs(story)] == [8]
    story.tell(scan("dispatch", 40, seq=1, site=DONOR, transfer_id=transfer.transfer_id))
    story.tell(scan("arrive", 40, seq=1, transfer_id=transfer.transfer_id))
    story.wait(2 * DAY_MS)
    assert not [breach for breach in shortages(story) if breach.site == DONOR]
    assert not expecting(story, DONOR)


def test_a_promotion_that_is_called_off_takes_everything_back() -> None:
    """Breach and alert end, the proposal and the request are withdrawn, the record is gone."""
    story = bare()
    sale = promotion(2, uplift_permille=1_000, planned_units=150, site=SHOP)
    story.tell(reference(sale))
    assert expecting(story)
    assert open_needs(story)
    story.tell(reference(sale, removed=True))
    (opened,), (over,) = shortages(story), cleared(story)
    assert over.breach_id == opened.breach_id
    assert over.breach_id in {ended.alert_key for ended in story.alerts(AlertEnded)}
    assert not expecting(story)
    assert not open_needs(story)
    assert not records(story)
    level = story.level()
    assert (level.in_transit_in_units, level.on_order_units, level.breaches) == (0, 0, ())


def test_a_promotion_that_comes_and_goes_does_not_flap() -> None:
    """It is people who plan it: what is short for it ends with it, each time."""
    story = bare(flap_opens_max=1, flap_window_ms=30 * DAY_MS)
    sale = promotion(2, planned_units=150, site=SHOP)
    for times in (1, 2, 3):
        story.tell(reference(sale))
        story.tell(reference(sale, removed=True))
        assert (len(shortages(story)), len(cleared(story))) == (times, times)


def test_a_moved_promotion_is_looked_at_where_it_was_and_where_it_is() -> None:
    """To another site, to another article, to another time: at once."""
    story = bare()
    sale = promotion(2, uplift_permille=1_000, planned_units=50, site=SHOP)
    story.tell(reference(sale))
    assert [breach.site for breach in shortages(story)] == [SHOP]
    story.tell(reference(promotion(2, uplift_permille=1_000, planned_units=150, site=DONOR)))
    assert [breach.site for breach in cleared(story)] == [SHOP]
    assert [breach.site for breach in shortages(story)] == [SHOP, DONOR]
    story.tell(reference(promotion(2, planned_units=150, sku="tea")))
    assert [breach.site for breach in cleared(story)] == [SHOP, DONOR]
    assert not records(story)
    story.tell(reference(sale), reference(promotion(60, planned_units=50, site=SHOP)))
    assert [breach.site for breach in cleared(story)] == [SHOP, DONOR, SHOP]
    assert records(story)[SHOP].promotion == ""
    assert not expecting(story)


def test_a_smaller_plan_cuts_the_request() -> None:
    """What an ordinary shortage or the new plan still wants stays."""
    story = bare(autonomy="auto")
    story.tell(reference(SupplierRecord("mill", DAY_MS, 500)))
    story.tell(reference(SkuRecord(SKU, supplier="mill", order_multiple_units=4)))
    story.tell(opening(3, site="kiosk"))
    ordinary = open_needs(story, "kiosk")[0].quantity_units
    assert ordinary == 28
    plan: dict[str, Any] = {"uplift_permille": 1_000, "site": "kiosk"}
    story.tell(reference(promotion(2, planned_units=100, **plan)))
    assert open_needs(story, "kiosk")[0].quantity_units == 100
    story.tell(reference(promotion(3, planned_units=41, **plan)))
    (need,) = open_needs(story, "kiosk")
    assert (need.quantity_units, need.need_by_ms) == (40, START_MS + 3 * DAY_MS)
    story.tell(reference(promotion(3, **plan), removed=True))
    (need,) = open_needs(story, "kiosk")
    assert (need.quantity_units, need.promotion, need.need_by_ms) == (28, "", 0)
    assert story.level("kiosk").on_order_units == 28


def test_goods_go_one_way_and_stay() -> None:
    """Through the whole promotion, sold as foreseen: one transfer, and none goes back."""
    shop = learned(stock=340, autonomy="auto")
    shop.story.tell(reference(promotion(24, 4, site=SHOP)))
    shop.days([10])
    (transfer,) = expecting(shop.story)
    name = transfer.transfer_id
    units = transfer.quantity_units
    shop.story.tell(scan("dispatch", units, seq=900, site=DONOR, transfer_id=name))
    shop.story.tell(scan("arrive", units, seq=900, transfer_id=name))
    assert len(cleared(shop.story)) == 1
    shop.days([10] * 3 + [30] * 4)
    left = shop.story.level().on_hand_units
    assert left == 340 - 20 * 10 + units - 4 * 10 - 4 * 30
    assert 0 <= left <= 20
    assert [one.transfer_id for one in shop.story.transfers()] == [name]
    assert not records(shop.story)
    shop.days([10] * 3)
    backward = [one for one in shop.story.transfers() if one.from_site == SHOP]
    assert not backward


def test_what_begins_must_dwell_as_any_breach() -> None:
    """An ordinary shortage is answered meanwhile, as without a promotion."""
    story = bare(autonomy="auto", dwell_ms=DAY_MS // 4)
    story.tell(reference(promotion(2, uplift_permille=1_000, planned_units=60, site=SHOP)))
    assert not shortages(story)
    story.wait(DAY_MS // 4)
    assert [transfer.quantity_units for transfer in expecting(story)] == [48]
    story = bare(autonomy="auto", dwell_ms=DAY_MS // 4)
    story.tell(scan("sale", 10, seq=5), after_ms=1)
    story.tell(
        reference(promotion(2, uplift_permille=1_000, planned_units=60, site=SHOP)),
        after_ms=DAY_MS // 4 - 1,
    )
    story.wait(1)
    assert [(t.quantity_units, t.promotion) for t in expecting(story)] == [(28, "")]
    story.wait(DAY_MS // 4)
    promoted = [(t.quantity_units, t.promotion) for t in expecting(story)]
    assert promoted == [(28, ""), (30, "sale")]


def test_without_a_lead_nothing_is_foreseen() -> None:
    """The default: no record, no timer, no breach; and none where nothing more is sold."""
    story = bare(promotion_lead_ms=None)
    story.tell(reference(promotion(1, planned_units=500)))
    assert not records(story)
    story = bare()
    story.tell(reference(promotion(1, uplift_permille=0)), reference(promotion(1, sku="tea")))
    assert not records(story)
    story.wait(4 * DAY_MS)
    assert not shortages(story)


def test_a_policy_that_changes_is_heard_at_once() -> None:
    """A lead that is said later opens, and one that is taken back clears."""
    story = bare(promotion_lead_ms=None)
    story.tell(reference(promotion(1, uplift_permille=1_000, planned_units=50, site=SHOP)))
    ahead = PolicyRecord(scope="sku", sku=SKU, promotion_lead_ms=DAY_MS)
    story.tell(reference(ahead))
    assert len(shortages(story)) == 1
    story.tell(reference(ahead, removed=True))
    assert len(cleared(story)) == 1
    assert not records(story)


def test_a_warehouse_keeps_nothing_for_the_promotion_of_its_shops() -> None:
    """It gives all that it can; a promotion that names it is its own."""
    story = bare(autonomy="auto")
    story.tell(reference(SiteRecord(DONOR, kind="warehouse")))
    story.tell(reference(promotion(2, uplift_permille=1_000, planned_units=90)))
    assert list(records(story)) == [SHOP]
    assert [transfer.quantity_units for transfer in expecting(story)] == [78]
    story.tell(reference(promotion(2, uplift_permille=1_000, planned_units=90, site=DONOR)))
    assert list(records(story)) == [DONOR]


def test_a_level_that_is_new_hears_of_a_promotion_at_once() -> None:
    """Stock is often imported after the catalogue; where none is to come there is no record."""
    story = bare()
    story.tell(reference(promotion(1, uplift_permille=1_000, planned_units=50)))
    story.tell(opening(5, site="kiosk"), opening(5, site="kiosk", sku="tea"))
    assert {breach.site for breach in shortages(story)} == {SHOP, "kiosk"}
    assert set(records(story)) == {SHOP, DONOR, "kiosk"}


def test_an_article_that_joins_a_category_joins_its_promotion() -> None:
    """And leaves it again."""
    story = bare()
    sale = promotion(1, uplift_permille=1_000, planned_units=40, sku="", category="dairy")
    story.tell(reference(sale))
    assert not records(story)
    story.tell(reference(SkuRecord(SKU, category="dairy")))
    assert set(records(story)) == {SHOP, DONOR}
    story.tell(reference(SkuRecord(SKU, category="dry")))
    assert not records(story)
    assert len(cleared(story)) == 1


def test_promotions_that_overlap_are_not_added_up() -> None:
    """The later one's need holds the earlier one's days; the larger need is named."""
    story = bare()
    first = promotion(1, 2, uplift_permille=1_000, planned_units=40, site=SHOP)
    later = PromotionRecord("fair", first.valid_until_ms, first.valid_until_ms + DAY_MS, 0)
    story.tell(reference(first), reference(replace(later, planned_units=30, site=SHOP)))
    record = records(story)[SHOP]
    assert (record.promotion, record.needed_units) == ("sale", 40)
    assert record.due_ms == first.valid_from_ms
    policy = PolicyRecord(scope="sku_site", site=SHOP, sku=SKU, promotion_lead_ms=9 * DAY_MS)
    story.tell(reference(policy))
    record = records(story)[SHOP]
    assert (record.promotion, record.needed_units) == ("fair", 70)


def test_room_and_shelf_life_limit_what_is_brought() -> None:
    """No more than fits, and no more than sells before it spoils."""
    story = bare(capacity_units=35, shelf_life_ms=DAY_MS)
    story.tell(reference(promotion(1, 4, uplift_permille=1_000, planned_units=100, site=SHOP)))
    assert records(story)[SHOP].needed_units == 25
    story.tell(reference(promotion(1, 2, uplift_permille=1_000, planned_units=100, site=SHOP)))
    assert records(story)[SHOP].needed_units == 35


def test_frozen_thresholds_stay_and_the_promotion_is_foreseen() -> None:
    """With sixteen weeks of lead time thresholds don't follow; the promotion's need does."""
    shop = Shop(stock=1_000, promotion_lead_ms=DAY_MS, service_level_permille=500)
    shop.story.tell(reference(LaneRecord(WAREHOUSE, SHOP, 112 * DAY_MS)))
    shop.days([1] * 18).turn()
    (frozen,) = shop.story.events(ThresholdChanged)
    assert frozen.frozen
    shop.story.tell(reference(promotion(40, uplift_permille=1_000, planned_units=5_000)))
    assert shop.story.events(ThresholdChanged) == [frozen]
    (opened,) = shortages(shop.story)
    assert opened.threshold_units > 5_000


def test_worth_reckons_with_what_the_promotion_would_miss() -> None:
    """Dear shortage: it pays; where normal supply comes in time it does not, and is asked."""
    said = {"transfer_rule": "worth", "shortage_cost_minor": 500, "autonomy": "auto"}
    story = bare(**said)
    story.tell(
        reference(SupplierRecord("mill", 5 * DAY_MS, 500)),
        reference(SkuRecord(SKU, supplier="mill", unit_cost_minor=100)),
    )
    plan: dict[str, Any] = {"uplift_permille": 1_000, "planned_units": 60, "site": SHOP}
    story.tell(reference(promotion(2, **plan)))
    (transfer,) = expecting(story)
    assert transfer.quantity_units == 48
    assert transfer.decided_from["avoided_units"] == 48
    story = bare(**said)
    story.tell(
        reference(SupplierRecord("mill", 5 * DAY_MS, 500)),
        reference(SkuRecord(SKU, supplier="mill", unit_cost_minor=100)),
    )
    story.tell(reference(promotion(6, **plan)))
    assert not expecting(story)
    assert [need.quantity_units for need in open_needs(story)] == [48]


def test_what_was_brought_is_no_overstock_until_the_promotion_ends() -> None:
    """The maximum is at least what is needed; left-overs are told after it."""
    story = bare()
    story.tell(reference(promotion(1, uplift_permille=1_000, planned_units=90, site=SHOP)))
    story.tell(scan("receive", 78, seq=9))
    kinds = {breach.kind for breach in story.level().breaches}
    assert "overstock" not in kinds
    story.wait(3 * DAY_MS)
    assert {breach.kind for breach in story.level().breaches} == {"overstock"}
    assert key(PROMOTION_NEED, SKU, SHOP) not in story.state
