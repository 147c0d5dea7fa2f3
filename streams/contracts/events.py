"""Life-cycle events, as frames in `shelfstream.events`."""

from typing import Final, Literal

import msgspec

from ingest.frames import FrameCodec
from streams.contracts.blindness import BlindIntervalChanged
from streams.contracts.counts import CountLineChanged, CountSessionChanged
from streams.contracts.kpis import KpisClosed
from streams.contracts.lots import LotHeld
from streams.contracts.orders import BufferReleased, OrderChanged, OrderLineChanged
from streams.contracts.purchases import PurchaseOrder
from streams.contracts.serials import SerialFlagged
from streams.contracts.state import BreachKind, Need, Transfer
from streams.contracts.witnesses import WitnessGapChanged


class BreachOpened(msgspec.Struct, frozen=True, array_like=True, tag=1, kw_only=True):
    """A threshold stayed crossed for its dwell."""

    breach_id: str
    sku: str
    site: str
    kind: BreachKind
    at_ms: int
    since_ms: int
    available_units: int
    position_units: int
    threshold_units: int
    observed_at_ms: int = 0
    """Device time of the input that crossed it; 0 for a tick. Latency is counted from it."""
    decided_from: dict[str, int] = {}
    cause: str = ""
    """The order line, `{order}/{line}`, of an order outlier; empty for other kinds."""
    promotion: str = ""
    """The promotion that stock is short for; empty for all other kinds."""


class BreachCleared(msgspec.Struct, frozen=True, array_like=True, tag=2, kw_only=True):
    """The stock came back over the threshold and its hysteresis."""

    breach_id: str
    sku: str
    site: str
    kind: BreachKind
    at_ms: int
    opened_at_ms: int
    available_units: int
    threshold_units: int
    reference_version: int = 0
    """Number of the catalogue load whose policies held; 0 in an event of before this was kept."""


class TransferChanged(msgspec.Struct, frozen=True, array_like=True, tag=3, kw_only=True):
    """A transfer was proposed or went to another state; the whole of it as it now is."""

    at_ms: int
    transfer: Transfer
    cause: str = ""
    reference_version: int = 0
    """Number of the catalogue load whose policies held."""


class NeedChanged(msgspec.Struct, frozen=True, array_like=True, tag=4, kw_only=True):
    """A replenishment request was opened, changed or closed."""

    at_ms: int
    need: Need
    reference_version: int = 0
    """Number of the catalogue load whose policies held."""


class DeviceStatusChanged(msgspec.Struct, frozen=True, array_like=True, tag=5, kw_only=True):
    """A device went silent or came back."""

    event_id: str
    device: str
    site: str
    online: bool
    at_ms: int
    battery_pct: int = -1


class CommandAccepted(msgspec.Struct, frozen=True, array_like=True, tag=6, kw_only=True):
    """The fold carried a command out, in the same transaction."""

    command_id: str
    actor: str
    entity_id: str
    at_ms: int
    version: int = 0


class CommandRefused(msgspec.Struct, frozen=True, array_like=True, tag=7, kw_only=True):
    """The fold refused a command and says why, with the state it found."""

    command_id: str
    actor: str
    entity_id: str
    at_ms: int
    reason: str
    current_state: str = ""
    current_version: int = 0


class BarrierPassed(msgspec.Struct, frozen=True, array_like=True, tag=8, kw_only=True):
    """Everything before this barrier in its partition is folded and committed."""

    barrier_id: str
    partition: int
    at_ms: int


class ThresholdInputs(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What thresholds are computed from; `_milli` is thousandths of a unit, or of its square."""

    demand_class: str
    """`smooth`, `erratic`, `intermittent` or `lumpy`."""
    days: int
    """Days of demand learned from."""
    censored_days: int
    mean_milli_day: int
    """Demand of an average day."""
    variance_milli_day: int
    """Squared error of the forecast of a day."""
    demand_milli: int
    """Expected over lead time and review, with weekdays and promotions."""
    lead_demand_milli: int
    """Expected before an answer given now arrives."""
    cycle_demand_milli: int
    """Expected in an order cycle after that."""
    promoted_milli: int
    """How much of `demand_milli` promotions add, or, below zero, take away."""
    lead_time_ms: int
    lead_time_sd_ms: int
    lead_times_measured: int
    review_period_ms: int
    order_cycle_ms: int
    stockout_horizon_ms: int
    service_level_permille: int
    fill_rate_permille: int
    """0: the service level decides."""
    shortage_cost_minor: int
    leftover_cost_minor: int
    """With both above 0 the service level is the newsvendor's ratio."""
    pack_units: int
    unit_cost_minor: int
    order_cost_minor: int
    holding_cost_permille: int
    reorder_units_min: int
    reorder_units_max: int
    """-1 for none."""
    capacity_units: int
    """-1 for none."""
    sellable_units: int = -1
    """What is expected to be sold before goods received now spoil; -1 where they keep."""
    trend_milli_day: int = 0
    """By how much demand rises a day, where what is expected follows a trend."""


class ThresholdChanged(msgspec.Struct, frozen=True, array_like=True, tag=9, kw_only=True):
    """The computed minimum or maximum of a level changed; computed anew from its own inputs."""

    threshold_id: str
    sku: str
    site: str
    at_ms: int
    cause: Literal["daily", "policy", "promotion"]
    reference_version: int
    """Number of the catalogue load whose policies held."""
    reorder_units_before: int
    order_up_to_units_before: int
    reorder_units: int
    """In the place of `min_units`."""
    order_up_to_units: int
    """In the place of `max_units`."""
    lead_demand_units: int
    """Below this much available a stockout is foretold."""
    fit: str
    """`normal`, `poisson`, `negative_binomial` or `fill_rate`."""
    frozen: bool
    """Demand of this class is better served by a threshold that stays as first computed."""
    inputs: ThresholdInputs


class PurchaseChanged(msgspec.Struct, frozen=True, array_like=True, tag=30, kw_only=True):
    """A purchase order went to another state, or its lines changed; the whole of it as it is."""

    at_ms: int
    order: PurchaseOrder
    cause: str = ""
    terms_version: int = 0
    """Number of the catalogue load that last changed the supplier's terms; 0 where it has none."""


StreamEvent = (
    BreachOpened
    | BreachCleared
    | TransferChanged
    | NeedChanged
    | DeviceStatusChanged
    | CommandAccepted
    | CommandRefused
    | BarrierPassed
    | ThresholdChanged
    | CountLineChanged
    | CountSessionChanged
    | PurchaseChanged
    | LotHeld
    | KpisClosed
    | OrderLineChanged
    | OrderChanged
    | BufferReleased
    | SerialFlagged
    | WitnessGapChanged
    | BlindIntervalChanged
)

EVENT_FRAMES: Final[FrameCodec[StreamEvent]] = FrameCodec(StreamEvent)
