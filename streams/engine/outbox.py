"""Items a fold has written since the last drain, packed into frames.

Items of different times never share a frame, so what a reader sees of time does not depend on
when the engine drained.
"""

from typing import Any, Final

from ingest.frames import FRAME_ITEMS_MAX, FrameCodec
from streams.engine.fold import Output

_Place = tuple[str, int]


class _Batch:
    __slots__ = ("at_ms", "codec", "items")

    def __init__(self, codec: FrameCodec[Any], at_ms: int) -> None:
        self.codec = codec
        self.at_ms = at_ms
        self.items: list[Any] = []


class FrameOutbox:
    """Collects items by topic and partition, in order."""

    FRAME_ITEMS_MAX: Final = FRAME_ITEMS_MAX

    def __init__(self) -> None:
        """Begin empty."""
        self._batches: dict[_Place, list[_Batch]] = {}
        self._records: list[Output] = []

    def add_record(self, record: Output) -> None:
        """Add a record that is no frame; it goes out behind the frames."""
        self._records.append(record)

    def add(
        self, topic: str, partition: int, codec: FrameCodec[Any], item: object, at_ms: int
    ) -> None:
        """Add one item that the fold wrote when its now was `at_ms`."""
        batches = self._batches.setdefault((topic, partition), [])
        last = batches[-1] if batches else None
        if last is None or last.at_ms != at_ms or len(last.items) >= self.FRAME_ITEMS_MAX:
            last = _Batch(codec, at_ms)
            batches.append(last)
        last.items.append(item)

    def drain(self) -> list[Output]:
        """Return one output a frame, by topic and partition, and forget them."""
        outputs = [
            Output(
                topic=topic,
                partition=partition,
                key=None,
                value=batch.codec.encode(batch.items, received_at_ms=batch.at_ms),
            )
            for (topic, partition), batches in sorted(self._batches.items(), key=lambda it: it[0])
            for batch in batches
        ]
        outputs += self._records
        self._batches, self._records = {}, []
        return outputs
