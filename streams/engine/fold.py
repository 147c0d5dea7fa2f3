"""What a fold is: a pure state machine over one partition of a log of frames.

A new processor is a new fold, not a new engine. The engine calls `start` once after it restored
the state, then `fold` for each frame in log order, and `drain` whenever a transaction may begin.
A fold reads no clock, socket or random number; every choice and every output has an explicit key
order, because the order of a restored dict is not the order of the live one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Output:
    """One record to write, in the same transaction as the state that caused it."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Changes:
    """What a run of frames caused."""

    state: dict[bytes, bytes | None] = field(default_factory=dict)
    """Changed state records by key; None deletes. Keys never begin with `b"\\x00"`."""
    outputs: list[Output] = field(default_factory=list)
    """In the order in which they must appear in their topics."""


class Fold(Protocol):
    """One partition's state machine; all of it lives in one process, in one task."""

    def start(self, state: Mapping[bytes, bytes]) -> None:
        """Take the restored state; rebuild timers and indexes from it.

        Where the spec says `reads_state`, the mapping is live: after every `drain` the engine has
        applied the changes to it, and a fold may read it lazily and keep a bounded cache of
        decoded values. Else it is read here, once.
        """

    def fold(self, value: bytes) -> None:
        """Fold one frame.

        Raises:
            FrameError: The bytes are no frame; nothing was changed, and the engine writes a dead
                letter in the frame's stead.
        """

    def drain(self) -> Changes:
        """Return all changes since the last call, and forget them."""


@dataclass(frozen=True, kw_only=True)
class FoldSpec:
    """A fold and the topics it stands between."""

    name: str
    """Also names the consumer group and the transactional ids: `shelfstream-{name}`."""
    input_topic: str
    state_topic: str
    create: Callable[[int, int], Fold]
    """Takes the partition and the installation's partition count."""
    tick_frame: Callable[[int], bytes]
    """Takes `at_ms`; the frame that the owner of a partition appends in wall time."""
    reads_state: bool = True
    """Whether the fold reads its state after `start`; one that does not has all of it itself, and
    no second copy is kept in memory for it."""
