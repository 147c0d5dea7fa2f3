"""Kanban: one pack used is one signal, and each signal asks for one pack.

The maximum is what the cards stand for. It is no shortage that asks, so donors are not, and no
breach opens; thresholds stay what people are told by.
"""

from streams.contracts.state import Level
from streams.domain import needs
from streams.domain.arithmetic import round_down
from streams.domain.catalogue import Rules
from streams.domain.positions import position_units
from streams.domain.store import Store
from streams.domain.thresholds import usual


def signal(store: Store, level: Level, rules: Rules) -> None:
    """Ask for as many packs as have been used and are neither coming nor asked for."""
    rules = usual(rules)  # cards are not for promotions
    if rules.autonomy == "observe" or rules.max_units is None:
        return
    position = position_units(level, rules)
    used_units = max(0, round_down(rules.max_units - position, rules.multiple_units))
    asked_units = used_units - refused_units(store, level, used_units)
    if asked_units > 0:
        numbers = {
            "position_units": position,
            "max_units": rules.max_units,
            "pack_units": rules.multiple_units,
            "signals": asked_units // rules.multiple_units,
        }
        needs.request(store, level, asked_units, numbers)


def refused_units(store: Store, level: Level, used_units: int) -> int:
    """Return what is not to be asked for again; it ends as stock comes in some other way."""
    refused = store.book(level.sku).refused_units
    units = refused.get(level.site, 0)
    if units > used_units:
        units = used_units
        refused[level.site] = units
        if not units:
            del refused[level.site]
        store.books.touch(level.sku)
    return units
