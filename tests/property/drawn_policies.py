"""Random policies and promotions for the stock fold's scripts: every setting, said or left out."""

from collections.abc import Sequence
from random import Random

from ingest.contracts.demand import PromotionRecord
from ingest.contracts.durations import DAY_MS
from ingest.contracts.policies import PolicyRecord


def drawn_policy(draw: Random, sites: Sequence[str], skus: Sequence[str]) -> PolicyRecord:
    """Return a policy of any scope with any settings; `None` leaves one out."""
    return PolicyRecord(
        scope=draw.choice(("network", "site", "category", "sku", "sku_site")),
        site=draw.choice(sites),
        category=draw.choice(("dairy", "dry")),
        sku=draw.choice(skus),
        min_units=draw.choice((None, 0, 5, 12)),
        max_units=draw.choice((None, 15, 40)),
        multiple_units=draw.choice((None, 1, 6)),
        hysteresis_units=draw.choice((None, 2)),
        dwell_ms=draw.choice((None, 0, 70)),
        autonomy=draw.choice((None, "observe", "suggest", "auto_within_limits", "auto")),
        auto_units_max=draw.choice((None, 10)),
        hold_back_units=draw.choice((None, 5)),
        lead_witness=draw.choice((None, "book", "shelf")),
        negative_stock=draw.choice((None, "refuse", "flag", "allow")),
        blind_after_ms=draw.choice((None, 90)),
        proposal_ttl_ms=draw.choice((None, 300)),
        transit_overdue_ms=draw.choice((None, 200)),
        buffer_units=draw.choice((None, 0, 3)),
        thresholds=draw.choice((None, "fixed", "computed", "computed")),
        service_level_permille=draw.choice((None, 800, 990)),
        fill_rate_permille=draw.choice((None, None, 950)),
        shortage_cost_minor=draw.choice((None, 40, 5_000)),
        leftover_cost_minor=draw.choice((None, 10)),
        review_period_ms=draw.choice((None, 0, 3 * DAY_MS)),
        order_cycle_ms=draw.choice((None, DAY_MS)),
        holding_cost_permille=draw.choice((None, 250)),
        reorder_units_min=draw.choice((None, 2)),
        reorder_units_max=draw.choice((None, 9)),
        capacity_units=draw.choice((None, 30)),
        stockout_horizon_ms=draw.choice((None, DAY_MS)),
        demand_trend=draw.choice((None, "none", "damped", "auto")),
        short_orders=draw.choice((None, "reserve", "wait", "refuse")),
        reserve_ahead_ms=draw.choice((None, 0, 100)),
        count_tolerance_units=draw.choice((None, None, 2)),
        count_tolerance_permille=draw.choice((None, None, 100)),
        count_tolerance_minor=draw.choice((None, None, 300)),
        count_sensed=draw.choice((None, "count", "prefill", "skip")),
        supply_from=draw.choice((None, "supplier", "cheapest")),
        expedite=draw.choice((None, True)),
        lot_tracking=draw.choice((None, None, "none", "lots")),
        near_expiry_ms=draw.choice((None, 0, 300, DAY_MS)),
        transfer_life_ms_min=draw.choice((None, 100, DAY_MS)),
        shelf_life_ms=draw.choice((None, None, 2 * DAY_MS)),
        replenishment=draw.choice((None, None, "kanban")),
        transfer_rule=draw.choice((None, None, "worth")),
        handling_cost_minor=draw.choice((None, 1)),
        cross_dock=draw.choice((None, True)),
        auto_value_minor_max=draw.choice((None, 300)),
        auto_units_day_max=draw.choice((None, 12)),
        auto_value_minor_day_max=draw.choice((None, 900)),
        serials_max=draw.choice((None, 0, 2)),
        serial_twice=draw.choice((None, "flag", "refuse")),
        witness_dwell_ms=draw.choice((None, 0, 1, 60)),
        refill_below_units=draw.choice((None, 0, 4)),
        theft_drop_units=draw.choice((None, 0, 2)),
        theft_window_ms=draw.choice((None, 50)),
        dead_stock_days=draw.choice((None, 0, 1, 2)),
        flap_opens_max=draw.choice((None, None, 0, 1, 2)),
        flap_window_ms=draw.choice((None, None, 0, 50, DAY_MS)),
        order_outlier_deviations=draw.choice((None, 0, 1)),
        order_line_units_max=draw.choice((None, 0, 20)),
        outlier_orders=draw.choice((None, "flag", "hold")),
        promotion_lead_ms=draw.choice((None, 0, 1, DAY_MS)),
    )


def drawn_promotion(
    draw: Random, sites: Sequence[str], skus: Sequence[str], now_ms: int
) -> PromotionRecord:
    """Return a promotion around now, of anything; two names, so that many are moved."""
    begins_ms = now_ms + draw.choice((-1, 0, 1, 2, 3)) * DAY_MS + draw.choice((0, 0, 50))
    return PromotionRecord(
        draw.choice(("spring", "sale")),
        begins_ms,
        begins_ms + draw.choice((100, DAY_MS, 3 * DAY_MS)),
        draw.choice((0, 500, 4_000)),
        site=draw.choice(("", *sites)),
        category=draw.choice(("", "", "dairy")),
        sku=draw.choice(("", *skus)),
        planned_units=draw.choice((0, 20, 60)),
    )
