"""Building blocks of alert stories."""

from typing import Any

import msgspec

from alerting.alerts import alert_spec
from ingest.contracts.topics import DELIVERIES, EVENTS
from streams.contracts.alerts import (
    ALERT,
    ALERT_INPUT_FRAMES,
    DELIVERY_FRAMES,
    Alert,
    AlertAnswer,
    AlertEnded,
    AlertRaised,
    AlertRuleInput,
    ChannelInput,
    Delivery,
    DeliveryResult,
)
from streams.contracts.events import EVENT_FRAMES
from streams.contracts.state import key
from tests.folds import FoldRun

KEY = "breach-milk-1"
SITE = "berlin"


class AlertStory(FoldRun):
    """One partition of the alert fold."""

    def __init__(self, *reference: ChannelInput | AlertRuleInput) -> None:
        """Start with channels and rules."""
        super().__init__(alert_spec(), ALERT_INPUT_FRAMES)
        self.at(0, *reference)

    @property
    def deliveries(self) -> list[Delivery]:
        """All deliveries so far."""
        return self.said(DELIVERIES.name, DELIVERY_FRAMES)

    @property
    def told(self) -> list[tuple[int, str, str]]:
        """Time, channel and first word of each delivery."""
        return [(d.at_ms, d.channel, d.title.split(":")[0]) for d in self.deliveries]

    @property
    def events(self) -> list[Any]:
        """All answers to people."""
        return self.said(EVENTS.name, EVENT_FRAMES)

    def alert(self, alert_key: str = KEY) -> Alert:
        """The alert as its state record has it."""
        return msgspec.msgpack.decode(self.state[key(ALERT, alert_key)], type=Alert)

    def knows(self, alert_key: str = KEY) -> bool:
        """Whether the state has the alert."""
        return key(ALERT, alert_key) in self.state


def channel(name: str = "shop", **fields: Any) -> ChannelInput:
    """A channel."""
    return ChannelInput(
        **{"version": 1, "channel": name, "url_variable": f"{name.upper()}_URL", **fields}
    )


def rule(name: str = "all", **fields: Any) -> AlertRuleInput:
    """A rule to the channel `shop`."""
    return AlertRuleInput(**{"version": 1, "rule": name, "channels": ["shop"], **fields})


def raised(at_ms: int = 1_000, **fields: Any) -> AlertRaised:
    """Low stock of milk in Berlin."""
    return AlertRaised(
        **{
            "alert_key": KEY,
            "kind": "low_stock",
            "site": SITE,
            "sku": "milk",
            "severity": "warning",
            "at_ms": at_ms,
            "facts": {"available_units": 3, "threshold_units": 5},
            **fields,
        }
    )


def ended(at_ms: int, alert_key: str = KEY) -> AlertEnded:
    """Its end."""
    return AlertEnded(alert_key=alert_key, site=SITE, at_ms=at_ms)


def answer(verb: Any, command_id: str = "c1", **fields: Any) -> AlertAnswer:
    """A person's answer."""
    return AlertAnswer(
        **{
            "command_id": command_id,
            "verb": verb,
            "alert_key": KEY,
            "site": SITE,
            "actor": "anna",
            "at_ms": 0,
            **fields,
        }
    )


def result(delivery: Delivery, *, at_ms: int, error: str = "") -> DeliveryResult:
    """What the sender says of a delivery."""
    return DeliveryResult(
        delivery_id=delivery.delivery_id,
        alert_key=delivery.alert_key,
        site=delivery.site,
        channel=delivery.channel,
        delivered=not error,
        attempts=1,
        at_ms=at_ms,
        error=error,
    )
