"""Alerts as rows and lines for people. Pure."""

from collections.abc import Iterable, Iterator

from alerting import rules
from deploy.ledger_rows import Row
from deploy.utc import utc
from streams.contracts.alerts import Alert


def gravest_first(alerts: Iterable[Alert]) -> list[Alert]:
    """Return alerts in the order people read them: the gravest first, then the newest."""
    return sorted(
        alerts, key=lambda one: (-rules.rank(one.severity), -one.raised_at_ms, one.alert_key)
    )


def alert_rows(alerts: Iterable[Alert]) -> list[Row]:
    """Return a row for each alert."""
    return [
        {
            "alert": alert.alert_key,
            "severity": alert.severity,
            "state": state_text(alert),
            "kind": alert.kind,
            "site": alert.site,
            "sku": alert.sku,
            "since": utc(alert.raised_at_ms),
        }
        for alert in alerts
    ]


def state_text(alert: Alert) -> str:
    """Return the state of an alert with whoever answered it, or until when it is held back."""
    if alert.state == "acknowledged":
        return f"acknowledged by {alert.acknowledged_by}"
    if alert.state == "open" and alert.snoozed_until_ms:
        return f"snoozed until {utc(alert.snoozed_until_ms)}"
    return alert.state


def alert_lines(alert: Alert) -> Iterator[str]:
    """Yield what is known of one alert: its message, its history, what became of its messages."""
    yield f"{alert.alert_key}: {state_text(alert)}"
    yield rules.title(alert)
    yield rules.body(alert)
    if alert.silenced_until_ms:
        yield f"silenced until {utc(alert.silenced_until_ms)}"
    for note in alert.history:
        yield f"  {utc(note.at_ms)}  {note.happening}  {note.detail}".rstrip()
    for delivery_id, status in alert.deliveries.items():
        yield f"  {delivery_id}: {status}"
