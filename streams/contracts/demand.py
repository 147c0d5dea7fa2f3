"""What the stock fold has learned of demand and of lead times; records of `shelfstream.stock`."""

from typing import Final

import msgspec

ORDER_SIZES: Final = "order_sizes"
PROMOTION_NEED: Final = "promotion_need"
"""Kinds of state keys in `shelfstream.stock`: of SKU and site."""


class Demand(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """Demand of one SKU at one site as learned day by day, and the thresholds computed from it."""

    days: int = 0
    """Days learned from, those on which stock ran out too."""
    censored_days: int = 0
    """Days on which stock was out, or could not be seen."""
    sale_days: int = 0
    mean: float = 0.0
    """Units on an average day."""
    variance: float = 0.0
    """Mean squared error of the forecast of one day."""
    weekday_permille: list[int] = []
    """Factor of each weekday, from the first day of the epoch's week; empty: all alike."""
    chance: float = 0.0
    """That a day has any demand."""
    size: float = 0.0
    """Units on a day that has."""
    size_variance: float = 0.0
    threshold_number: int = 0
    """Of the newest `threshold-{sku}-{number}`; 0 while none was computed."""
    reorder_units: int = 0
    order_up_to_units: int = 0
    demand_milli_day: int = 0
    """Thousandths of a unit that are expected to be sold in a day of the next lead time."""
    lead_demand_units: int = 0
    """What is expected to be sold before an answer given now arrives."""
    trend_level: float = 0.0
    """Units of an average day as the damped trend has them."""
    trend: float = 0.0
    """By how much they rise a day at present."""
    trend_variance: float = 0.0
    """Mean squared error of a day's forecast with the trend; `flat_variance` without, of the same
    days."""
    flat_variance: float = 0.0


class LeadTime(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """How long a way takes, as measured; begins with what the catalogue says."""

    measured: int = 0
    mean_ms: float = 0.0
    variance_ms2: float = 0.0


class OrderSizes(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """How much order lines ask for of one SKU at one site; kept where a policy judges by it."""

    lines: int = 0
    """Lines learned from."""
    mean: float = 0.0
    """Units of a line."""
    variance: float = 0.0
    """Mean squared error of what was expected of a line."""


class PromotionNeed(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """What promotions need of one SKU at one site, as last foreseen; only where a policy asks."""

    due_ms: int
    """When it is foreseen anew: the next lead, start or end of a promotion here."""
    promotion: str = ""
    """The one that needs most of those whose lead has begun; empty, as all that follows, before."""
    begins_ms: int = 0
    ends_ms: int = 0
    reckoned_from_ms: int = 0
    """What is expected to be sold from here until `covered_until_ms` is what is needed."""
    covered_until_ms: int = 0
    needed_units: int = 0
    demand_milli: int = 0
    """Expected in that span, in thousandths of a unit."""
    promoted_milli: int = 0
    """How much of that promotions add."""
    mean_milli_day: int = 0
    """Learned demand of an ordinary day; 0 where too little is learned."""
    uplift_permille: int = 0
    planned_units: int = 0
    aimed_units: int = 0
    """What an answer aims at, and a donor keeps: a day's demand above what is needed."""


DEMAND_STRUCTS: Final[dict[str, type[msgspec.Struct]]] = {
    ORDER_SIZES: OrderSizes,
    PROMOTION_NEED: PromotionNeed,
}
"""The struct behind each of these kinds of key."""
