"""A fold that counts and sums per key, so that a repeat or a loss would show; for tests only.

A frame here is a msgpack array of `[key, quantity]` pairs, not one of the product's frames. The
log of outputs gets one record a frame: what the frame summed to. A tick changes nothing.

`python -m tests.integration.counting_fold SPEC_JSON` runs a real worker of it.
"""

import json
import sys
from collections.abc import Mapping

import msgspec

from ingest.contracts.errors import FrameError
from ingest.contracts.settings import InstallationSettings, KafkaSettings
from streams.engine.fold import Changes, FoldSpec, Output
from streams.engine.logs import configure_logs
from streams.engine.settings import EngineSettings
from streams.engine.worker import run_worker

_DECODER = msgspec.msgpack.Decoder(list[tuple[bytes, int]])
TOTAL_DECODER = msgspec.msgpack.Decoder(tuple[int, int])
ENCODE = msgspec.msgpack.Encoder().encode


class CountingFold:
    """Counts and sums per key."""

    def __init__(self, partition: int, output_topic: str) -> None:
        """Take the partition whose outputs go to the same partition of `output_topic`."""
        self._partition = partition
        self._output_topic = output_topic
        self._totals: dict[bytes, tuple[int, int]] = {}
        self._changed: set[bytes] = set()
        self._outputs: list[Output] = []

    def start(self, state: Mapping[bytes, bytes]) -> None:
        """Take the restored totals."""
        self._totals = {key: TOTAL_DECODER.decode(value) for key, value in state.items()}

    def fold(self, value: bytes) -> None:
        """Count and sum one frame's pairs."""
        try:
            pairs = _DECODER.decode(value)
        except msgspec.MsgspecError as error:
            raise FrameError(str(error)) from error
        for key, quantity in pairs:
            count, total = self._totals.get(key, (0, 0))
            self._totals[key] = (count + 1, total + quantity)
            self._changed.add(key)
        if pairs and self._output_topic:
            body = ENCODE(sum(quantity for _, quantity in pairs))
            self._outputs.append(Output(self._output_topic, self._partition, pairs[0][0], body))

    def drain(self) -> Changes:
        """Return the totals that changed."""
        state: dict[bytes, bytes | None] = {key: ENCODE(self._totals[key]) for key in self._changed}
        changes = Changes(state=state, outputs=self._outputs)
        self._changed, self._outputs = set(), []
        return changes


def counting_spec(name: str, *, outputs: bool = True) -> FoldSpec:
    """Return the fold between `{name}-in`, `{name}-state` and `{name}-out`."""
    output_topic = f"{name}-out" if outputs else ""
    return FoldSpec(
        name=name,
        input_topic=f"{name}-in",
        state_topic=f"{name}-state",
        create=lambda partition, _: CountingFold(partition, output_topic),
        tick_frame=lambda _: ENCODE([]),
    )


def main() -> int:
    """Run a worker of the spec, Kafka and engine settings given as JSON."""
    configure_logs()
    given = json.loads(sys.argv[1])
    return run_worker(
        counting_spec(given["name"], outputs=given.get("outputs", True)),
        KafkaSettings.model_validate(given["kafka"]),
        EngineSettings.model_validate(given["engine"]),
        InstallationSettings.model_validate(given["installation"]),
    )


if __name__ == "__main__":
    sys.exit(main())
