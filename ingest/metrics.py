"""What a bridge counts; plain numbers, for the hot path must not pay for a metrics library."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class BridgeCounts:
    """Totals since the start of one bridge."""

    messages: int = 0
    """MQTT messages taken, time messages and announcements included."""
    message_bytes: int = 0
    items: int = 0
    """Inputs made; a status gives one for each SKU its device watches beside its own."""
    frames: int = 0
    frame_bytes: int = 0
    letters: Counter[str] = field(default_factory=Counter)
    """Dead letters by reason."""
    acknowledged: int = 0
    receipts: int = 0
    passed_over: int = 0
    """Messages of sites that another slice serves."""
    recovered: int = 0
    """Messages of devices that were unknown when they came and were taken later."""
    time_ignored: int = 0
    """Driven time that went back, or came where time is the wall clock's."""
