"""A fold driven by hand: frames in, decoded outputs and state out."""

from collections.abc import Iterable, Sequence
from typing import Any

from ingest.frames import FrameCodec
from streams.engine.fold import Fold, FoldSpec

PARTITIONS = 4


class FoldRun:
    """One partition of a fold with its state, as the engine would keep it."""

    def __init__(self, spec: FoldSpec, codec: FrameCodec[Any]) -> None:
        """Start the fold with no state."""
        self.state: dict[bytes, bytes] = {}
        self.outputs: list[tuple[str, int, bytes]] = []
        self.log: list[bytes] = []
        """The frames it was given."""
        self._spec = spec
        self._codec = codec
        self._fold = self._started()

    def frame(self, received_at_ms: int, items: Sequence[Any]) -> None:
        """Fold one frame; nothing is drained."""
        self.log.append(self._codec.encode(list(items), received_at_ms=received_at_ms))
        self._fold.fold(self.log[-1])

    def at(self, now_ms: int, *items: Any) -> None:
        """Fold a frame of items at a time, and drain."""
        self.frame(now_ms, items)
        self.drain()

    def drain(self) -> None:
        """Apply the changes, as a commit does."""
        changes = self._fold.drain()
        for raw, value in changes.state.items():
            if value is None:
                self.state.pop(raw, None)
            else:
                self.state[raw] = value
        self.outputs += [(out.topic, out.partition, out.value) for out in changes.outputs]

    def restore(self) -> None:
        """Drain, then go on with a new fold that has only the state, in another dict order."""
        self.drain()
        self.state = dict(sorted(self.state.items(), reverse=True))
        self._fold = self._started()

    def said(self, topic: str, codec: FrameCodec[Any]) -> list[Any]:
        """Return all items written to a topic, in order."""
        return [
            item
            for name, _, value in self.outputs
            if name == topic
            for item in codec.decode(value).items
        ]

    def said_when(self, topic: str, codec: FrameCodec[Any]) -> dict[int, list[tuple[int, Any]]]:
        """Return by partition the frames' times and the items written to a topic, in order."""
        found: dict[int, list[tuple[int, Any]]] = {}
        for name, partition, value in self.outputs:
            if name == topic:
                frame = codec.decode(value)
                items = [(frame.received_at_ms, item) for item in frame.items]
                found.setdefault(partition, []).extend(items)
        return found

    def _started(self) -> Fold:
        fold = self._spec.create(0, PARTITIONS)
        fold.start(self.state)
        return fold


def run_whole(run: FoldRun, frames: Sequence[tuple[int, Sequence[Any]]]) -> None:
    """Fold frames as they are, with one drain at the end."""
    for received_at_ms, items in frames:
        run.frame(received_at_ms, items)
    run.drain()


def run_cut(run: FoldRun, frames: Sequence[tuple[int, Sequence[Any]]], cuts: Iterable[str]) -> None:
    """Fold the same items in a frame each; `cuts` says what happens after each of them."""
    said = iter(cuts)
    for received_at_ms, items in frames:
        for item in items:
            run.frame(received_at_ms, [item])
            match next(said, "nothing"):
                case "drain":
                    run.drain()
                case "restore":
                    run.restore()
    run.drain()
