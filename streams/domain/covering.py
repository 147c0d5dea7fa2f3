"""What a site owes others is ordered for them, where no shortage of its own asks already.

A request of a site that its parent can't serve lowers the parent's position. Once that is below the
minimum the parent asks for more in turn: nobody has to be out of stock first.
"""

from streams.contracts.state import Level
from streams.domain import needs
from streams.domain.arithmetic import round_up
from streams.domain.catalogue import Rules
from streams.domain.kanban import refused_units
from streams.domain.positions import position_numbers, position_units, wanted_units
from streams.domain.store import Store
from streams.domain.thresholds import usual


def cover(store: Store, level: Level, rules: Rules) -> None:
    """Ask for what lifts the position of a site that owes units to its order-up-to level."""
    rules = usual(rules)
    if rules.autonomy == "observe" or rules.replenishment == "kanban":
        return
    if any(breach.kind != "overstock" for breach in level.breaches):
        return  # the answer to that asks for it
    position = position_units(level, rules)
    need_units = 0
    if rules.min_units is None:  # nothing is kept there: what is owed alone
        need_units = round_up(max(0, -position), rules.multiple_units)
    elif position < rules.shortage_units:
        need_units = wanted_units(position, rules)
    asked_units = need_units - refused_units(store, level, need_units)
    if asked_units > 0:
        numbers = {
            **position_numbers(level, rules),
            "multiple_units": rules.multiple_units,
            "need_units": need_units,
        }
        if rules.min_units is not None:
            numbers["min_units"] = rules.min_units
            numbers["order_up_to_units"] = rules.order_up_to_units
        if asked_units < need_units:
            numbers["refused_units"] = need_units - asked_units
        needs.request(store, level, asked_units, numbers)
