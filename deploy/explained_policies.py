"""Which rules of a policy each kind of decision goes by. Pure."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from deploy.policy_origins import Relied
from streams.contracts.blindness import BlindIntervalChanged
from streams.contracts.counts import CountLineChanged
from streams.contracts.events import (
    BreachCleared,
    BreachOpened,
    NeedChanged,
    PurchaseChanged,
    StreamEvent,
    ThresholdChanged,
    TransferChanged,
)
from streams.contracts.lots import LotHeld
from streams.contracts.orders import OrderLineChanged
from streams.contracts.witnesses import WitnessGapChanged

LOAD: Final = "reference_version"
_STOCK: Final = ("lead_witness", "blind_after_ms", "buffer_units")
_AUTONOMY: Final = (
    "autonomy",
    "auto_units_max",
    "auto_value_minor_max",
    "auto_units_day_max",
    "auto_value_minor_day_max",
)
_AIM: Final = ("thresholds", "min_units", "max_units", "multiple_units")
_DONOR: Final = ("thresholds", "min_units", "hold_back_units", "cross_dock", *_STOCK)
_ON_ITS_WAY: Final = ("proposal_ttl_ms", "transit_overdue_ms")
_WORTH: Final = ("transfer_rule", "shortage_cost_minor", "handling_cost_minor")
_LIMITS: Final = ("reorder_units_min", "reorder_units_max", "capacity_units")
_FLAPPING: Final = ("flap_opens_max", "flap_window_ms")
_PROMOTION: Final = ("promotion_lead_ms", "capacity_units", "shelf_life_ms")
_THRESHOLD: Final = (
    "thresholds",
    "service_level_permille",
    "fill_rate_permille",
    "shortage_cost_minor",
    "leftover_cost_minor",
    "review_period_ms",
    "order_cycle_ms",
    "holding_cost_permille",
    *_LIMITS,
    "stockout_horizon_ms",
    "shelf_life_ms",
    "demand_trend",
    "multiple_units",
    "dwell_ms",
)
_COMPARED: Final = ("witness_dwell_ms", "count_tolerance_units")
_SHORTAGE: Final = ("thresholds", "min_units", "hysteresis_units", "dwell_ms", *_STOCK)
_BREACHES: Final[dict[str, tuple[str, ...]]] = {
    "low_stock": (*_SHORTAGE, *_FLAPPING),
    "stockout": (*_SHORTAGE, *_FLAPPING),
    "overstock": ("thresholds", "max_units", *_SHORTAGE[2:], *_FLAPPING),
    "predicted_stockout": ("stockout_horizon_ms", *_SHORTAGE[2:], *_FLAPPING),
    "promotion_shortage": (*_PROMOTION, *_SHORTAGE),
    "near_expiry": ("lot_tracking", "near_expiry_ms"),
    "phantom_stock": _COMPARED,
    "ghost_stock": _COMPARED,
    "shelf_gap": ("refill_below_units", "witness_dwell_ms", "capacity_units"),
    "theft_like_drop": ("theft_drop_units", "theft_window_ms"),
    "dead_stock": ("dead_stock_days",),
    "order_outlier": ("order_outlier_deviations", "order_line_units_max", "outlier_orders"),
}
_COUNT: Final = (
    "count_tolerance_units",
    "count_tolerance_permille",
    "count_tolerance_minor",
    "count_sensed",
)
_ORDER_LINE: Final = ("short_orders", "reserve_ahead_ms", "outlier_orders", *_STOCK)


def relied_on(events: Sequence[StreamEvent]) -> list[Relied]:
    """Return the rules that an entity's decisions went by, each once, in the order of its events.

    A later event names rules again only where another catalogue load held by then.
    """
    found: list[Relied] = []
    for event in events:
        rules = _RULES.get(type(event))
        for relied in rules(event) if rules is not None else ():
            if not any(_holds(one, relied) for one in found):
                found.append(relied)
    return found


def _holds(told: Relied, relied: Relied) -> bool:
    """Tell whether the same rules of the same level are told already."""
    return set(relied.fields) <= set(told.fields) and relied == told._replace(fields=relied.fields)


def _opened(event: BreachOpened) -> Iterator[Relied]:
    yield Relied(event.decided_from.get(LOAD, 0), event.sku, event.site, _BREACHES[event.kind])


def _cleared(event: BreachCleared) -> Iterator[Relied]:
    if event.reference_version:
        yield Relied(event.reference_version, event.sku, event.site, _BREACHES[event.kind])


def _transfer(event: TransferChanged) -> Iterator[Relied]:
    transfer, version, numbers = (
        event.transfer,
        event.reference_version,
        event.transfer.decided_from,
    )
    decided = transfer.version == 1
    fields: tuple[str, ...] = _ON_ITS_WAY
    if decided and "multiple_units" in numbers:
        worth = _WORTH if "normal_supply_ms" in numbers else _WORTH[:1]
        fields = (*_AIM, *_AUTONOMY, *worth, *_ON_ITS_WAY)
    promoted = _PROMOTION if decided and transfer.promotion else ()
    yield Relied(version, transfer.sku, transfer.to_site, (*fields, *promoted), "recipient")
    if decided and numbers:
        yield Relied(version, transfer.sku, transfer.from_site, _DONOR, "donor")


def _need(event: NeedChanged) -> Iterator[Relied]:
    need = event.need
    promoted = _PROMOTION if need.promotion else ()
    fields = ("replenishment", "supply_from", *_AIM, *_AUTONOMY, *promoted)
    if need.state == "open":
        yield Relied(event.reference_version, need.sku, need.site, fields)


def _purchase(event: PurchaseChanged) -> Iterator[Relied]:
    for line in event.order.lines.values():
        fields = (*_AUTONOMY, "expedite")
        yield Relied(line.reference_version, line.sku, line.site, fields)


def _plain(fields: tuple[str, ...]) -> Callable[[Any], Iterator[Relied]]:
    def named(event: Any) -> Iterator[Relied]:
        yield Relied(event.reference_version, event.sku, event.site, fields)

    return named


def _gap(event: WitnessGapChanged) -> Iterator[Relied]:
    yield Relied(event.decided_from.get(LOAD, 0), event.sku, event.site, _COMPARED)


_RULES: Final[dict[type, Callable[[Any], Iterator[Relied]]]] = {
    ThresholdChanged: _plain(_THRESHOLD),
    BreachOpened: _opened,
    BreachCleared: _cleared,
    TransferChanged: _transfer,
    NeedChanged: _need,
    PurchaseChanged: _purchase,
    OrderLineChanged: _plain(_ORDER_LINE),
    CountLineChanged: _plain(_COUNT),
    LotHeld: _plain(("lot_tracking",)),
    WitnessGapChanged: _gap,
    BlindIntervalChanged: _plain(("blind_after_ms",)),
}
