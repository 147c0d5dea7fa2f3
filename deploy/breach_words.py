"""Why a breach was opened, and why it is over, in words. Pure."""

from deploy.decision_words import inputs_line, load_words, milli, owed_words, span
from deploy.promotion_words import promotion_lines
from deploy.utc import utc
from deploy.wording import counted
from streams.contracts.events import BreachCleared, BreachOpened
from streams.contracts.witnesses import WITNESS_KINDS


def cleared_lines(event: BreachCleared) -> list[str]:
    """Return the line that says why a breach is over."""
    return [_over(event) + load_words(event.reference_version)]


def _over(event: BreachCleared) -> str:
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


def _near_expiry(event: BreachOpened) -> list[str]:
    numbers = event.decided_from
    lines = [
        (
            f"opened {utc(event.at_ms)}: {counted(numbers['near_units'], 'unit')} within"
            f" {span(numbers['near_expiry_ms'])} of their expiry, {numbers['expired_units']}"
            f" past it; {numbers['on_hand_units']} on hand, {numbers['unknown_units']} of them of"
            f" no known lot; catalogue load {numbers['reference_version']}"
        ),
    ]
    if "expires_in_minutes" in numbers:
        lines.append(f"the next lot expires in {span(numbers['expires_in_minutes'] * 60_000)}")
    return lines


def _order_outlier(event: BreachOpened) -> list[str]:
    numbers = event.decided_from
    most = numbers["order_line_units_max"]
    how = f"the policy's maximum {most}" if most else "no maximum is set"
    if "usual_milli" in numbers:
        how = (
            f"usual {milli(numbers['usual_milli'])} + {numbers['order_outlier_deviations']} *"
            f" deviation {milli(numbers['deviation_milli'])}, of {numbers['lines_learned']}"
            f" lines; {how}"
        )
    return [
        f"opened {utc(event.at_ms)} by order line {event.cause}, which asks for"
        f" {numbers['quantity_units']}; up to {event.threshold_units} is usual"
        + load_words(numbers.get("reference_version", 0)),
        *inputs_line(numbers),
        f"  {how}: {event.threshold_units}",
    ]


def _witness(event: BreachOpened) -> list[str]:
    numbers = event.decided_from
    return [
        f"opened {utc(event.at_ms)}, so since {utc(event.since_ms)}, threshold"
        f" {event.threshold_units}" + load_words(numbers.get("reference_version", 0)),
        *inputs_line(numbers),
    ]


def opened_lines(event: BreachOpened) -> list[str]:
    """Return the lines that explain an open breach."""
    head = f"{event.breach_id}: {event.kind} of {event.sku} at {event.site}"
    if event.kind == "near_expiry":
        return [head, *_near_expiry(event)]
    if event.kind == "order_outlier":
        return [head, *_order_outlier(event)]
    return [head, *(_witness(event) if event.kind in WITNESS_KINDS else _breach(event))]


def _breach(event: BreachOpened) -> list[str]:
    numbers = event.decided_from
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
        (
            f"opened {utc(event.at_ms)}, {relation} the threshold since {utc(event.since_ms)};"
            f" the dwell is {span(numbers['dwell_ms'])}"
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
            f" + on order {numbers['on_order_units']}{owed_words(numbers)} = {event.position_units}"
        ),
        (
            f"threshold {event.threshold_units} ({origin}){hysteresis}"
            f", catalogue load {numbers.get('reference_version', 0)}"
        ),
    ]
    if "flap_opens_max" in numbers:
        lines.append(
            f"flapping: its openings within {span(numbers['flap_window_ms'])} were more than"
            f" {numbers['flap_opens_max']}, so it is held open until it has stayed clear for so"
            " long"
        )
    if "stockout_in_minutes" in numbers:
        minutes = numbers["stockout_in_minutes"]
        lines.append(
            f"stockout foreseen in {span(minutes * 60_000)}: {event.available_units} at"
            f" {milli(numbers['demand_milli_day'])} a day"
        )
    return [*lines, *promotion_lines(event)]
