"""Why a threshold, a breach, a transfer or a request is as it is: its own numbers, in words. Pure.

Every decision stands in `shelfstream.events` with the numbers it was taken from and the catalogue
load that held, so what is told is what held then; formulas are computed again from those numbers.
Which policy gave a rule is told by `deploy.explained_policies`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from deploy.breach_words import cleared_lines, opened_lines
from deploy.decision_words import again, inputs_line, load_words
from deploy.promotion_words import for_promotion
from deploy.purchase_words import purchase_formula
from deploy.threshold_words import threshold_lines
from deploy.transfer_words import kind_of, need_formula, transfer_formula
from deploy.utc import utc
from deploy.wording import counted
from streams.contracts.blindness import BlindIntervalChanged
from streams.contracts.counts import CountLineChanged, CountSessionChanged
from streams.contracts.events import (
    BreachCleared,
    BreachOpened,
    NeedChanged,
    PurchaseChanged,
    StreamEvent,
    ThresholdChanged,
    TransferChanged,
)
from streams.contracts.lots import LotHeld
from streams.contracts.orders import OrderChanged, OrderLineChanged
from streams.contracts.witnesses import WitnessGapChanged
from streams.domain.count_accuracy import is_within


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
    before: StreamEvent | None = None
    for event in events:
        told = _TOLD.get(type(event))
        if told is not None:
            lines += told(event, before)
            before = event
    return lines


def _transfer(event: TransferChanged, before: StreamEvent | None) -> list[str]:
    transfer = event.transfer
    load = load_words(event.reference_version)
    what = [f"{utc(event.at_ms)} {transfer.state}, by {event.cause}{load}"]
    if isinstance(before, TransferChanged):
        return what
    return [
        f"{transfer.transfer_id}: {transfer.quantity_units} of {transfer.sku} from"
        f" {transfer.from_site} to {transfer.to_site}"
        + for_promotion(transfer.promotion, transfer.decided_from)
        + f", {kind_of(transfer)}",
        *what,
        *inputs_line(transfer.decided_from),
        *(transfer_formula(transfer) if event.transfer.version == 1 else []),
    ]


def _need(event: NeedChanged, before: StreamEvent | None) -> list[str]:
    need = event.need
    load = load_words(event.reference_version)
    lines = [
        (
            f"{utc(event.at_ms)} {need.state}, {need.received_units} of {need.quantity_units}"
            f" received{load}"
        )
    ]
    was = before.need if isinstance(before, NeedChanged) else None
    if was is None:
        head = f"{need.need_id}: {need.sku} for {need.site} from {need.from_site or 'the supplier'}"
        head += f" {need.supplier}" if need.supplier else ""
        lines.insert(0, head + for_promotion(need.promotion, need.decided_from))
    if was is None or was.decided_from != need.decided_from:
        lines += inputs_line(need.decided_from)
        if was is not None or need.version == 1:
            known_units = was.quantity_units if was is not None else 0
            lines += need_formula(need, need.quantity_units - known_units)
    return lines


def _purchase(event: PurchaseChanged, before: StreamEvent | None) -> list[str]:
    order = event.order
    terms = f", terms of catalogue load {event.terms_version}" if event.terms_version else ""
    lines = [
        f"{utc(event.at_ms)} {order.state}, by {event.cause}{terms}"
        + "".join(f", {flag}" for flag in order.flags)
    ]
    was = before.order if isinstance(before, PurchaseChanged) else None
    if was is None:
        lines.insert(
            0, f"{order.order_id}: of {order.supplier}, {counted(len(order.lines), 'line')}"
        )
    if was is None or was.decided_from != order.decided_from:
        lines += [*inputs_line(order.decided_from), *purchase_formula(order)]
    return lines


def _session(event: CountSessionChanged, _: StreamEvent | None) -> list[str]:
    lines_now = ", ".join(f"{number} {one}" for one, number in event.lines.items())
    return [f"{utc(event.at_ms)} {event.state}, by {event.actor or 'time'}: {lines_now}"]


def _count_line(event: CountLineChanged, _: StreamEvent | None) -> list[str]:
    why = f": {event.reason}" if event.reason else ""
    load = load_words(event.reference_version)
    lines = [
        f"{utc(event.at_ms)} {event.sku} {event.state}, by {event.actor or 'nobody'}{load}{why}"
    ]
    if event.state not in {"counted", "waiting"}:
        return lines
    return [*lines, *inputs_line(event.decided_from), *count_formula(event)]


def count_formula(event: CountLineChanged) -> list[str]:
    """Return how a difference follows from what was counted, and whether it keeps its limits."""
    numbers = event.decided_from
    names = ("difference_units", "counted_units", "expected_units", "difference_minor")
    if any(name not in numbers for name in names):
        return []
    difference, counted, expected, minor = (numbers[name] for name in names)
    limits = {name: most for name, most in numbers.items() if name.startswith("tolerance_")}
    within = is_within(limits, expected, difference, minor)
    told = ", ".join(f"{name} {most}" for name, most in limits.items()) or "no limit is set"
    recorded = (difference, event.within_tolerance)
    verdict = again((counted - expected, within), recorded)
    return [
        (
            f"  difference {difference} = counted {counted} - expected {expected}, worth {minor};"
            f" {told}: {'within' if event.within_tolerance else 'beyond'} tolerance; {verdict}"
        )
    ]


def _gap(event: WitnessGapChanged, _: StreamEvent | None) -> list[str]:
    return [
        f"{utc(event.at_ms)} {event.state}: the shelf of {event.sku} at {event.site} less its"
        f" book {event.gap_units}, since {utc(event.since_ms)}; perhaps {event.cause}"
        + load_words(event.decided_from.get("reference_version", 0)),
        *inputs_line(event.decided_from),
    ]


def _blind(event: BlindIntervalChanged, _: StreamEvent | None) -> list[str]:
    seen = "unseen" if event.state == "open" else "seen again"
    of = f" ({', '.join(event.channels)})" if event.channels else ""
    since = f"unseen since {utc(event.since_ms)}, {event.cause}"
    load = load_words(event.reference_version)
    return [f"{utc(event.at_ms)} {event.sku} at {event.site} {seen}{of}: {since}{load}"]


def _held(event: LotHeld, _: StreamEvent | None) -> list[str]:
    done = "let go" if event.quantity_units < 0 else "held back"
    what = f"lot {event.lot}" if event.lot else "units of any lot"
    by = f", by {event.actor}" if event.actor else ""
    why = f": {event.reason}" if event.reason else ""
    load = load_words(event.reference_version)
    return [
        (
            f"{event.hold_id}: {abs(event.quantity_units)} of {event.sku} at {event.site}"
            f" {done} ({what})"
        ),
        f"{utc(event.at_ms)} {event.cause}, command {event.command_id}{by}{load}{why}",
        (
            f"{event.quarantined_units} of it are quarantined now; {event.unknown_units} on hand"
            " are of no known lot"
        ),
    ]


_TOLD: Final[dict[type, Callable[[Any, StreamEvent | None], list[str]]]] = {
    ThresholdChanged: lambda event, _: threshold_lines(event),
    BreachOpened: lambda event, _: opened_lines(event),
    BreachCleared: lambda event, _: cleared_lines(event),
    TransferChanged: _transfer,
    NeedChanged: _need,
    CountSessionChanged: _session,
    CountLineChanged: _count_line,
    PurchaseChanged: _purchase,
    WitnessGapChanged: _gap,
    BlindIntervalChanged: _blind,
    LotHeld: _held,
}
"""How each event is told, beside the one of the same entity before it."""
