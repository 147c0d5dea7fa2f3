"""The partition's reference set, and what its policies say of one SKU at one site.

Policies are resolved field by field; a narrower scope wins where it says anything. Resolved rules
are cached and forgotten whenever a policy changes.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from ingest.contracts.counts import CountSensed
from ingest.contracts.demand import DemandTrend, PromotionRecord
from ingest.contracts.durations import DAY_MS
from ingest.contracts.order_lines import OutlierOrders, ShortOrders
from ingest.contracts.policies import (
    Autonomy,
    LotTracking,
    NegativeStock,
    PolicyRecord,
    SerialTwice,
    Thresholds,
    Witness,
)
from ingest.contracts.supply import (
    LaneRecord,
    Replenishment,
    SupplierRecord,
    SupplyFrom,
    TransferRule,
)
from ingest.frames import NetworkRecord, SiteRecord, SkuRecord
from streams.contracts.state import REFERENCE, Reference, key

RULES_CACHED_MAX: Final = 1 << 17
PROPOSAL_TTL_MS_DEFAULT: Final = DAY_MS
TRANSIT_OVERDUE_MS_DEFAULT: Final = DAY_MS
RESERVE_AHEAD_MS_DEFAULT: Final = 7 * DAY_MS

KeyT = TypeVar("KeyT")
RecordT = TypeVar("RecordT")

PolicyKey = tuple[str, str, str, str]
"""Scope, site, category, SKU."""

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[Reference] = msgspec.msgpack.Decoder(Reference)
_PREFIX: Final = key(REFERENCE, "")


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one SKU at one site; field meanings as in `PolicyRecord`."""

    min_units: int | None = None
    """None: nobody watches for a shortage."""
    max_units: int | None = None
    """None: nobody watches for overstock, and orders go up to the minimum."""
    multiple_units: int = 1
    """Where no policy says so, the SKU's pack: what is moved or ordered is whole packs."""
    hysteresis_units: int = 0
    dwell_ms: int = 0
    autonomy: Autonomy = "observe"
    auto_units_max: int = 0
    hold_back_units: int = 0
    lead_witness: Witness = "book"
    negative_stock: NegativeStock = "flag"
    blind_after_ms: int = 0
    """0 for never."""
    proposal_ttl_ms: int = PROPOSAL_TTL_MS_DEFAULT
    transit_overdue_ms: int = TRANSIT_OVERDUE_MS_DEFAULT
    buffer_units: int = 0
    thresholds: Thresholds = "fixed"
    service_level_permille: int = 950
    fill_rate_permille: int = 0
    """0: the service level decides."""
    shortage_cost_minor: int = 0
    leftover_cost_minor: int = 0
    """With both above 0 the service level is the newsvendor's ratio."""
    review_period_ms: int = DAY_MS
    order_cycle_ms: int = 3 * DAY_MS
    holding_cost_permille: int = 0
    reorder_units_min: int = 0
    reorder_units_max: int | None = None
    capacity_units: int | None = None
    stockout_horizon_ms: int = 0
    """0: lead time and dwell, where thresholds are computed."""
    count_tolerance_units: int | None = None
    count_tolerance_permille: int | None = None
    count_tolerance_minor: int | None = None
    count_sensed: CountSensed = "count"
    lot_tracking: LotTracking = "none"
    near_expiry_ms: int = 0
    transfer_life_ms_min: int = 0
    shelf_life_ms: int = 0
    """0: goods keep."""
    demand_trend: DemandTrend = "none"
    short_orders: ShortOrders = "reserve"
    reserve_ahead_ms: int = RESERVE_AHEAD_MS_DEFAULT
    serials_max: int = 0
    serial_twice: SerialTwice = "flag"
    witness_dwell_ms: int = 0
    refill_below_units: int = 0
    theft_drop_units: int = 0
    theft_window_ms: int = 0
    dead_stock_days: int = 0
    flap_opens_max: int = 0
    """0: no breach is held open for opening too often."""
    flap_window_ms: int = 0
    order_outlier_deviations: int = 0
    order_line_units_max: int = 0
    outlier_orders: OutlierOrders = "flag"
    is_watched: bool = False
    """One of these is set: see `streams.domain.witnesses`."""
    threshold_number: int = 0
    """Of the computed threshold that stands in `min_units` and `max_units`; 0 for the policy's."""
    foretold_units: int | None = None
    """Available stock below which a stockout is foretold; None while nothing is known."""
    supply_from: SupplyFrom = "parent"
    expedite: bool = False
    replenishment: Replenishment = "threshold"
    transfer_rule: TransferRule = "always"
    handling_cost_minor: int = 0
    cross_dock: bool = False
    auto_value_minor_max: int | None = None
    auto_units_day_max: int | None = None
    auto_value_minor_day_max: int | None = None
    demand_milli_day: int = 0
    """What it is foretold from: thousandths of a unit a day."""
    promotion_lead_ms: int = 0
    """0: what a promotion needs is not foreseen."""
    promoted_units: int | None = None
    """Position that a promotion whose lead has begun needs; None where it is not above `min_units`.
    `max_units` is then at least what an answer to it aims at."""
    promoted_aim_units: int = 0
    promotion: str = ""
    promotion_begins_ms: int = 0
    usual_max_units: int | None = None
    """`max_units` without the promotion; only while there is one."""

    @property
    def judges_orders(self) -> bool:
        """Order lines may be outliers: see `streams.domain.order_outliers`."""
        return self.order_outlier_deviations > 0 or self.order_line_units_max > 0

    @property
    def shortage_units(self) -> int:
        """Below this position a shortage is answered."""
        return max(self.min_units or 0, self.promoted_units or 0, 1)

    @property
    def order_up_to_units(self) -> int:
        """The position that an answer aims at; never below the minimum."""
        return max(self.max_units or 0, self.promoted_aim_units, self.shortage_units)

    @property
    def kept_units(self) -> int:
        """What a donor keeps: its hold-back, and its own minimum and promotion at least."""
        return max(self.hold_back_units, self.min_units or 0, self.promoted_aim_units)


_FIELDS: Final = tuple(
    field for field in Rules.__struct_fields__ if field in PolicyRecord.__struct_fields__
)

_WATCHING: Final = (
    "witness_dwell_ms",
    "refill_below_units",
    "theft_drop_units",
    "dead_stock_days",
)


class Catalogue:
    """Sites, lanes and policies of the partition; SKU records are in the SKU books."""

    def __init__(self) -> None:
        """Begin empty."""
        self._clear()

    def _clear(self) -> None:
        self.network = NetworkRecord()
        self.sites: dict[str, SiteRecord] = {}
        self.suppliers: dict[str, SupplierRecord] = {}
        self._promotions: dict[str, PromotionRecord] = {}
        self.cached_rules: dict[tuple[str, str], Rules] = {}
        self._shared_rules: dict[tuple[int, tuple[PolicyKey, ...]], Rules] = {}
        """By pack and the policies that speak: a million levels have a few."""
        self.policies: dict[PolicyKey, PolicyRecord] = {}
        self.lot_policies: set[PolicyKey] = set()
        """Policies that track lots: without any, nothing has to be asked."""
        self.serial_policies: set[PolicyKey] = set()
        self.outlier_policies: set[PolicyKey] = set()
        """Policies that judge order lines by what is usual."""
        self.lead_policies: set[PolicyKey] = set()
        """Policies that let promotions be foreseen."""
        self._lanes: dict[str, dict[str, LaneRecord]] = {}
        self._changes: dict[bytes, bytes | None] = {}

    def load(self, state: Mapping[bytes, bytes]) -> None:
        """Read the reference records out of a restored state."""
        self._clear()
        for raw in sorted(raw for raw in state if raw.startswith(_PREFIX)):
            self._index(_DECODER.decode(state[raw]), removed=False)

    def set(self, record: Reference, *, removed: bool) -> None:
        """Take a new, changed or removed record."""
        self._changes[record_key(record)] = None if removed else _ENCODER.encode(record)
        self._index(record, removed=removed)
        if isinstance(record, PolicyRecord):
            self.cached_rules = {}
            self._shared_rules = {}

    def lane(self, from_site: str, to_site: str) -> LaneRecord | None:
        """Return the lane from one site to another."""
        return self._lanes.get(to_site, {}).get(from_site)

    def lanes_into(self, site: str) -> list[LaneRecord]:
        """Return the lanes into a site, cheapest first, then shortest, then by donor."""
        lanes = self._lanes.get(site, {}).values()
        return sorted(lanes, key=lambda lane: (lane.cost_minor, lane.lead_time_ms, lane.from_site))

    def lacks_site(self, site: str) -> bool:
        """Tell whether a name is of no site; without any site's record every name is one."""
        return bool(self.sites) and site not in self.sites

    def parent_of(self, site: str) -> str:
        """Return where a site replenishes from; empty for the supplier."""
        record = self.sites.get(site)
        return record.parent_site if record is not None else ""

    @property
    def foresees_promotions(self) -> bool:
        """Whether any promotion may have to be foreseen: without one nothing is computed."""
        return bool(self.lead_policies and self._promotions)

    def promotion(self, name: str) -> PromotionRecord | None:
        """Return a promotion by its name."""
        return self._promotions.get(name)

    def promotions(
        self, sku: str, site: str, category: str, *, from_ms: int, until_ms: int
    ) -> list[PromotionRecord]:
        """Return the promotions of a SKU at a site in a span of time, by name."""
        return [
            promotion
            for _, promotion in sorted(self._promotions.items())
            if promotion.sku in {"", sku}
            and promotion.site in {"", site}
            and promotion.category in {"", category}
            and promotion.valid_from_ms < until_ms
            and from_ms < promotion.valid_until_ms
        ]

    def resolve(self, sku: str, site: str, record: SkuRecord) -> Rules:
        """Return the rules of a SKU at a site, and cache them."""
        concerned = (
            ("network", "", "", ""),
            ("site", site, "", ""),
            ("category", "", record.category, ""),
            ("sku", "", "", sku),
            ("sku_site", site, "", sku),
        )
        spoken = tuple(policy_key for policy_key in concerned if policy_key in self.policies)
        rules = self._shared_rules.get((record.pack_units, spoken))
        if rules is None:
            rules = self._resolved(record.pack_units, spoken)
        if len(self.cached_rules) >= RULES_CACHED_MAX:
            self.cached_rules = {}
        self.cached_rules[sku, site] = rules
        return rules

    def _resolved(self, pack_units: int, spoken: tuple[PolicyKey, ...]) -> Rules:
        """Return what these policies say, least specific first; most levels share it."""
        said: dict[str, object] = {"multiple_units": pack_units}
        for policy_key in spoken:
            _say(said, self.policies[policy_key])
        said["is_watched"] = any(said.get(field) for field in _WATCHING)
        rules = msgspec.convert(said, Rules)
        if len(self._shared_rules) >= RULES_CACHED_MAX:
            self._shared_rules = {}
        self._shared_rules[pack_units, spoken] = rules
        return rules

    def drain(self) -> dict[bytes, bytes | None]:
        """Return the changed reference records, and forget that they changed."""
        changes, self._changes = self._changes, {}
        return changes

    def _index(self, record: Reference, *, removed: bool) -> None:
        if isinstance(record, NetworkRecord):
            self.network = NetworkRecord() if removed else record
        elif isinstance(record, SiteRecord):
            _set(self.sites, record.site, record, removed=removed)
        elif isinstance(record, LaneRecord):
            lanes = self._lanes.setdefault(record.to_site, {})
            _set(lanes, record.from_site, record, removed=removed)
        elif isinstance(record, SupplierRecord):
            _set(self.suppliers, record.supplier, record, removed=removed)
        elif isinstance(record, PromotionRecord):
            _set(self._promotions, record.promotion, record, removed=removed)
        else:
            _set(self.policies, policy_key(record), record, removed=removed)
            for policies, says in (
                (self.lot_policies, record.lot_tracking == "lots"),
                (self.serial_policies, record.serials_max),
                (self.outlier_policies, record.order_outlier_deviations),
                (self.lead_policies, record.promotion_lead_ms),
            ):
                policies.discard(policy_key(record))
                if says and not removed:
                    policies.add(policy_key(record))


def policy_key(policy: PolicyRecord) -> PolicyKey:
    """Return what a policy is for; parts that its scope does not use are left out."""
    site = policy.site if policy.scope in {"site", "sku_site"} else ""
    category = policy.category if policy.scope == "category" else ""
    sku = policy.sku if policy.scope in {"sku", "sku_site"} else ""
    return policy.scope, site, category, sku


def record_key(record: Reference) -> bytes:
    """Return the state key of a reference record."""
    if isinstance(record, NetworkRecord):
        return key(REFERENCE, "network")
    if isinstance(record, SiteRecord):
        return key(REFERENCE, "site", record.site)
    if isinstance(record, LaneRecord):
        return key(REFERENCE, "lane", record.from_site, record.to_site)
    if isinstance(record, SupplierRecord):
        return key(REFERENCE, "supplier", record.supplier)
    if isinstance(record, PromotionRecord):
        return key(REFERENCE, "promotion", record.promotion)
    return key(REFERENCE, "policy", *policy_key(record))


def _say(said: dict[str, object], policy: PolicyRecord) -> None:
    for field in _FIELDS:
        value = getattr(policy, field)
        if value is not None:
            said[field] = value


def _set(index: dict[KeyT, RecordT], name: KeyT, record: RecordT, *, removed: bool) -> None:
    if removed:
        index.pop(name, None)
    else:
        index[name] = record
