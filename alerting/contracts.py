"""What the floor of a site hears on MQTT, topic `stock/v1/{site}/tasks`: JSON, QoS 1."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

FloorTaskKind = Literal[
    "dispatch", "expect_arrival", "cancelled", "quarantine", "release", "refill"
]


class FloorTask(BaseModel):
    """One thing to do, or no longer to do, at one site.

    It may come twice; `task_id` tells. A newer `version` of a transfer replaces an older one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task_id: str
    """`{transfer_id}/{task}/{version}`, of held stock `{hold_id}/{task}/1`, of a refill
    `{breach_id}/refill/1` and `{breach_id}/cancelled/2`: the same on every repeat."""
    task: FloorTaskKind
    transfer_id: str
    """Empty where it is about no transfer."""
    version: int = Field(ge=1)
    sku: str
    site: str
    """Whose floor this is for."""
    from_site: str
    to_site: str
    quantity_units: int = Field(ge=0)
    """Base units to send, on their way, or to be put aside; 0 with a lot: look for it."""
    shipment_id: str = ""
    state: str
    """The transfer's state; with `cancelled` it says why. Of held stock: by what it was held. Of a
    refill: `shelf_gap`, and `over` when it is no longer needed."""
    at_ms: int
    lot: str = ""
    reason: str = ""
