"""Input, state and outbox of the alert fold.

`shelfstream.alert-inputs` holds frames of `AlertItem`, partitioned by site (rules, channels and
ticks go to every partition); `shelfstream.alerts` holds `Alert` records and reference data;
`shelfstream.deliveries` holds frames of `Delivery`, partitioned by channel.
"""

from typing import Final, Literal

import msgspec

from ingest.frames import FrameCodec, TickInput
from streams.contracts.state import BREACH_KINDS

Severity = Literal["info", "warning", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "critical")
ALERT_KINDS: Final[tuple[str, ...]] = (
    *BREACH_KINDS,
    "device_silent",
    "battery_low",
    "need_opened",
    "transfer_lost",
    "transfer_proposed",
    "count_waiting",
    "purchase_proposed",
    "purchase_late",
    "lot_recalled",
    "back_order",
    "serial_twice",
)
"""All that the folds raise. Records keep a plain text: an older reader takes a newer kind."""

AlertState = Literal["open", "acknowledged", "cleared"]
AlertVerb = Literal["acknowledge", "silence", "unsilence", "snooze"]


class AlertRaised(msgspec.Struct, frozen=True, array_like=True, tag=1, kw_only=True):
    """Something that may alert began: a breach opened, a device fell silent, a need opened."""

    alert_key: str
    """Id of what it is about (`breach-…`); one alert a key."""
    kind: str
    """One of `ALERT_KINDS`."""
    site: str
    sku: str
    severity: Severity
    at_ms: int
    observed_at_ms: int = 0
    facts: dict[str, int] = {}
    """Numbers for the text: available, threshold, quantity."""
    text: str = ""


class AlertEnded(msgspec.Struct, frozen=True, array_like=True, tag=2, kw_only=True):
    """What it was about is over."""

    alert_key: str
    site: str
    at_ms: int


class AlertAnswer(msgspec.Struct, frozen=True, array_like=True, tag=3, kw_only=True):
    """A person's answer."""

    command_id: str
    verb: AlertVerb
    alert_key: str
    site: str
    actor: str
    at_ms: int
    until_ms: int = 0
    """When a silence or a snooze ends."""
    for_ms: int = 0
    """Or how long it lasts from the fold's now, which whoever asks need not know."""
    reason: str = ""


class DeliveryResult(msgspec.Struct, frozen=True, array_like=True, tag=4, kw_only=True):
    """What became of one delivery; written by the sender."""

    delivery_id: str
    alert_key: str
    site: str
    channel: str
    delivered: bool
    attempts: int
    at_ms: int
    error: str = ""


class ChannelInput(msgspec.Struct, frozen=True, array_like=True, tag=5, kw_only=True):
    """A notification channel as data; the secret itself stays in the sender's environment."""

    version: int
    channel: str
    url_variable: str
    """Name of the environment variable (or `file:` path) that holds the apprise URL."""
    enabled: bool = True
    removed: bool = False


class AlertRuleInput(msgspec.Struct, frozen=True, array_like=True, tag=6, kw_only=True):
    """Which alerts go to which channels."""

    version: int
    rule: str
    channels: list[str]
    kinds: list[str] = []
    """Empty matches every kind."""
    sites: list[str] = []
    severity_min: Severity = "info"
    repeat_ms: int = 0
    """Told again this often while open and not acknowledged; 0 for never."""
    clear_notice: bool = True
    removed: bool = False


AlertItem = (
    AlertRaised
    | AlertEnded
    | AlertAnswer
    | DeliveryResult
    | ChannelInput
    | AlertRuleInput
    | TickInput
)

ALERT_INPUT_FRAMES: Final[FrameCodec[AlertItem]] = FrameCodec(AlertItem)


class Delivery(msgspec.Struct, frozen=True, array_like=True, tag=1, kw_only=True):
    """One message to send over one channel; its id stays the same on replay."""

    delivery_id: str
    """`delivery-{alert_key}-{running number}-{channel}`."""
    alert_key: str
    site: str
    channel: str
    url_variable: str
    title: str
    body: str
    severity: Severity
    at_ms: int
    observed_at_ms: int = 0


DELIVERY_FRAMES: Final[FrameCodec[Delivery]] = FrameCodec(Delivery)


AlertHappening = Literal[
    "raised",
    "raised_again",
    "told",
    "repeated",
    "delivered",
    "failed",
    "acknowledged",
    "silenced",
    "unsilenced",
    "snoozed",
    "cleared",
]


class AlertNote(msgspec.Struct, frozen=True, array_like=True):
    """One line of an alert's history."""

    at_ms: int
    happening: AlertHappening
    detail: str = ""
    """Channels, the person, or why a delivery failed."""


class Alert(msgspec.Struct, array_like=True, kw_only=True):
    """One alert, from the first word to the last."""

    alert_key: str
    kind: str
    site: str
    sku: str
    severity: Severity
    state: AlertState
    raised_at_ms: int
    text: str = ""
    facts: dict[str, int] = {}
    cleared_at_ms: int = 0
    acknowledged_by: str = ""
    silenced_until_ms: int = 0
    next_repeat_at_ms: int = 0
    next_number: int = 1
    deliveries: dict[str, str] = {}
    """Delivery id to `sent`, `delivered` or `failed`; the newest `ALERT_DELIVERIES_KEPT_MAX`."""
    acknowledged_at_ms: int = 0
    looked_at_ms: int = 0
    """When it was last told, or looked at for a repeat; repeats are counted from `raised_at_ms`."""
    severity_told: int = -1
    """Index in `SEVERITIES` of the highest severity that was told."""
    channels_told: list[str] = []
    """Sorted; who hears that it is over."""
    history: list[AlertNote] = []
    """The newest `ALERT_NOTES_KEPT_MAX`, oldest first."""
    observed_at_ms: int = 0
    """Device time of what began it; 0 for a tick. Latency is counted from it."""
    snoozed_until_ms: int = 0
    """When it comes back, unless it is graver or over before; 0 where nobody put it off."""


ALERT_DELIVERIES_KEPT_MAX: Final = 20
ALERT_NOTES_KEPT_MAX: Final = 40


class AlertClock(msgspec.Struct, array_like=True, kw_only=True):
    """The alert fold's own record of a partition."""

    now_ms: int = 0


ALERT: Final = "alert"
CHANNEL: Final = "channel"
RULE: Final = "rule"
"""Kinds of state keys beside `clock` and `command`; built by `streams.contracts.state.key`.
`channel` and `rule` hold the newest `ChannelInput` and `AlertRuleInput`."""
