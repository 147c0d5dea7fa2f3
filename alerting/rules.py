"""What rules say of an alert: who is told, when again, and in which words. Pure."""

from collections.abc import Iterable
from typing import Final

from streams.contracts.alerts import SEVERITIES, Alert, AlertRuleInput, Severity

REPEAT_MS_MIN: Final = 10_000
"""A rule that asks to be told again sooner is told again after this."""
_TITLES: Final = {
    "low_stock": "Low stock",
    "stockout": "Out of stock",
    "predicted_stockout": "Stockout foreseen",
    "overstock": "Overstock",
    "near_expiry": "Near its expiry",
    "phantom_stock": "Booked, and not on the shelf",
    "ghost_stock": "On the shelf, and not booked",
    "shelf_gap": "Shelf to refill",
    "theft_like_drop": "Shelf fell without a scan",
    "dead_stock": "Dead stock",
    "order_outlier": "Unusually large order",
    "promotion_shortage": "Short for a promotion",
    "device_silent": "Device silent",
    "battery_low": "Battery low",
    "need_opened": "Replenishment needed",
    "transfer_lost": "Transfer lost",
    "transfer_proposed": "Transfer to approve",
    "count_waiting": "Count to approve",
    "lot_recalled": "Lot recalled",
    "back_order": "Order waits for stock",
    "serial_twice": "Serial number twice",
}


def rank(severity: Severity) -> int:
    """Return the place of a severity, 0 for the mildest."""
    return SEVERITIES.index(severity)


def matches(rule: AlertRuleInput, alert: Alert) -> bool:
    """Tell whether a rule is about an alert."""
    return (
        not rule.removed
        and (not rule.kinds or alert.kind in rule.kinds)
        and (not rule.sites or alert.site in rule.sites)
        and rank(alert.severity) >= rank(rule.severity_min)
    )


def channels_of(rules: Iterable[AlertRuleInput]) -> list[str]:
    """Return all channels of some rules, each once, sorted."""
    return sorted({channel for rule in rules for channel in rule.channels})


def repeat_ms(rule: AlertRuleInput) -> int:
    """Return how often a rule wants to be told again, 0 for never."""
    return max(rule.repeat_ms, REPEAT_MS_MIN) if rule.repeat_ms > 0 else 0


def repeats_due(rules: Iterable[AlertRuleInput], alert: Alert, now_ms: int) -> list[AlertRuleInput]:
    """Return the rules with a repeat since the alert was last looked at.

    A rule repeats at `raised_at_ms` plus each whole multiple of its interval, so that rules of
    different intervals need no times of their own; repeats that were missed become one.
    """
    return [
        rule
        for rule in rules
        if (every_ms := repeat_ms(rule))
        and (now_ms - alert.raised_at_ms) // every_ms
        > (alert.looked_at_ms - alert.raised_at_ms) // every_ms
    ]


def next_repeat_at_ms(rules: Iterable[AlertRuleInput], alert: Alert, now_ms: int) -> int:
    """Return when the next repeat of any rule is, after `now_ms`; 0 for never.

    While the alert is silenced, no repeat comes before the silence ends. A snoozed one comes back
    when the snooze ends, whatever the rules repeat, and not before.
    """
    if alert.snoozed_until_ms:
        return max(alert.snoozed_until_ms, alert.silenced_until_ms)
    since_ms = max(now_ms, alert.raised_at_ms) - alert.raised_at_ms
    times = [
        alert.raised_at_ms + (since_ms // every_ms + 1) * every_ms
        for rule in rules
        if (every_ms := repeat_ms(rule))
    ]
    return max(min(times), alert.silenced_until_ms) if times else 0


def title(alert: Alert) -> str:
    """Return the one line that people see first."""
    what = _TITLES.get(alert.kind, alert.kind.replace("_", " ").capitalize())
    about = f"{what}: {alert.sku} at {alert.site}" if alert.sku else f"{what} at {alert.site}"
    if alert.state == "cleared":
        return f"Over: {about}"
    return f"{alert.severity.capitalize()}: {about}"


def body(alert: Alert) -> str:
    """Return the text under the title: the fold's own words, then the numbers by name."""
    facts = ", ".join(
        f"{name.removesuffix('_units').replace('_', ' ')} {value}"
        for name, value in sorted(alert.facts.items())
    )
    return "\n".join(part for part in (alert.text, facts) if part) or title(alert)
