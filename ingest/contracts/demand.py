"""What the folds are told of demand beforehand."""

from typing import Literal

import msgspec

DemandTrend = Literal["none", "damped", "auto"]


class PromotionRecord(msgspec.Struct, frozen=True, array_like=True, tag=7, gc=False):
    """A known event that changes demand for a while; empty names match all."""

    promotion: str
    valid_from_ms: int
    valid_until_ms: int
    uplift_permille: int
    site: str = ""
    category: str = ""
    sku: str = ""
    planned_units: int = 0
    """Sales planned at each site it is for; 0 where only the uplift is known."""
