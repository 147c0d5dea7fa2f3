"""A policy in the input log: what the rules of one scope say, or leave to a wider one."""

from typing import Literal

import msgspec

from ingest.contracts.counts import CountSensed
from ingest.contracts.demand import DemandTrend
from ingest.contracts.order_lines import OutlierOrders, ShortOrders
from ingest.contracts.supply import Replenishment, SupplyFrom, TransferRule

Autonomy = Literal["observe", "suggest", "auto_within_limits", "auto"]
Witness = Literal["book", "shelf"]
NegativeStock = Literal["refuse", "flag", "allow"]
PolicyScope = Literal["network", "site", "category", "sku", "sku_site"]
Thresholds = Literal["fixed", "computed"]
LotTracking = Literal["none", "lots"]
SerialTwice = Literal["flag", "refuse"]


class PolicyRecord(msgspec.Struct, frozen=True, array_like=True, tag=5, gc=False):
    """Rules of one scope; None inherits from the next wider one.

    Precedence, widest first: network, site, category, sku, sku_site.
    """

    scope: PolicyScope
    site: str = ""
    category: str = ""
    sku: str = ""
    min_units: int | None = None
    max_units: int | None = None
    multiple_units: int | None = None
    hysteresis_units: int | None = None
    dwell_ms: int | None = None
    autonomy: Autonomy | None = None
    auto_units_max: int | None = None
    """With `auto_within_limits`, larger transfers wait for a person."""
    hold_back_units: int | None = None
    """A donor never falls below this (nor below its own minimum)."""
    lead_witness: Witness | None = None
    negative_stock: NegativeStock | None = None
    blind_after_ms: int | None = None
    """A sensed count older than this is unknown, not zero."""
    proposal_ttl_ms: int | None = None
    """A proposed or approved transfer that is not dispatched by then expires."""
    transit_overdue_ms: int | None = None
    """A dispatched transfer not received this long after its lead time is flagged as lost."""
    buffer_units: int | None = None
    """The emergency buffer: kept out of available stock until it is released."""
    thresholds: Thresholds | None = None
    """`computed`: minimum and maximum follow demand and lead time, once enough is learned."""
    service_level_permille: int | None = None
    fill_rate_permille: int | None = None
    shortage_cost_minor: int | None = None
    leftover_cost_minor: int | None = None
    review_period_ms: int | None = None
    order_cycle_ms: int | None = None
    holding_cost_permille: int | None = None
    reorder_units_min: int | None = None
    reorder_units_max: int | None = None
    capacity_units: int | None = None
    stockout_horizon_ms: int | None = None
    count_tolerance_units: int | None = None
    count_tolerance_permille: int | None = None
    count_tolerance_minor: int | None = None
    count_sensed: CountSensed | None = None
    supply_from: SupplyFrom | None = None
    expedite: bool | None = None
    lot_tracking: LotTracking | None = None
    near_expiry_ms: int | None = None
    transfer_life_ms_min: int | None = None
    shelf_life_ms: int | None = None
    replenishment: Replenishment | None = None
    transfer_rule: TransferRule | None = None
    handling_cost_minor: int | None = None
    cross_dock: bool | None = None
    auto_value_minor_max: int | None = None
    auto_units_day_max: int | None = None
    auto_value_minor_day_max: int | None = None
    demand_trend: DemandTrend | None = None
    short_orders: ShortOrders | None = None
    reserve_ahead_ms: int | None = None
    serials_max: int | None = None
    serial_twice: SerialTwice | None = None
    witness_dwell_ms: int | None = None
    refill_below_units: int | None = None
    theft_drop_units: int | None = None
    theft_window_ms: int | None = None
    dead_stock_days: int | None = None
    flap_opens_max: int | None = None
    flap_window_ms: int | None = None
    order_outlier_deviations: int | None = None
    order_line_units_max: int | None = None
    outlier_orders: OutlierOrders | None = None
    promotion_lead_ms: int | None = None
