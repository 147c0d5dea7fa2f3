"""Why a purchase order goes out, waits or collects on: its lines and terms in numbers. Pure."""

from collections.abc import Mapping

from deploy.decision_words import again
from deploy.utc import utc
from streams.contracts.purchases import PurchaseOrder
from streams.domain.purchasing import is_enough, is_within_day


def purchase_formula(order: PurchaseOrder) -> list[str]:
    """Return how the state an order has just come to follows from the numbers it was judged by."""
    numbers, lines = order.decided_from, line_lines(order)
    if "normal_supply_at_ms" in numbers:
        lines.append(
            f"  express: stock runs out {utc(numbers['runs_out_at_ms'])}, normal supply comes"
            f" {utc(numbers['normal_supply_at_ms'])}, an express order"
            f" {utc(numbers['express_supply_at_ms'])} for {numbers['expedite_cost_minor']} more"
        )
    if "units" in numbers:
        lines.append(_judged(order, numbers))
    return lines


def line_lines(order: PurchaseOrder) -> list[str]:
    """Return the lines of an order: which request, how much, whether a policy lets it go out."""
    return [
        f"  {need_id}: {line.quantity_units} of {line.sku} for {line.site}, {line.unit_cost_minor}"
        f" each; {'goes out by itself' if line.automatic else 'waits for a person'}"
        + (f" by catalogue load {line.reference_version}" if line.reference_version else "")
        for need_id, line in order.lines.items()
    ]


def judged_state(order: PurchaseOrder) -> str:
    """Return what becomes of an order by the numbers it was judged by."""
    numbers = order.decided_from
    if not is_enough(numbers) and not order.expedited:
        return "collecting"
    automatic = all(line.automatic for line in order.lines.values())
    return "ordered" if is_within_day(numbers) and automatic else "proposed"


def _judged(order: PurchaseOrder, numbers: Mapping[str, int]) -> str:
    units, value_minor = numbers["units"], numbers["value_minor"]
    return (
        f"  {units} units of value {value_minor}, at least {numbers['order_units_min']} and"
        f" {numbers['order_value_minor_min']}; of the day {numbers['day_units']} + {units}"
        f"{_most(numbers['units_day_max'])} units, value {numbers['day_value_minor']} +"
        f" {value_minor}{_most(numbers['value_minor_day_max'])}: {order.state};"
        f" {again(judged_state(order), order.state)}"
    )


def _most(most: int) -> str:
    return f" of at most {most}" if most else ""
