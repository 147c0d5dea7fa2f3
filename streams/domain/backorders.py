"""Back-orders: what a site is asked for and can't serve yet lowers its position.

They are what open requests of other sites still miss, and what order lines that wait still lack
(Silver, Pyke and Thomas, Inventory and Production Management in Supply Chains, 5.3.1: position is
on hand and on order, less back-orders and what is committed). Once a transfer is planned for a
request, or units are reserved for a line, these lower the position in its place.
"""

from streams.contracts.state import Level, Need
from streams.domain.store import Store


def owe(store: Store, level: Level, units: int) -> None:
    """Let a level owe so many units more, or fewer."""
    if not units:
        return
    level.backordered_units += units
    if not level.backordered_units:
        _forget_refused(store, level)
    store.touch_level(level)
    store.stir_level(level.sku, level.site)


def owe_request(store: Store, need: Need, units: int) -> None:
    """Let the site that a request was made of owe so many units more, or fewer.

    A site that has no level of the article owes it from when it has one (`Store.level`).
    """
    if need.owed:
        parent = store.levels.get((need.sku, need.from_site))
        if parent is not None:
            owe(store, parent, units)


def look_again(store: Store, level: Level) -> None:
    """Let a level that has got nothing look at the requests made of it."""
    if level.backordered_units:
        store.gained.setdefault((level.sku, level.site), 0)
        store.touch_level(level)


def gain(store: Store, level: Level, units: int) -> None:
    """Note that a level has more to give: requests made of it are looked at with this input."""
    if level.backordered_units and units > 0:
        place = level.sku, level.site
        store.gained[place] = store.gained.get(place, 0) + units
        store.touch_level(level)


def _forget_refused(store: Store, level: Level) -> None:
    if store.rules(level.sku, level.site).replenishment != "kanban":
        refused = store.book(level.sku).refused_units
        if refused.pop(level.site, 0):
            store.books.touch(level.sku)
