"""State of the stock fold as it stands in `shelfstream.stock`: the public live table.

Keys are text, parts separated by `SEPARATOR`: a kind and what it is of. Values are msgpack arrays
of the structs below, fields only ever appended. Structs are mutable because the fold owns them;
everybody else reads.
"""

from typing import Final, Literal

import msgspec

from ingest.contracts.demand import PromotionRecord
from ingest.contracts.policies import PolicyRecord
from ingest.contracts.supply import LaneRecord, SupplierRecord
from ingest.frames import NetworkRecord, SiteRecord, SkuRecord
from streams.contracts.counts import COUNT_STRUCTS
from streams.contracts.demand import DEMAND_STRUCTS, Demand, LeadTime
from streams.contracts.kpis import KPI, Kpi
from streams.contracts.lots import LOT_STRUCTS
from streams.contracts.orders import ORDER_LINE_STRUCTS
from streams.contracts.planogram import PLANOGRAM, Planogram
from streams.contracts.shelf import LoadCell, TagRound
from streams.contracts.voids import VOIDED, Voided
from streams.contracts.windows import SourceWindow
from streams.contracts.witnesses import WITNESS, WITNESS_KINDS, WitnessRecord

SEPARATOR: Final = "\x1f"

BreachKind = Literal[
    "low_stock",
    "stockout",
    "overstock",
    "predicted_stockout",
    "near_expiry",
    "phantom_stock",
    "ghost_stock",
    "shelf_gap",
    "theft_like_drop",
    "dead_stock",
    "order_outlier",
    "promotion_shortage",
]
BREACH_KINDS: Final[tuple[BreachKind, ...]] = (
    "stockout",
    "predicted_stockout",
    "low_stock",
    "overstock",
    "near_expiry",
    *WITNESS_KINDS,
    "order_outlier",
    "promotion_shortage",
)

TransferState = Literal[
    "proposed",
    "approved",
    "held",
    "dispatched",
    "in_transit",
    "partly_received",
    "received",
    "rejected",
    "cancelled",
    "expired",
    "lost",
    "reopened",
]
TRANSFER_OPEN: Final = frozenset(
    {"proposed", "approved", "held", "dispatched", "in_transit", "partly_received", "reopened"}
)
"""States in which a transfer still counts for what is on its way."""

NeedState = Literal["open", "closed"]


UNCOUNTED: Final = -1
"""A channel that has no number to tell; it adds nothing to a shelf, and never means empty."""


class SensedChannel(msgspec.Struct, array_like=True, gc=False):
    """What one channel last saw of a SKU at a site."""

    channel: str
    """`{device}/{channel}`."""
    units: int
    """`UNCOUNTED` where nobody knows how much: a beam that sees something, first rounds of tags."""
    observed_at_ms: int
    received_at_ms: int
    blind: bool = False
    """The device is offline: the count is unknown, not zero."""
    boot: str = ""
    """Session of the device; the last will of an older session says nothing."""
    seq: int = 0
    """Decides between two readings of the same millisecond."""
    cell: LoadCell | None = None
    """Where values have to settle before they count."""
    report_interval_ms: int = 0
    """How often the device reports by itself; 0 where it isn't said."""
    tags: TagRound | None = None
    backroom: bool = False
    """It watches the backroom: apart from the shelf, see `streams.domain.areas`."""


class Breach(msgspec.Struct, array_like=True, gc=False):
    """A threshold crossed at one key: waiting for its dwell, or open."""

    kind: BreachKind
    since_ms: int
    breach_id: str = ""
    """Empty while the dwell has not passed."""
    threshold_units: int = 0
    available_units: int = 0
    observed_at_ms: int = 0
    """Device time of the input that crossed the threshold; 0 for a tick."""
    refused_sites: list[str] = []
    """Donors that refused or let expire, sorted; an empty text for a closed request."""
    opened_at_ms: int = 0
    flapping: bool = False
    """It opened too often: held open until it has stayed clear for the policy's window."""
    calm_since_ms: int = 0
    """Since when a flapping one has been clear; 0 while it is not, or nobody knows."""


class RecentBreaches(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """When breaches of one kind last opened at one key: what a flap limit is judged by."""

    kind: BreachKind
    opened_at_ms: tuple[int, ...]
    """Oldest first; no more than the policy's `flap_opens_max`, within its window."""


class Level(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """Stock of one SKU at one site, in base units.

    `available = on_hand - reserved - quarantined - buffer`;
    `position = available + in_transit_in + on_order - in_transit_out - backordered`.

    Its collections are tuples: the garbage collector would look at every list of a million levels
    again and again, while it forgets a tuple in which no cycle can begin. Most are the empty one.
    """

    sku: str
    site: str
    on_hand_units: int = 0
    """The book: what scans and orders say."""
    reserved_units: int = 0
    quarantined_units: int = 0
    buffer_units: int = 0
    in_transit_in_units: int = 0
    in_transit_out_units: int = 0
    """Planned to leave and not yet dispatched."""
    on_order_units: int = 0
    value_minor: int = 0
    """Value of the book at moving-average cost."""
    sensed: tuple[SensedChannel, ...] = ()
    """Sorted by channel; empty where no sensor watches."""
    breaches: tuple[Breach, ...] = ()
    """Sorted by kind; pending and open ones."""
    need_id: str = ""
    """The open replenishment request, if there is one."""
    updated_at_ms: int = 0
    imports: tuple[str, ...] = ()
    """Ids of opening imports already applied."""
    last_received_at_ms: int = 0
    """When a transfer last arrived; the cool-down counts from it."""
    buffer_policy_units: int = 0
    """The policy's buffer as last applied: a release lasts until the policy says otherwise."""
    issued_day: int = 0
    """The day (event time) whose issues are being counted, 1 is 1970-01-01; 0 before the first."""
    issued_units: int = 0
    """What went to customers on that day, or was told later than it should have been."""
    issued_next_units: int = 0
    """What went to customers after that day."""
    gap_from_day: int = 0
    """First day of the newest gap: the days on which stock was out, or could not be seen."""
    gap_until_day: int = 0
    """Last day of it; -1 while it lasts."""
    moment_unit_s: int = 0
    """Of movements since key figures were last summed, units times second: see `kpis`."""
    recent_breaches: tuple[RecentBreaches, ...] = ()
    """Sorted by kind; empty where no policy limits flapping."""
    backordered_units: int = 0
    """Asked of it and not served: by open requests of other sites, and by order lines that wait."""


class Transfer(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """Units of one SKU on their way, or meant to be, from one site to another."""

    transfer_id: str
    sku: str
    from_site: str
    to_site: str
    state: TransferState
    quantity_units: int
    dispatched_units: int = 0
    received_units: int = 0
    version: int = 1
    """Goes up by one at every change; commands may demand it."""
    proposed_at_ms: int = 0
    deadline_ms: int = 0
    """When the present state times out; 0 for never."""
    dispatched_at_ms: int = 0
    closed_at_ms: int = 0
    breach_id: str = ""
    shipment_id: str = ""
    inferred: bool = False
    """Arrival came before dispatch, which was then inferred."""
    inferred_units: int = 0
    """Dispatch not yet confirmed by its own late scan."""
    flags: list[str] = []
    decided_from: dict[str, int] = {}
    """The numbers the decision was taken from, by name."""
    lost_units: int = 0
    value_minor: int = 0
    """Value of the units on their way, taken from the donor's book."""
    promotion: str = ""
    """The promotion that it is made for; empty for an ordinary shortage."""
    ssccs: list[str] = []
    """Of the logistic units it left in, the newest last; no more than 16."""
    served: dict[str, int] = {}
    """Units by request that it serves; those that never leave are missed there again."""


class Need(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """A replenishment request: no donor had surplus."""

    need_id: str
    sku: str
    site: str
    from_site: str
    """The parent warehouse, or empty for the supplier."""
    state: NeedState
    quantity_units: int
    opened_at_ms: int
    closed_at_ms: int = 0
    received_units: int = 0
    version: int = 1
    decided_from: dict[str, int] = {}
    supplier: str = ""
    """Whom it is ordered of; empty for a parent, and where the SKU names none."""
    ordered_units: int = 0
    """Units of it in purchase orders that have gone out: they come, needed or not."""
    revision: int = 0
    """How often purchasing has changed it; what it is told tells it which change it saw."""
    promotion: str = ""
    """The promotion that it was last added to for; empty for ordinary shortages."""
    need_by_ms: int = 0
    """When that promotion begins."""
    refused: bool = False
    """A transfer to serve it was refused: none is proposed again until more is asked for."""
    measured: bool = False
    """How long it took is part of the lead time already."""
    owed: bool = False
    """It lowers the position of the site that it was made of."""


class SkuBook(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """What a partition keeps of one SKU beside its levels."""

    sku: str
    record: SkuRecord | None = None
    sites: list[str] = []
    """Sites that have a level of it, sorted."""
    transfers: list[str] = []
    """Ids of its open transfers, sorted by running number."""
    needs: list[str] = []
    unconfirmed: list[str] = []
    """Ids of ended transfers that may still be scanned: dispatch inferred or units lost, sorted."""
    automatic: dict[str, list[int]] = {}
    """By site: a day, and units and value that went out by themselves on it."""
    refused_units: dict[str, int] = {}
    """By site: what kanban has asked for and people have refused."""


class SkuNumber(msgspec.Struct, array_like=True, gc=False):
    """The running number of a SKU's ids: apart from its book, for every movement counts it on."""

    next_number: int = 1
    """Of the next transfer, breach, need or movement."""


class DeviceState(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """A device as its own partition knows it."""

    device: str
    site: str
    online: bool
    boot: str
    since_ms: int
    battery_pct: int = -1
    next_number: int = 1
    """Running number of the next status event."""
    silent_id: str = ""
    """Id of the event that began the present silence; empty while online."""
    battery_low_id: str = ""
    """Id of the alert that tells of its low battery; empty while it is fine or unknown."""
    silent_long: bool = False
    """Whether the present silence has been told as critical."""


class AnsweredCommand(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """A command that was answered; forgotten after 24 h."""

    command_id: str
    at_ms: int


class Clock(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """The fold's own record of a partition."""

    now_ms: int = 0
    installation_id: str = ""
    partition_count: int = 0
    time: str = "wall"
    reference_version: int = 0
    round_minute: int = -1
    """The newest minute whose share of the daily round is done; -1 before the first."""
    round_after_sku: str = ""
    """How far the round is within the next minute's share."""
    round_paused_ms: int = 0
    """When the round last reached its limit of keys."""


Reference = (
    NetworkRecord | SiteRecord | LaneRecord | PolicyRecord | SupplierRecord | PromotionRecord
)


def key(kind: str, *parts: str) -> bytes:
    """Return the state key of a kind and its parts."""
    return SEPARATOR.join((kind, *parts)).encode()


def key_parts(raw: bytes) -> list[str]:
    """Return kind and parts of a state key."""
    return raw.decode().split(SEPARATOR)


LEVEL: Final = "level"
TRANSFER: Final = "transfer"
NEED: Final = "need"
SKU: Final = "sku"
NUMBER: Final = "number"
SOURCE: Final = "source"
DEVICE: Final = "device"
REFERENCE: Final = "reference"
CLOCK: Final = "clock"
COMMAND: Final = "command"
DEMAND: Final = "demand"
LEAD_TIME: Final = "lead_time"

STRUCTS: Final[dict[str, type[msgspec.Struct]]] = {
    LEVEL: Level,
    TRANSFER: Transfer,
    NEED: Need,
    SKU: SkuBook,
    NUMBER: SkuNumber,
    SOURCE: SourceWindow,
    DEVICE: DeviceState,
    CLOCK: Clock,
    COMMAND: AnsweredCommand,
    DEMAND: Demand,
    LEAD_TIME: LeadTime,
    VOIDED: Voided,
    KPI: Kpi,
    WITNESS: WitnessRecord,
    PLANOGRAM: Planogram,
    **DEMAND_STRUCTS,
    **COUNT_STRUCTS,
    **LOT_STRUCTS,
    **ORDER_LINE_STRUCTS,
}
"""The struct behind each kind of key; `reference` records are a tagged union, see `Reference`."""

_DECODERS = {kind: msgspec.msgpack.Decoder(struct) for kind, struct in STRUCTS.items()}
_REFERENCE_DECODER = msgspec.msgpack.Decoder(Reference)


def decode(raw_key: bytes, value: bytes) -> object:
    """Return the struct of one state record; for views, off the hot path.

    Raises:
        KeyError: A kind this version does not know.
        msgspec.MsgspecError: Bytes that are no such struct.
    """
    kind = key_parts(raw_key)[0]
    if kind == REFERENCE:
        return _REFERENCE_DECODER.decode(value)
    return _DECODERS[kind].decode(value)
