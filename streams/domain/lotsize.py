"""How much is ordered at once: the demand of an order cycle, at least a pack, or Wilson's lot."""

from math import sqrt

from streams.domain.arithmetic import round_up
from streams.domain.safety import ceil_units


def eoq_units(order_cost: float, holding_cost: float, demand: float) -> float:
    """Return the economic order quantity `sqrt(2 * K * lambda / h)` (Harris, 1913).

    Args:
        order_cost: Fixed cost of an order.
        holding_cost: Cost of holding a unit for a time.
        demand: Units in that same time.
    """
    return sqrt(2 * order_cost * demand / holding_cost)


def lot_units(cycle_units: float, economic_units: float, multiple_units: int) -> int:
    """Return the lot: what a cycle sells, or Wilson's where it is larger, in whole packs."""
    wanted_units = ceil_units(max(cycle_units, economic_units))
    return round_up(max(wanted_units, multiple_units), multiple_units)
