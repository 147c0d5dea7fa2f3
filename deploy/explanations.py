"""Why a threshold, a breach, a transfer or a request is as it is: its own numbers, in words. Pure.

Every decision stands in `shelfstream.events` with the numbers it was taken from; nothing is looked
up elsewhere, so what is told is what held then.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import sqrt
from typing import Any, Final

from deploy.promotion_words import for_promotion, promotion_lines
from deploy.utc import utc
from deploy.wording import counted
from ingest.contracts.durations import DAY_MS
from streams.contracts.blindness import BlindIntervalChanged
from streams.contracts.counts import CountLineChanged, CountSessionChanged
from streams.contracts.events import (
    BreachCleared,
    BreachOpened,
    NeedChanged,
    PurchaseChanged,
    StreamEvent,
    ThresholdChanged,
    ThresholdInputs,
    TransferChanged,
)
from streams.contracts.lots import LotHeld
from streams.contracts.orders import OrderChanged, OrderLineChanged
from streams.contracts.witnesses import WITNESS_KINDS, WitnessGapChanged
from streams.domain.arithmetic import MILLI
from streams.domain.thresholds import Thresholds, compute

_CAPS: Final = (
    ("reorder_units_max", "cap"),
    ("capacity_units", "room on the shelf"),
    ("sellable_units", "sold before it spoils"),
)


def named_events(events: Iterable[StreamEvent], entity_id: str) -> list[StreamEvent]:
    """Return the events of one entity, in order."""
    return [event for event in events if entity_of(event) == entity_id]


def entity_of(event: StreamEvent) -> str:
    """Return the id of what an event is about; empty where it decides nothing."""
    named = _ENTITIES.get(type(event))
    return named(event) if named is not None else ""


_ENTITIES: Final[dict[type, Callable[[Any], str]]] = {
    BreachOpened: lambda event: event.breach_id,
    BreachCleared: lambda event: event.breach_id,
    ThresholdChanged: lambda event: event.threshold_id,
    TransferChanged: lambda event: event.transfer.transfer_id,
    NeedChanged: lambda event: event.need.need_id,
    CountLineChanged: lambda event: event.session_id,
    CountSessionChanged: lambda event: event.session_id,
    PurchaseChanged: lambda event: event.order.order_id,
    OrderChanged: lambda event: f"order-{event.order.order_id}",
    OrderLineChanged: lambda event: f"order-{event.order_id}",
    LotHeld: lambda event: event.hold_id,
    WitnessGapChanged: lambda event: event.gap_id,
    BlindIntervalChanged: lambda event: event.blind_id,
}


def threshold_behind(events: Sequence[StreamEvent]) -> str:
    """Return the id of the computed threshold that a breach went by; empty for a policy's own."""
    for event in events:
        if isinstance(event, BreachOpened) and event.decided_from.get("threshold_number"):
            return f"threshold-{event.sku}-{event.decided_from['threshold_number']}"
    return ""


def explained(events: Sequence[StreamEvent]) -> list[str]:
    """Return the lines that explain an entity, from its own events in order."""
    lines: list[str] = []
    for event in events:
        match event:
            case ThresholdChanged():
                lines += _threshold(event)
            case BreachOpened():
                lines += _breach(event)
            case BreachCleared():
                lines.append(_cleared(event))
            case TransferChanged():
                transfer = event.transfer
                way = f"{transfer.sku} from {transfer.from_site} to {transfer.to_site}"
                lines += _decision(
                    f"{transfer.transfer_id}: {transfer.quantity_units} of {way}"
                    + for_promotion(transfer.promotion, transfer.decided_from),
                    f"{utc(event.at_ms)} {transfer.state}, by {event.cause}",
                    {} if lines else transfer.decided_from,
                    told=bool(lines),
                )
            case NeedChanged():
                need = event.need
                lines += _decision(
                    f"{need.need_id}: {need.sku} for {need.site}"
                    f" from {need.from_site or 'the supplier'}"
                    + for_promotion(need.promotion, need.decided_from),
                    f"{utc(event.at_ms)} {need.state}, {need.received_units} of"
                    f" {need.quantity_units} received",
                    need.decided_from,
                    told=bool(lines),
                )
            case CountSessionChanged():
                lines_now = ", ".join(f"{number} {one}" for one, number in event.lines.items())
                by = event.actor or "time"
                lines.append(f"{utc(event.at_ms)} {event.state}, by {by}: {lines_now}")
            case CountLineChanged():
                lines += _count_line(event)
            case PurchaseChanged():
                order = event.order
                lines += _decision(
                    f"{order.order_id}: of {order.supplier}, {counted(len(order.lines), 'line')}",
                    f"{utc(event.at_ms)} {order.state}, by {event.cause}"
                    + "".join(f", {flag}" for flag in order.flags),
                    order.decided_from,
                    told=bool(lines),
                )
            case _:
                lines += _held(event)
    return lines


def _count_line(event: CountLineChanged) -> list[str]:
    why = f": {event.reason}" if event.reason else ""
    return _decision(
        "",
        f"{utc(event.at_ms)} {event.sku} {event.state}, by {event.actor or 'nobody'}{why}",
        event.decided_from if event.state in {"counted", "waiting"} else {},
        told=True,
    )


def _cleared(event: BreachCleared) -> str:
    if event.kind in WITNESS_KINDS:
        return f"cleared {utc(event.at_ms)}: it is so no longer"
    if event.kind == "order_outlier":
        return f"cleared {utc(event.at_ms)}: the line was accepted, or has ended"
    if event.kind == "near_expiry":
        return f"cleared {utc(event.at_ms)}: what neared its expiry is gone"
    if event.kind == "promotion_shortage":
        return (
            f"cleared {utc(event.at_ms)}: available {event.available_units}, needed"
            f" {event.threshold_units}" + ("" if event.threshold_units else ": no promotion asks")
        )
    return (
        f"cleared {utc(event.at_ms)}: available {event.available_units}, threshold"
        f" {event.threshold_units} and the hysteresis reached again"
    )


def _held(event: StreamEvent) -> list[str]:
    if isinstance(event, WitnessGapChanged):
        return _decision(
            "",
            f"{utc(event.at_ms)} {event.state}: the shelf of {event.sku} at {event.site} less its"
            f" book {event.gap_units}, since {utc(event.since_ms)}; perhaps {event.cause}",
            event.decided_from,
            told=True,
        )
    if isinstance(event, BlindIntervalChanged):
        seen = "unseen" if event.state == "open" else "seen again"
        of = f" ({', '.join(event.channels)})" if event.channels else ""
        since = f"unseen since {utc(event.since_ms)}, {event.cause}"
        return [f"{utc(event.at_ms)} {event.sku} at {event.site} {seen}{of}: {since}"]
    if not isinstance(event, LotHeld):
        return []
    done = "let go" if event.quantity_units < 0 else "held back"
    what = f"lot {event.lot}" if event.lot else "units of any lot"
    by = f", by {event.actor}" if event.actor else ""
    why = f": {event.reason}" if event.reason else ""
    return [
        (
            f"{event.hold_id}: {abs(event.quantity_units)} of {event.sku} at {event.site}"
            f" {done} ({what})"
        ),
        f"{utc(event.at_ms)} {event.cause}, command {event.command_id}{by}{why}",
        (
            f"{event.quarantined_units} of it are quarantined now; {event.unknown_units} on hand"
            " are of no known lot"
        ),
    ]


def _decision(head: str, what: str, numbers: Mapping[str, int], *, told: bool) -> list[str]:
    decided = ", ".join(f"{name} {value}" for name, value in numbers.items())
    lines = [what] if told else [head, what]
    return [*lines, f"  decided from: {decided}"] if decided else lines


def _near_expiry(event: BreachOpened) -> list[str]:
    numbers = event.decided_from
    lines = [
        f"{event.breach_id}: near_expiry of {event.sku} at {event.site}",
        (
            f"opened {utc(event.at_ms)}: {counted(numbers['near_units'], 'unit')} within"
            f" {_span(numbers['near_expiry_ms'])} of their expiry, {numbers['expired_units']}"
            f" past it; {numbers['on_hand_units']} on hand, {numbers['unknown_units']} of them of"
            f" no known lot; catalogue load {numbers['reference_version']}"
        ),
    ]
    if "expires_in_minutes" in numbers:
        lines.append(f"the next lot expires in {_span(numbers['expires_in_minutes'] * 60_000)}")
    return lines


def _order_outlier(event: BreachOpened) -> list[str]:
    return _decision(
        f"{event.breach_id}: {event.kind} of {event.sku} at {event.site}",
        f"opened {utc(event.at_ms)} by order line {event.cause}, which asks for"
        f" {event.decided_from['quantity_units']}; up to {event.threshold_units} is usual",
        event.decided_from,
        told=False,
    )


def _breach(event: BreachOpened) -> list[str]:
    numbers = event.decided_from
    if event.kind == "near_expiry":
        return _near_expiry(event)
    if event.kind == "order_outlier":
        return _order_outlier(event)
    if event.kind in WITNESS_KINDS:
        return _decision(
            f"{event.breach_id}: {event.kind} of {event.sku} at {event.site}",
            f"opened {utc(event.at_ms)}, so since {utc(event.since_ms)}, threshold"
            f" {event.threshold_units}",
            numbers,
            told=False,
        )
    held = sum(numbers[f"{name}_units"] for name in ("reserved", "quarantined", "buffer"))
    leading = event.available_units + held
    shelf, behind = numbers.get("shelf_units"), numbers.get("backroom_units")
    witness = "the book" if leading == numbers["on_hand_units"] else "the shelf"
    number = numbers.get("threshold_number", 0)
    origin = f"computed: threshold-{event.sku}-{number}" if number else "the policy's"
    if event.promotion:
        origin = f"what the promotion {event.promotion} needs"
    relation = "above" if event.kind == "overstock" else "below"
    hysteresis = "" if event.promotion else f", hysteresis {numbers['hysteresis_units']}"
    lines = [
        f"{event.breach_id}: {event.kind} of {event.sku} at {event.site}",
        (
            f"opened {utc(event.at_ms)}, {relation} the threshold since {utc(event.since_ms)};"
            f" the dwell is {_span(numbers['dwell_ms'])}"
        ),
        f"on hand by {witness}: {leading} (book {numbers['on_hand_units']}"
        + (f", shelf {shelf}" if shelf is not None else ", shelf not seen")
        + (f", backroom {behind})" if behind is not None else ")"),
        (
            f"available = {leading} - reserved {numbers['reserved_units']} - quarantined"
            f" {numbers['quarantined_units']} - buffer {numbers['buffer_units']}"
            f" = {event.available_units}"
        ),
        (
            f"position = {event.available_units} + in transit {numbers['in_transit_in_units']}"
            f" + on order {numbers['on_order_units']}{_owed(numbers)} = {event.position_units}"
        ),
        (
            f"threshold {event.threshold_units} ({origin}){hysteresis}"
            f", catalogue load {numbers.get('reference_version', 0)}"
        ),
    ]
    if "flap_opens_max" in numbers:
        lines.append(
            f"flapping: its openings within {_span(numbers['flap_window_ms'])} were more than"
            f" {numbers['flap_opens_max']}, so it is held open until it has stayed clear for so"
            " long"
        )
    if "stockout_in_minutes" in numbers:
        minutes = numbers["stockout_in_minutes"]
        lines.append(
            f"stockout foreseen in {_span(minutes * 60_000)}: {event.available_units} at"
            f" {_milli(numbers['demand_milli_day'])} a day"
        )
    return [*lines, *promotion_lines(event)]


def _trend(trend_milli_day: int) -> str:
    return f", rising by {_milli(trend_milli_day)} a day, damped" if trend_milli_day else ""


def _threshold(event: ThresholdChanged) -> list[str]:
    inputs = event.inputs
    found = compute(inputs)
    same = (found.reorder_units, found.order_up_to_units) == (
        event.reorder_units,
        event.order_up_to_units,
    )
    lines = [
        (
            f"{event.threshold_id}: {event.sku} at {event.site}, {utc(event.at_ms)}, by the"
            f" {event.cause} review, catalogue load {event.reference_version}"
        ),
        (
            f"minimum {event.reorder_units_before} -> {event.reorder_units}, maximum"
            f" {event.order_up_to_units_before} -> {event.order_up_to_units}; a stockout is"
            f" foreseen below {event.lead_demand_units} ({_span(inputs.stockout_horizon_ms)} ahead)"
        ),
        (
            f"demand {_milli(inputs.mean_milli_day)} a day, deviation"
            f" {sqrt(inputs.variance_milli_day / MILLI):.3f} ({inputs.demand_class};"
            f" {counted(inputs.days, 'day')} learned,"
            f" {inputs.censored_days} out of stock or unseen)"
            f"{_trend(inputs.trend_milli_day)}"
        ),
        (
            f"lead time {_span(inputs.lead_time_ms)}, deviation {_span(inputs.lead_time_sd_ms)},"
            f" measured {counted(inputs.lead_times_measured, 'time')};"
            f" review {_span(inputs.review_period_ms)}"
        ),
        (
            f"demand over both {_milli(inputs.demand_milli)}, of it by promotions"
            f" {_milli(inputs.promoted_milli)}; deviation = {_deviation(inputs)}"
            f" = {_milli(found.demand_sd_milli)}"
        ),
        *_minimum(event, found),
        (
            f"lot: {_milli(inputs.cycle_demand_milli)} in {_span(inputs.order_cycle_ms)}, in packs"
            f" of {inputs.pack_units}: {found.lot_units}; maximum {event.reorder_units} +"
            f" {found.lot_units}{_limits(event, ('capacity_units', 'sellable_units'))}"
            f" = {event.order_up_to_units}"
        ),
        (
            f"at this minimum: service level {_percent(found.service_level_permille)}, fill rate"
            f" {_percent(found.fill_rate_permille)}"
        ),
    ]
    if event.frozen:
        lines.append("it stays so: following such demand does not pay with such a lead time")
    differs = f"differently: {found.reorder_units} and {found.order_up_to_units}"
    lines.append("computed again from these inputs: " + ("the same" if same else differs))
    return lines


def _minimum(event: ThresholdChanged, found: Thresholds) -> list[str]:
    inputs = event.inputs
    aim = f"service level {_percent(inputs.service_level_permille)}"
    if inputs.shortage_cost_minor and inputs.leftover_cost_minor:
        costs = f"{inputs.shortage_cost_minor} / ({inputs.shortage_cost_minor}"
        aim += f" = {costs} + {inputs.leftover_cost_minor})"
    if found.fit == "fill_rate":
        aim = f"fill rate {_percent(inputs.fill_rate_permille)}"
    limits = _limits(event, ("reorder_units_max", "capacity_units", "sellable_units"))
    formula = f"{_milli(inputs.demand_milli)} + {_milli(found.factor_milli)}"
    formula += f" * {_milli(found.demand_sd_milli)}"
    if found.fit in {"poisson", "negative_binomial"}:
        formula = f"P(demand <= minimum) >= {_milli(inputs.service_level_permille)}"
    return [
        (
            f"minimum for a {aim} ({found.fit.replace('_', ' ')}): {formula}, floor"
            f" {inputs.reorder_units_min}{limits}: {event.reorder_units}"
        )
    ]


def _deviation(inputs: ThresholdInputs) -> str:
    days = (inputs.lead_time_ms + inputs.review_period_ms) / DAY_MS
    mean_day = inputs.demand_milli / MILLI / days if days else 0.0
    spread_days = inputs.lead_time_sd_ms / DAY_MS
    return (
        f"sqrt({days:.4g} * {inputs.variance_milli_day / MILLI:.6g}"
        f" + {mean_day:.6g}^2 * {spread_days:.4g}^2)"
    )


def _limits(event: ThresholdChanged, names: tuple[str, ...]) -> str:
    found = [(word, getattr(event.inputs, name)) for name, word in _CAPS if name in names]
    return "".join(f", {word} {value}" for word, value in found if value >= 0)


def _span(span_ms: int) -> str:
    for unit, unit_ms in (("d", DAY_MS), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        if span_ms >= unit_ms:
            return f"{span_ms / unit_ms:.4g} {unit}"
    return f"{span_ms} ms"


def _owed(numbers: dict[str, int]) -> str:
    """Return what lowers a position, where anything does."""
    planned, owed = numbers.get("in_transit_out_units", 0), numbers.get("backordered_units", 0)
    told = f" - planned to leave {planned}" if planned else ""
    return told + (f" - back-ordered {owed}" if owed else "")


def _milli(milli: int) -> str:
    return f"{milli / MILLI:.10g}"


def _percent(permille: int) -> str:
    return f"{permille / 10:g} %"
