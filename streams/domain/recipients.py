"""Who else needs a donor's surplus, and the share of it that a site gets."""

from typing import Final, NamedTuple

from streams.contracts.state import Level
from streams.domain.arithmetic import MILLI
from streams.domain.catalogue import Rules
from streams.domain.fair_share import equal_run_out, in_packs
from streams.domain.positions import position_units, wanted_units
from streams.domain.sensing import is_unknown
from streams.domain.store import Store
from streams.domain.supply import demand_milli_day

RECIPIENTS_CONSIDERED_MAX: Final = 64
"""Sites looked at for one share, by name."""


class Share(NamedTuple):
    """What a site gets of a scarce surplus, and the numbers that say so."""

    quantity_units: int
    decided_from: dict[str, int]


def shared(
    store: Store, level: Level, rules: Rules, donor_site: str, surplus_units: int
) -> Share | None:
    """Return the share of a site that is short; None where there is enough, or nobody else is.

    Sites compete that a lane from the donor reaches, whose position is below their minimum and
    whose demand is known; who has an answer already has it in his position.
    """
    demand = demand_milli_day(store, level, rules)
    if not demand:
        return None
    stocks = [max(0, position_units(level, rules))]
    demands = [demand]
    needed_units = wanted_units(position_units(level, rules), rules)
    for site in _reached(store, level, donor_site):
        other = store.levels.get((level.sku, site))
        other_rules = store.rules(level.sku, site)
        if other is None or other_rules.autonomy == "observe" or is_unknown(other, other_rules):
            continue
        position = position_units(other, other_rules)
        other_demand = demand_milli_day(store, other, other_rules)
        if position < other_rules.shortage_units and other_demand:
            stocks.append(max(0, position))
            demands.append(other_demand)
            needed_units += wanted_units(position, other_rules)
    if len(stocks) == 1 or needed_units <= surplus_units:
        return None
    shares = equal_run_out(surplus_units, stocks, demands)
    packs = in_packs(shares.units, surplus_units, rules.multiple_units)
    numbers = {
        "share_recipients": len(stocks),
        "share_milli_days": int(shares.days * MILLI),
        "share_units": packs[0],
    }
    return Share(packs[0], numbers)


def _reached(store: Store, level: Level, donor_site: str) -> list[str]:
    sites = [
        site
        for site in store.book(level.sku).sites
        if site not in {level.site, donor_site}
        and store.catalogue.lane(donor_site, site) is not None
    ]
    return sites[:RECIPIENTS_CONSIDERED_MAX]
