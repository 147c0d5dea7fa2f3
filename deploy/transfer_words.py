"""How much a transfer or a request is of: the formula with its recorded numbers. Pure."""

from collections.abc import Mapping

from deploy.decision_words import again, milli, owed_words, span
from streams.contracts.state import Need, Transfer
from streams.domain.arithmetic import round_down, round_up
from streams.domain.catalogue import Rules
from streams.domain.positions import wanted_units
from streams.domain.supply import order_units
from streams.domain.worth import lasting_units

ANSWER = "an answer to a shortage"
ON_REQUEST = "sent on for a request"
ORDERED = "ordered by a person"
AD_HOC = "made by a scan: nobody had decided it"


def kind_of(transfer: Transfer) -> str:
    """Return in words what a transfer was made by."""
    numbers = transfer.decided_from
    if "donor_free_units" in numbers:
        return ORDERED
    if "position_units" in numbers:
        return ANSWER
    return ON_REQUEST if numbers else AD_HOC


def transfer_formula(transfer: Transfer) -> list[str]:
    """Return how the quantity of a transfer, as it was first told, follows from its numbers."""
    numbers, units = transfer.decided_from, transfer.quantity_units
    kind = kind_of(transfer)
    if kind == AD_HOC:
        return []
    if kind == ORDERED:
        free, kept = numbers["donor_free_units"], numbers["donor_kept_units"]
        within = "is" if units <= free else "is not"
        return [
            (
                f"  a person asked for {units}, which {within} within the {free} that are free;"
                f" {free - units} are left, and the donor keeps {kept} of its own accord"
            )
        ]
    lines = [] if kind == ON_REQUEST else [_short(numbers)]
    lines += _surplus(transfer)
    lines += [] if kind == ON_REQUEST else [*_share(numbers), *_worth(numbers)]
    if "multiple_units" in numbers and "donor_surplus_units" in numbers:
        lines.append(_quantity(transfer))
    if "day_units" in numbers:
        lines.append(
            f"  judged by the limits of autonomy: {units} units of value {numbers['value_minor']};"
            f" of that day before it {numbers['day_units']} units of value"
            f" {numbers['day_value_minor']}"
        )
    return lines


def given_units(numbers: Mapping[str, int]) -> int:
    """Return what an answer's donor gives, by the numbers of its transfer."""
    multiple_units = numbers["multiple_units"]
    missing_units = numbers.get("missing_units", numbers["need_units"])
    units = round_down(min(numbers["donor_surplus_units"], missing_units), multiple_units)
    units = min(units, numbers.get("share_units", units))
    demand = numbers.get("demand_milli_day", 0)
    donor_demand = numbers.get("donor_demand_milli_day", 0)
    if demand and donor_demand:
        had_units = numbers["position_units"] + numbers["need_units"] - missing_units
        had_units -= _promoted(numbers) or 0
        left_units = numbers["donor_available_units"] - numbers["donor_planned_units"]
        most_units = lasting_units(left_units, donor_demand, had_units, demand)
        units = min(units, round_down(most_units, multiple_units))
    return units


def sent_units(numbers: Mapping[str, int]) -> int:
    """Return what is sent on for a request, by the numbers of its transfer."""
    whole_units = round_down(numbers["donor_surplus_units"], numbers["multiple_units"])
    return min(numbers["need_units"], whole_units)


def need_formula(need: Need, added_units: int) -> list[str]:
    """Return how what was just added to a request follows from its numbers."""
    numbers, lines = need.decided_from, []
    asked_units = 0
    if "signals" in numbers:
        asked_units = numbers["signals"] * numbers["pack_units"]
        lines.append(
            f"  kanban: of the maximum {numbers['max_units']} the position"
            f" {numbers['position_units']} lacks packs of {numbers['pack_units']}:"
            f" {numbers['signals']} signals = {asked_units}"
        )
    elif "rest_units" in numbers:
        asked_units = numbers["rest_units"]
        given = numbers["need_units"] - asked_units
        lines += [_short(numbers), f"  donors give {given} of it, the rest is {asked_units}"]
    elif "need_units" in numbers:  # a site that owes others more than it has coming
        refused_units = numbers.get("refused_units", 0)
        asked_units = numbers["need_units"] - refused_units
        lines.append(_short(numbers) if "order_up_to_units" in numbers else _owed_alone(numbers))
        lines += [f"  a person refused {refused_units} of it"] if refused_units else []
    lines += _source(need)
    if not asked_units:
        return lines
    found = order_units(numbers, asked_units)
    how = ""
    if "order_multiple_units" in numbers:
        how = (
            f" with {numbers['waiting_units']} that wait already, at least"
            f" {numbers['order_units_min']}, in multiples of {numbers['order_multiple_units']}"
        )
    lines.append(f"  asked for {asked_units}{how}: {added_units}; {again(found, added_units)}")
    return lines


def _source(need: Need) -> list[str]:
    numbers = need.decided_from
    if "parent_cost_minor" not in numbers:
        return []
    out = ""
    if "runs_out_in_ms" in numbers:
        out = f", stock lasts {span(max(0, numbers['runs_out_in_ms']))}"
    return [
        (
            f"  the cheapest that comes in time: the parent costs {numbers['parent_cost_minor']},"
            f" takes {span(numbers['parent_lead_time_ms'])}, the supplier"
            f" {numbers['supplier_cost_minor']} and {span(numbers['supplier_lead_time_ms'])}"
            f"{out}: {need.from_site or need.supplier}"
        )
    ]


def _short(numbers: Mapping[str, int]) -> str:
    position, up_to = numbers["position_units"], numbers["order_up_to_units"]
    rules = Rules(
        min_units=numbers["min_units"],
        max_units=up_to,
        multiple_units=numbers["multiple_units"],
        promoted_units=_promoted(numbers),
    )
    return (
        f"  short: position {position} = available {numbers['available_units']} + in transit"
        f" {numbers['in_transit_in_units']} + on order {numbers['on_order_units']}"
        f"{owed_words(numbers)}, below"
        f" {rules.shortage_units}; up to {up_to} in packs of {numbers['multiple_units']}:"
        f" {numbers['need_units']}; {again(wanted_units(position, rules), numbers['need_units'])}"
    )


def _owed_alone(numbers: Mapping[str, int]) -> str:
    position, multiple = numbers["position_units"], numbers["multiple_units"]
    found = round_up(max(0, -position), multiple)
    return (
        f"  nothing is kept there: what is owed beyond the stock, {-position}, in packs of"
        f" {multiple}: {numbers['need_units']}; {again(found, numbers['need_units'])}"
    )


def _promoted(numbers: Mapping[str, int]) -> int | None:
    """Return what a promotion needs, where it asks for more than the minimum."""
    units = numbers.get("promoted_units")
    return units if units is not None and units > numbers["min_units"] else None


def _surplus(transfer: Transfer) -> list[str]:
    numbers = transfer.decided_from
    available, planned = numbers["donor_available_units"], numbers["donor_planned_units"]
    spoiling = numbers.get("donor_spoiling_units", 0)
    kept = max(numbers["donor_kept_units"], spoiling)
    surplus = numbers.get("donor_surplus_units", available - planned - kept)
    why = f" ({spoiling} would spoil)" if spoiling else ""
    line = (
        f"  donor {transfer.from_site}: surplus {surplus} = available {available} - planned"
        f" {planned} - kept {kept}{why}"
    )
    if "cross_dock" in transfer.flags and surplus < available - planned - kept:
        line += ", no more than has just come"
    return [line]


def _share(numbers: Mapping[str, int]) -> list[str]:
    if "share_units" not in numbers:
        return []
    return [
        (
            f"  shared by {numbers['share_recipients']} so that all last"
            f" {milli(numbers['share_milli_days'])} days: {numbers['share_units']}"
        )
    ]


def _worth(numbers: Mapping[str, int]) -> list[str]:
    if "normal_supply_ms" not in numbers:
        return []
    return [
        (
            f"  worth: {numbers['avoided_units']} units short avoided, cost"
            f" {numbers['avoided_cost_minor']}, above the transfer's"
            f" {numbers['transfer_cost_minor']}; it takes {span(numbers['lane_lead_time_ms'])},"
            f" normal supply {span(numbers['normal_supply_ms'])}; demand a day here"
            f" {milli(numbers['demand_milli_day'])}, there"
            f" {milli(numbers['donor_demand_milli_day'])}"
        )
    ]


def _quantity(transfer: Transfer) -> str:
    numbers = transfer.decided_from
    on_request = kind_of(transfer) == ON_REQUEST
    found = sent_units(numbers) if on_request else given_units(numbers)
    parts = [f"surplus {numbers['donor_surplus_units']}"]
    parts.append(f"missing {numbers.get('missing_units', numbers['need_units'])}")
    if "share_units" in numbers:
        parts.append(f"share {numbers['share_units']}")
    if numbers.get("donor_demand_milli_day") and numbers.get("demand_milli_day"):
        parts.append("what lasts the donor as long as it lasts here")
    return (
        f"  quantity: the least of {', '.join(parts)}, in packs of {numbers['multiple_units']}:"
        f" {transfer.quantity_units}; {again(found, transfer.quantity_units)}"
    )
