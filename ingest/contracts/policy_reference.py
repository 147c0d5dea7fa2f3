"""A policy as a catalogue file holds it; see `ingest.contracts.reference`."""

from typing import Annotated, Final

from pydantic import Field, model_validator

from ingest.contracts.counts import CountSensed
from ingest.contracts.demand import DemandTrend
from ingest.contracts.events import (
    QUANTITY_UNITS_MAX,
)
from ingest.contracts.fields import (
    DurationMs,
    Money,
    OptionalCode,
    ReferenceModel,
    Units,
)
from ingest.contracts.order_lines import OutlierOrders, ShortOrders
from ingest.contracts.policies import (
    Autonomy,
    LotTracking,
    NegativeStock,
    PolicyScope,
    SerialTwice,
    Thresholds,
    Witness,
)
from ingest.contracts.supply import Replenishment, SupplyFrom, TransferRule

SERIALS_MAX: Final = 4_096
FLAP_OPENS_MAX: Final = 16
"""A level keeps so many times of a kind of breach."""

POLICY_ORDERED: Final = (
    ("min_units", "max_units"),
    ("reorder_units_min", "reorder_units_max"),
    ("reorder_units_min", "capacity_units"),
)
"""Fields of a policy, floor and cap, of which the first may not be above the second."""


class Policy(ReferenceModel):
    """Rules of one scope; what is left out is inherited from the next wider one.

    Precedence, widest first: network, site, category, sku, sku_site.
    """

    scope: PolicyScope
    site: OptionalCode = ""
    category: OptionalCode = ""
    sku: OptionalCode = ""
    min_units: Units | None = None
    max_units: Units | None = None
    multiple_units: Annotated[int, Field(ge=1, le=QUANTITY_UNITS_MAX)] | None = None
    """Transfers and requests are of so many units or a multiple; said nowhere, the SKU's
    `pack_units`. 1 lets single units go."""
    hysteresis_units: Units | None = None
    dwell_ms: DurationMs | None = None
    autonomy: Autonomy | None = None
    auto_units_max: Units | None = None
    """With `auto_within_limits`, larger transfers wait for a person."""
    hold_back_units: Units | None = None
    """A donor never falls below this (nor below its own minimum)."""
    lead_witness: Witness | None = None
    negative_stock: NegativeStock | None = None
    """When more is to leave by a scan or a hand-over than the book has: `refuse` books nothing but
    a movement `refused`, `flag` says so in the movement, `allow` says nothing. A count says what is
    there, and is never refused. Said nowhere: `flag`."""
    blind_after_ms: DurationMs | None = None
    """A sensed count older than this is unknown, not zero."""
    proposal_ttl_ms: DurationMs | None = None
    transit_overdue_ms: DurationMs | None = None
    buffer_units: Units | None = None
    """Kept out of available stock until it is released."""
    thresholds: Thresholds | None = None
    """`computed`: minimum and maximum follow demand and lead time, once enough is learned; until
    then, and with `fixed`, `min_units` and `max_units` hold. Said nowhere: `fixed`."""
    service_level_permille: Annotated[int, Field(ge=500, le=999)] | None = None
    """Chance that an order cycle sees no stockout. Said nowhere: 950."""
    fill_rate_permille: Annotated[int, Field(ge=500, le=999)] | None = None
    """Share of demand to be served from the shelf; where it is said, it stands in for the service
    level."""
    shortage_cost_minor: Money | None = None
    """Cost of a unit that is missing when it is wanted (the margin lost). Together with
    `leftover_cost_minor` it makes the service level: the newsvendor's ratio."""
    leftover_cost_minor: Money | None = None
    """Cost of a unit that is left over (spoiled, marked down). 0 or said nowhere: not reckoned."""
    review_period_ms: DurationMs | None = None
    """How long a shortage may go unseen, beside the lead time. Said nowhere: a day."""
    order_cycle_ms: DurationMs | None = None
    """An order is for the demand of so long, at least a pack. Said nowhere: three days."""
    holding_cost_permille: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Yearly cost of holding stock per cost of stock; with the fixed cost of an order it makes
    orders larger where that is cheaper (EOQ). Said nowhere: not reckoned."""
    reorder_units_min: Units | None = None
    """Floor of the computed minimum."""
    reorder_units_max: Units | None = None
    """Cap of the computed minimum."""
    capacity_units: Units | None = None
    """Room on the shelf: the computed minimum and maximum stay within it."""
    stockout_horizon_ms: DurationMs | None = None
    """A stockout is foretold so long before it, also where thresholds are fixed. Said nowhere: the
    lead time and the dwell, where thresholds are computed."""
    count_tolerance_units: Units | None = None
    """A larger difference between count and book waits for approval; so do the next two, each by
    itself. Said nowhere: every difference is booked, and only an exact one is within tolerance."""
    count_tolerance_permille: Annotated[int, Field(ge=0, le=1_000)] | None = None
    """Of what the book expected."""
    count_tolerance_minor: Money | None = None
    """At moving-average cost."""
    count_sensed: CountSensed | None = None
    """What a count does with a shelf whose sensors agree with the book within the tolerance: `skip`
    it, or `prefill` what they see, except in a blind count. Said nowhere: `count`."""
    supply_from: SupplyFrom | None = None
    """Where a request goes: `parent` (the site's parent, or the supplier where it has none),
    `supplier` (straight to the site), `cheapest` of both that comes before stock runs out. Said
    nowhere: `parent`."""
    expedite: bool | None = None
    """An express order is allowed where stock runs out before normal supply. Said nowhere: no."""
    lot_tracking: LotTracking | None = None
    """`lots`: stock is told apart by lot and expiry (docs/lots.md). Said nowhere: `none`."""
    near_expiry_ms: DurationMs | None = None
    """So long before its expiry a lot that is still there raises a `near_expiry` breach. 0 or said
    nowhere: only expired stock does."""
    transfer_life_ms_min: DurationMs | None = None
    """Nothing is sent here that expires sooner after its arrival. Said nowhere: 0."""
    shelf_life_ms: DurationMs | None = None
    """How long goods keep once received: computed thresholds are for no more than is sold by then.
    0 or said nowhere: they keep."""
    replenishment: Replenishment | None = None
    """`kanban`: each pack used is asked for again at once, up to `max_units`. Said nowhere:
    `threshold`."""
    transfer_rule: TransferRule | None = None
    """`worth`: a transfer must cost less than the shortage it avoids, come before normal supply and
    leave the donor with no fewer days of supply than the recipient. Said nowhere: `always`."""
    handling_cost_minor: Money | None = None
    """Cost of handling one base unit of a transfer, beside the lane's."""
    cross_dock: bool | None = None
    """What comes in goes on to who requested it there, before put-away. Said nowhere: no."""
    auto_value_minor_max: Money | None = None
    """With `auto_within_limits`, transfers of more value wait for a person, too."""
    auto_units_day_max: Units | None = None
    """The same of the transfers of an article to a site in a UTC day, together."""
    auto_value_minor_day_max: Money | None = None
    """The same in money."""
    short_orders: ShortOrders | None = None
    """`reserve` a short order line all the same, let it `wait`, `refuse` it. Unsaid: `reserve`."""
    reserve_ahead_ms: DurationMs | None = None
    """So long before its date an order line takes stock. Said nowhere: 7 days."""
    serials_max: Annotated[int, Field(ge=0, le=SERIALS_MAX)] | None = None
    """Serial numbers remembered of an article at a site: so many that are there, so many that left.
    0 or said nowhere: none."""
    serial_twice: SerialTwice | None = None
    """An item that is received or leaves twice is told; `refuse`: and it moves no stock. Said
    nowhere: `flag`."""
    demand_trend: DemandTrend | None = None
    """Expected demand goes on rising or falling, ever less so (`damped`); `auto`: where
    that foresaw the last months better than an average did. Said nowhere: `none`."""
    witness_dwell_ms: DurationMs | None = None
    """Book and shelf are compared; what differs for so long is told (docs/witnesses.md)."""
    refill_below_units: Units | None = None
    """What is not on the shelf stands in a backroom: with less on it the floor refills it."""
    theft_drop_units: Units | None = None
    """A fall of the shelf by more, that no scan explains within `theft_window_ms`, is told."""
    theft_window_ms: DurationMs | None = None
    dead_stock_days: Annotated[int, Field(ge=0, le=3_660)] | None = None
    """Stock of which nothing was issued for so many days is told. 0 or said nowhere: never."""
    flap_opens_max: Annotated[int, Field(ge=0, le=FLAP_OPENS_MAX)] | None = None
    """A breach that opens more often within `flap_window_ms` flaps, and is held open until it has
    stayed clear for so long (docs/alerting.md). 0 or said nowhere: none is."""
    flap_window_ms: DurationMs | None = None
    order_outlier_deviations: Annotated[int, Field(ge=0, le=100)] | None = None
    """An order line so many deviations above what is usual is told. 0 or said nowhere: none is."""
    order_line_units_max: Units | None = None
    """And so is one of more units than this, whatever is usual. 0 or said nowhere: no limit."""
    outlier_orders: OutlierOrders | None = None
    """`hold`: such a line takes nothing until it is accepted. Said nowhere: `flag`."""
    promotion_lead_ms: DurationMs | None = None
    """What a promotion needs is to be there so long before it begins; it is looked for earlier by
    the lead time of supply (docs/demand.md). 0 or said nowhere: it is not foreseen."""

    @model_validator(mode="after")
    def _scope_names(self) -> "Policy":
        needed = set(self.scope.split("_")) - {"network"}
        given = {name for name in ("site", "category", "sku") if getattr(self, name)}
        if needed != given:
            names = " and ".join(sorted(needed)) or "nothing"
            raise ValueError(f"scope {self.scope} names {names}, but this names {sorted(given)}")
        for least_name, most_name in POLICY_ORDERED:
            least, most = getattr(self, least_name), getattr(self, most_name)
            if None not in (least, most) and least > most:
                raise ValueError(f"{least_name} {least} is above {most_name} {most}")
        return self
