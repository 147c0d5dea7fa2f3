"""The checks notice a broken part: a harness that can't fail proves nothing."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from typing import Any, Final

import pytest

from ingest.contracts.topics import MOVEMENTS
from ingest.ports import SendHandle
from simulators.whole.harness import Whole, run_seed
from simulators.whole.harness_options import FAULT_KINDS, Options, draw
from simulators.whole.harness_system import SimulationError
from simulators.whole.memory import InMemoryRecordSink, InMemoryStateLog
from simulators.whole.memory_bridge import InMemorySendHandle
from streams.contracts.ledger import MOVEMENT_FRAMES
from streams.engine.fold import Changes, Fold, FoldSpec, Output
from streams.engine.ports import Applied

SEEDS_TRIED: Final = 40
DROPPED_EVERY: Final = 97
LINGER_RECORDS: Final = 4


class LosesMovements:
    """The stock fold, but every 97th movement of a partition is forgotten."""

    def __init__(self, inner: Fold) -> None:
        """Wrap the true fold."""
        self._inner = inner
        self._count = 0

    def start(self, state: Mapping[bytes, bytes]) -> None:
        """Start the true fold."""
        self._inner.start(state)

    def fold(self, value: bytes) -> None:
        """Fold truly."""
        self._inner.fold(value)

    def drain(self) -> Changes:
        """Drain, and forget."""
        changes = self._inner.drain()
        changes.outputs[:] = [self._kept(output) for output in changes.outputs]
        return changes

    def _kept(self, output: Output) -> Output:
        if output.topic != MOVEMENTS.name:
            return output
        frame = MOVEMENT_FRAMES.decode(output.value)
        kept = []
        for item in frame.items:
            self._count += 1
            if self._count % DROPPED_EVERY:
                kept.append(item)
        value = MOVEMENT_FRAMES.encode(kept, received_at_ms=frame.received_at_ms)
        return replace(output, value=value)


class _BrokenStateLog(InMemoryStateLog):
    def __init__(self, true: InMemoryStateLog) -> None:
        super().__init__(
            true._kafka,
            transactional_id=true._transactional_id,
            topic=true._topic,
            partition=true._partition,
            link=true._link,
        )


class CommitsOffsetAlone(_BrokenStateLog):
    """Now and then commits how far it came, and not what it did."""

    commits = 0

    async def commit(self, changes: Changes, applied: Applied) -> int:
        """Commit, every fifth time without the changes."""
        self.commits += 1
        return await super().commit(Changes() if self.commits % 5 == 0 else changes, applied)


class CommitsWithoutOffset(_BrokenStateLog):
    """Commits what it did, and leaves the applied record where it was."""

    async def commit(self, changes: Changes, applied: Applied) -> int:
        """Commit with the offset before the first."""
        return await super().commit(changes, replace(applied, input_offset=-1))


class SkipsFencing(_BrokenStateLog):
    """Each owner's producer has a name of its own, so that nobody is ever fenced."""

    numbers = count()

    def __init__(self, true: InMemoryStateLog) -> None:
        """Take another transactional id than the last owner."""
        super().__init__(true)
        self._true_name = self._transactional_id
        self._transactional_id += f"#{next(self.numbers)}"

    async def _begin(self) -> None:
        await super()._begin()
        transaction = self._kafka._producers[self._transactional_id].transaction
        assert transaction is not None
        transaction.transactional_id = self._true_name


class SplitsTransactions(_BrokenStateLog):
    """Commits outputs in one transaction and state in the next."""

    async def commit(self, changes: Changes, applied: Applied) -> int:
        """Commit in two."""
        await super().commit(Changes({}, changes.outputs), replace(applied, input_offset=-1))
        return await super().commit(Changes(changes.state, []), applied)


class AnswersEarly:
    """A sink that says a record is in Kafka when it only waits to be sent."""

    def __init__(self, inner: InMemoryRecordSink) -> None:
        """Wrap the true sink."""
        self._inner = inner
        self._waiting: list[tuple[str, int, bytes | None, bytes]] = []

    def send(self, topic: str, partition: int, key: bytes | None, value: bytes) -> SendHandle:
        """Keep the record, and say it is done."""
        self._waiting.append((topic, partition, key, value))
        handle = InMemorySendHandle()
        handle.answer(None)
        return handle

    def poll(self) -> None:
        """Send what waits, once enough of it does."""
        if len(self._waiting) >= LINGER_RECORDS:
            self.flush(0)

    def flush(self, timeout_s: float) -> bool:
        """Send all that waits."""
        for record in self._waiting:
            self._inner.send(*record)
        self._waiting.clear()
        return self._inner.flush(timeout_s)


def _rough(seed: int) -> Options:
    return replace(
        draw(seed),
        duration_ms=8_000,
        partition_count=1,
        worker_count=2,
        delay_ms_max=50,
        fault_interval_ms=300,
        faults=tuple(kind for kind in FAULT_KINDS if kind != "kafka_crash"),
        emit_interval_ms=20,
    )


def _losing_movements() -> Whole:
    whole = Whole()
    stock = whole.specs[0]

    def create(partition: int, partition_count: int) -> Fold:
        return LosesMovements(stock.create(partition, partition_count))

    broken: FoldSpec = replace(stock, create=create)
    return replace(whole, specs=(broken, *whole.specs[1:]))


def _with(**parts: Any) -> Callable[[], Whole]:
    return lambda: Whole(**parts)


BROKEN: Final[dict[str, Callable[[], Whole]]] = {
    "loses movements": _losing_movements,
    "commits the offset alone": _with(wrap_state_log=CommitsOffsetAlone),
    "commits without the offset": _with(wrap_state_log=CommitsWithoutOffset),
    "skips fencing": _with(wrap_state_log=SkipsFencing),
    "splits transactions": _with(wrap_state_log=SplitsTransactions),
    "answers early": _with(wrap_sink=AnswersEarly),
}


@pytest.mark.parametrize("part", sorted(BROKEN))
def test_broken_part_is_noticed(part: str) -> None:
    """A few rough seeds are enough to find it, and the failure names how to repeat it."""
    for seed in range(1, SEEDS_TRIED + 1):
        try:
            run_seed(seed, whole=BROKEN[part](), options=_rough(seed))
        except SimulationError as error:
            assert f"make sim SEED={seed}" in str(error)  # noqa: PT017 - not every seed must fail
            return
    pytest.fail(f"{SEEDS_TRIED} seeds and nobody noticed: {part}")


def test_rough_options_hold_with_true_parts() -> None:
    """The same rough seeds hold when nothing is broken: the test above tells the parts apart."""
    for seed in range(1, 4):
        run_seed(seed, options=_rough(seed))
