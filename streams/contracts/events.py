"""Life-cycle events, as frames in `shelfstream.events`."""

from typing import Final

import msgspec

from ingest.frames import FrameCodec
from streams.contracts.state import BreachKind, Need, Transfer


class BreachOpened(msgspec.Struct, frozen=True, array_like=True, tag=1, kw_only=True):
    """A threshold stayed crossed for its dwell."""

    breach_id: str
    sku: str
    site: str
    kind: BreachKind
    at_ms: int
    since_ms: int
    available_units: int
    position_units: int
    threshold_units: int
    observed_at_ms: int = 0
    """Device time of the input that crossed it; 0 for a tick. Latency is counted from it."""
    decided_from: dict[str, int] = {}


class BreachCleared(msgspec.Struct, frozen=True, array_like=True, tag=2, kw_only=True):
    """The stock came back over the threshold and its hysteresis."""

    breach_id: str
    sku: str
    site: str
    kind: BreachKind
    at_ms: int
    opened_at_ms: int
    available_units: int
    threshold_units: int


class TransferChanged(msgspec.Struct, frozen=True, array_like=True, tag=3, kw_only=True):
    """A transfer was proposed or went to another state; the whole of it as it now is."""

    at_ms: int
    transfer: Transfer
    cause: str = ""


class NeedChanged(msgspec.Struct, frozen=True, array_like=True, tag=4, kw_only=True):
    """A replenishment request was opened, changed or closed."""

    at_ms: int
    need: Need


class DeviceStatusChanged(msgspec.Struct, frozen=True, array_like=True, tag=5, kw_only=True):
    """A device went silent or came back."""

    event_id: str
    device: str
    site: str
    online: bool
    at_ms: int
    battery_pct: int = -1


class CommandAccepted(msgspec.Struct, frozen=True, array_like=True, tag=6, kw_only=True):
    """The fold carried a command out, in the same transaction."""

    command_id: str
    actor: str
    entity_id: str
    at_ms: int
    version: int = 0


class CommandRefused(msgspec.Struct, frozen=True, array_like=True, tag=7, kw_only=True):
    """The fold refused a command and says why, with the state it found."""

    command_id: str
    actor: str
    entity_id: str
    at_ms: int
    reason: str
    current_state: str = ""
    current_version: int = 0


class BarrierPassed(msgspec.Struct, frozen=True, array_like=True, tag=8, kw_only=True):
    """Everything before this barrier in its partition is folded and committed."""

    barrier_id: str
    partition: int
    at_ms: int


StreamEvent = (
    BreachOpened
    | BreachCleared
    | TransferChanged
    | NeedChanged
    | DeviceStatusChanged
    | CommandAccepted
    | CommandRefused
    | BarrierPassed
)

EVENT_FRAMES: Final[FrameCodec[StreamEvent]] = FrameCodec(StreamEvent)
