"""The answer to a shortage: transfers from donors with surplus, and a request for the rest.

What is in transit or on order counts first, so the same shortage is never answered twice.
"""

from streams.contracts.state import Breach, Level
from streams.domain import needs, promotions, transfers
from streams.domain.autonomy import take_automatic
from streams.domain.catalogue import Rules
from streams.domain.donors import Donation, choose
from streams.domain.positions import position_numbers, position_units, wanted_units
from streams.domain.store import Store


def answer(store: Store, level: Level, rules: Rules, breach: Breach) -> None:
    """Answer an open shortage whose position is below the minimum, or what a promotion needs."""
    position = position_units(level, rules)
    if rules.autonomy == "observe" or position >= rules.shortage_units:
        return
    need_units = wanted_units(position, rules)
    decided = {
        **position_numbers(level, rules),
        "min_units": rules.min_units or 0,
        "order_up_to_units": rules.order_up_to_units,
        "multiple_units": rules.multiple_units,
        "need_units": need_units,
        **(promotions.numbers(store, level) if rules.promotion else {}),
    }
    rest_units = need_units
    refused = breach.refused_sites
    for donation in choose(store, level, rules, need_units, refused):
        _transfer(store, level, rules, breach=breach, donation=donation, decided=decided)
        rest_units -= donation.quantity_units
    if rest_units > 0 and "" not in refused:
        asked = {**decided, "rest_units": rest_units}
        needs.request(
            store,
            level,
            rest_units,
            asked,
            promotion=rules.promotion,
            need_by_ms=rules.promotion_begins_ms,
        )


def _transfer(
    store: Store,
    level: Level,
    rules: Rules,
    *,
    breach: Breach,
    donation: Donation,
    decided: dict[str, int],
) -> None:
    offer, lane = donation.offer, donation.offer.lane
    quantity_units = donation.quantity_units
    approved, limits = take_automatic(store, level.sku, level.site, rules, quantity_units)
    transfer = transfers.make(
        store,
        level.sku,
        lane.from_site,
        level.site,
        quantity_units=quantity_units,
        state="approved" if approved else "proposed",
    )
    transfer.breach_id = breach.breach_id
    transfer.promotion = rules.promotion
    transfer.deadline_ms = transfers.proposal_deadline_ms(store, transfer)
    transfer.decided_from = {
        **decided,
        "donor_available_units": offer.available_units,
        "donor_planned_units": offer.planned_units,
        "donor_kept_units": offer.kept_units,
        "donor_surplus_units": offer.surplus_units,
        **({"donor_spoiling_units": offer.spoiling_units} if offer.spoiling_units else {}),
        "lane_cost_minor": lane.cost_minor,
        "lane_lead_time_ms": lane.lead_time_ms,
        **donation.decided_from,
        **limits,
    }
    transfers.settle(store, transfer, transfers.NOTHING, breach.breach_id)
