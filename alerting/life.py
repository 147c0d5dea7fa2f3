"""The life of one alert: open, acknowledged, cleared, forgotten. Pure; times in milliseconds."""

from typing import Final

from alerting.rules import rank
from ingest.contracts.durations import DAY_MS
from streams.contracts.alerts import (
    ALERT_DELIVERIES_KEPT_MAX,
    ALERT_NOTES_KEPT_MAX,
    Alert,
    AlertHappening,
    AlertNote,
    AlertRaised,
    DeliveryResult,
)

CLEARED_KEPT_MS: Final = 7 * DAY_MS
"""A cleared alert leaves the state so long after its end."""
ACKNOWLEDGED_KEPT_MS: Final = 35 * DAY_MS
"""An acknowledged alert whose end never came leaves the state so long after the answer."""


def new_alert(raised: AlertRaised) -> Alert:
    """Return the alert that begins with `raised`."""
    alert = Alert(
        alert_key=raised.alert_key,
        kind=raised.kind,
        site=raised.site,
        sku=raised.sku,
        severity=raised.severity,
        state="open",
        raised_at_ms=raised.at_ms,
        text=raised.text,
        facts=raised.facts,
        looked_at_ms=raised.at_ms,
        observed_at_ms=raised.observed_at_ms,
    )
    add_note(alert, raised.at_ms, "raised", raised.severity)
    return alert


def raise_again(alert: Alert, raised: AlertRaised) -> bool:
    """Take a further word on a known alert; return whether it changed anything.

    A cleared alert opens again when the word is newer than its end, with numbers that go on, so
    that no delivery id comes twice. An open or acknowledged one takes the newest words.
    """
    if alert.state == "cleared":
        if raised.at_ms <= alert.cleared_at_ms:
            return False
        _open_again(alert, raised.at_ms)
    elif (raised.severity, raised.text, raised.facts) == (alert.severity, alert.text, alert.facts):
        return False
    add_note(alert, raised.at_ms, "raised_again", raised.severity)
    alert.severity = raised.severity
    alert.text = raised.text
    alert.facts = raised.facts
    alert.observed_at_ms = raised.observed_at_ms
    return True


def has_news(alert: Alert) -> bool:
    """Tell whether an open alert is graver than anybody was told."""
    return alert.state == "open" and rank(alert.severity) > alert.severity_told


def acknowledge(alert: Alert, actor: str, now_ms: int, reason: str = "") -> None:
    """Note who answered; a second person's answer changes nothing."""
    if alert.state != "open":
        return
    alert.state = "acknowledged"
    alert.acknowledged_by = actor
    alert.acknowledged_at_ms = now_ms
    add_answer(alert, now_ms, "acknowledged", actor, reason)


def clear(alert: Alert, at_ms: int) -> bool:
    """End an alert; return False where it had ended, or began after `at_ms`."""
    if alert.state == "cleared" or at_ms < alert.raised_at_ms:
        return False
    alert.state = "cleared"
    alert.cleared_at_ms = at_ms
    add_note(alert, at_ms, "cleared")
    return True


def put_delivery(alert: Alert, delivery_id: str, status: str) -> None:
    """Keep what became of a delivery; the oldest goes when there are too many."""
    alert.deliveries[delivery_id] = status
    while len(alert.deliveries) > ALERT_DELIVERIES_KEPT_MAX:
        del alert.deliveries[next(iter(alert.deliveries))]


def put_result(alert: Alert, result: DeliveryResult) -> bool:
    """Take the sender's result; return False where it is known or too old to matter.

    A message that was sent twice may fail once: delivered stays delivered.
    """
    known = alert.deliveries.get(result.delivery_id)
    status = "delivered" if result.delivered else "failed"
    if known is None or known in (status, "delivered"):
        return False
    alert.deliveries[result.delivery_id] = status
    detail = result.channel if result.delivered else f"{result.channel}: {result.error}"
    add_note(alert, result.at_ms, "delivered" if result.delivered else "failed", detail)
    return True


def due_ms(alert: Alert) -> int | None:
    """Return when an alert must be looked at without any input, or None."""
    if alert.state == "cleared":
        return alert.cleared_at_ms + CLEARED_KEPT_MS
    if alert.state == "acknowledged":
        return alert.acknowledged_at_ms + ACKNOWLEDGED_KEPT_MS
    return alert.next_repeat_at_ms or None


def add_note(alert: Alert, at_ms: int, happening: AlertHappening, detail: str = "") -> None:
    """Add a line to the history; the oldest goes when there are too many."""
    alert.history.append(AlertNote(at_ms, happening, detail))
    del alert.history[:-ALERT_NOTES_KEPT_MAX]


def add_answer(
    alert: Alert, at_ms: int, happening: AlertHappening, actor: str, reason: str
) -> None:
    """Add a person's answer to the history, with the reason where one was given."""
    add_note(alert, at_ms, happening, f"{actor}: {reason}" if reason else actor)


def _open_again(alert: Alert, at_ms: int) -> None:
    alert.state = "open"
    alert.raised_at_ms = alert.looked_at_ms = at_ms
    alert.cleared_at_ms = 0
    alert.acknowledged_by = ""
    alert.acknowledged_at_ms = 0
    alert.snoozed_until_ms = 0
    alert.severity_told = -1
    alert.channels_told = []
