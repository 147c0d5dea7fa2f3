"""What a decision taken ahead of a promotion says of it, from its own numbers. Pure."""

from collections.abc import Mapping

from deploy.utc import utc
from streams.contracts.events import BreachOpened
from streams.domain.arithmetic import MILLI


def for_promotion(promotion: str, numbers: Mapping[str, int]) -> str:
    """Return what a transfer or a request is made for; empty without a promotion."""
    if not promotion:
        return ""
    begins_ms = numbers.get("promotion_begins_ms")
    when = f", which begins {utc(begins_ms)}" if begins_ms is not None else ""
    return f" for the promotion {promotion}{when}"


def promotion_lines(event: BreachOpened) -> list[str]:
    """Return how the need of a promotion was reckoned; nothing for other breaches."""
    numbers = event.decided_from
    if not event.promotion or "promoted_units" not in numbers:
        return []
    by = f"{_milli(numbers['mean_milli_day'])} a day, {_milli(numbers['uplift_permille'])} times"
    if numbers["planned_units"]:
        by = f"{numbers['planned_units']} planned"
    return [
        (
            f"promotion {event.promotion}: {utc(numbers['promotion_begins_ms'])} to"
            f" {utc(numbers['promotion_ends_ms'])}, {by}"
        ),
        (
            f"needed {numbers['promoted_units']}: {_milli(numbers['covered_demand_milli'])}"
            f" expected from {utc(numbers['reckoned_from_ms'])} to"
            f" {utc(numbers['covered_until_ms'])}, {_milli(numbers['promoted_milli'])} of it by"
            " promotions"
        ),
    ]


def _milli(milli: int) -> str:
    return f"{milli / MILLI:.10g}"
