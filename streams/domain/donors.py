"""Who can give: surplus of the sites with a lane into the one that is short.

A donor keeps its hold-back, its own minimum and what its own promotion needs. It does not give
while it is short, expects a transfer itself or has just received one (no ping-pong), and is never
guessed at while blind.
"""

from typing import Final, NamedTuple

from ingest.contracts.supply import LaneRecord
from streams.contracts.state import Level
from streams.domain import promotions, shelf_life
from streams.domain.arithmetic import round_down
from streams.domain.catalogue import Rules
from streams.domain.positions import position_units
from streams.domain.recipients import shared
from streams.domain.sensing import available_units, is_unknown
from streams.domain.store import Store
from streams.domain.worth import judge

DONORS_CONSIDERED_MAX: Final = 32
"""Lanes looked at for one answer, the cheapest ones."""
DONORS_CHOSEN_MAX: Final = 4
"""Donors that share one answer."""


class Offer(NamedTuple):
    """What one donor can give, and the numbers that say so; all units."""

    lane: LaneRecord
    surplus_units: int
    available_units: int
    planned_units: int
    kept_units: int
    spoiling_units: int
    """Available, but they would expire before they can be sold there."""


class Donation(NamedTuple):
    """What one donor is asked for."""

    offer: Offer
    quantity_units: int
    decided_from: dict[str, int]
    """Numbers beside those of the offer: what donors before it left missing, of a share, of what it
    is worth."""


def choose(
    store: Store, level: Level, rules: Rules, need_units: int, refused_sites: list[str]
) -> list[Donation]:
    """Return who gives how much of `need_units`; less in all where there is not enough.

    Best first: covers all that is missing, then lane cost, lead time and site id. Of a surplus that
    others need too a site gets its fair share.
    """
    offers: list[Offer] = []
    for lane in store.catalogue.lanes_into(level.site)[:DONORS_CONSIDERED_MAX]:
        if lane.from_site not in refused_sites and lane.from_site != level.site:
            offer = _offer(store, level, rules, lane)
            if offer is not None:
                offers.append(offer)
    donations: list[Donation] = []
    given_units = 0
    while offers and need_units > given_units and len(donations) < DONORS_CHOSEN_MAX:
        missing_units = need_units - given_units
        best = min(offers, key=lambda offer: _rank(offer, missing_units))
        offers.remove(best)
        wanted_units = round_down(min(best.surplus_units, missing_units), rules.multiple_units)
        share = shared(store, level, rules, best.lane.from_site, best.surplus_units)
        numbers = {"missing_units": missing_units} if given_units else {}
        if share is not None:
            numbers |= share.decided_from
            wanted_units = min(wanted_units, share.quantity_units)
        if rules.transfer_rule == "worth" and wanted_units:
            worth = judge(
                store,
                level,
                rules,
                best.lane,
                position_units=position_units(level, rules) + given_units,
                donor_units=best.available_units - best.planned_units,
                quantity_units=wanted_units,
            )
            wanted_units = worth.quantity_units
            numbers = {**numbers, **worth.decided_from}
        if wanted_units >= max(1, best.lane.quantity_units_min):
            donations.append(Donation(best, wanted_units, numbers))
            given_units += wanted_units
    return donations


def _rank(offer: Offer, need_units: int) -> tuple[bool, int, int, str]:
    lane = offer.lane
    short = offer.surplus_units < need_units
    return short, lane.cost_minor, lane.lead_time_ms, lane.from_site


def _offer(store: Store, level: Level, wanting: Rules, lane: LaneRecord) -> Offer | None:
    sku = level.sku
    donor = store.levels.get((sku, lane.from_site))
    if donor is None or _is_short(donor) or donor.in_transit_in_units > 0:
        return None
    if is_cooling(store, donor, lane):
        return None
    rules = store.rules(sku, lane.from_site)
    if is_unknown(donor, rules):
        return None
    available = available_units(donor, rules)
    planned = donor.in_transit_out_units
    spoiling = 0
    if rules.lot_tracking == "lots":
        spoiling = shelf_life.spoiling_units(store, donor, level, store.now_ms + lane.lead_time_ms)
    # What it keeps sells first, so what is soon to expire is kept before anything else is.
    kept = rules.kept_units
    if wanting.promoted_units is not None:
        by_ms = wanting.promotion_begins_ms
        kept = max(kept, promotions.own_units(store, sku, lane.from_site, by_ms))
    surplus = available - planned - max(kept, spoiling)
    if surplus <= 0:
        return None
    return Offer(lane, surplus, available, planned, kept, spoiling)


def is_cooling(store: Store, donor: Level, lane: LaneRecord) -> bool:
    """Tell whether a transfer came so lately that nothing goes out by this lane yet."""
    arrived_at_ms = donor.last_received_at_ms
    return arrived_at_ms > 0 and store.now_ms - arrived_at_ms < lane.cooldown_ms


def _is_short(donor: Level) -> bool:
    return bool(donor.need_id) or any(breach.kind != "overstock" for breach in donor.breaches)
