"""The double of Kafka does what Kafka does, where the product relies on it."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeVar

import pytest

from ingest.contracts.errors import FencedError, LogGapError, TopicIdentityError
from simulators.whole.loop import virtual_loop
from simulators.whole.memory import InMemoryInputLog, InMemoryStateLog, MemoryKafka
from simulators.whole.memory_kafka import ProducerId
from simulators.whole.memory_link import BrokerGoneError, Link
from streams.engine.fold import Changes, FoldSpec, Output
from streams.engine.ports import APPLIED_KEY, Applied
from streams.engine.restore import fence, restore
from streams.engine.store import MemoryStore

ResultT = TypeVar("ResultT")


def _run(main: Callable[[MemoryKafka], Awaitable[ResultT]]) -> ResultT:
    async def whole() -> ResultT:
        kafka = MemoryKafka()
        kafka.create_topic("in", 1)
        kafka.create_topic("state", 1)
        kafka.create_topic("out", 1)
        return await main(kafka)

    with virtual_loop(Random(1)) as loop:
        return loop.run(whole())


def _started(kafka: MemoryKafka, name: str = "t") -> ProducerId:
    writer = kafka.init_producer(name)
    assert writer is not None
    return writer


def _append(kafka: MemoryKafka, writer: ProducerId, value: bytes) -> None:
    kafka.append_transactional(writer, "out", 0, key=None, value=value)


def _values(kafka: MemoryKafka, topic: str = "out") -> list[bytes | None]:
    return [record.value for record in kafka.partition(topic, 0).read_committed(0)]


def _state_log(kafka: MemoryKafka, link: Link | None = None) -> InMemoryStateLog:
    return InMemoryStateLog(kafka, transactional_id="t", topic="state", partition=0, link=link)


def test_open_transaction_hides_what_follows() -> None:
    """Plain records after an open transaction wait for its marker, which takes an offset."""

    async def main(kafka: MemoryKafka) -> None:
        writer = _started(kafka)
        kafka.begin(writer)
        _append(kafka, writer, b"a")
        kafka.append("out", 0, None, b"plain")
        log = kafka.partition("out", 0)
        assert (log.stable_offset, _values(kafka)) == (0, [])
        kafka.end(writer, commit=True)
        assert _values(kafka) == [b"a", b"plain"]
        assert log.end_offset == 3

    _run(main)


def test_aborted_records_are_not_read() -> None:
    """An aborted transaction leaves a gap and no record."""

    async def main(kafka: MemoryKafka) -> None:
        writer = _started(kafka)
        kafka.begin(writer)
        _append(kafka, writer, b"a")
        kafka.end(writer, commit=False)
        kafka.append("out", 0, None, b"plain")
        assert _values(kafka) == [b"plain"]
        assert kafka.partition("out", 0).fetch(0, 10)[1] == 3

    _run(main)


def test_newer_producer_fences_and_aborts() -> None:
    """A second start of one id aborts the first's transaction and refuses its every call."""

    async def main(kafka: MemoryKafka) -> None:
        old = _started(kafka)
        kafka.begin(old)
        _append(kafka, old, b"old")
        new = _started(kafka)
        for call in (
            lambda: _append(kafka, old, b"x"),
            lambda: kafka.end(old, commit=True),
            lambda: kafka.begin(old),
        ):
            with pytest.raises(FencedError):
                call()
        kafka.begin(new)
        _append(kafka, new, b"new")
        kafka.end(new, commit=True)
        assert _values(kafka) == [b"new"]

    _run(main)


def test_transaction_timeout_aborts_and_fences() -> None:
    """A transaction left open is aborted by the broker; its producer is refused."""

    async def main(kafka: MemoryKafka) -> None:
        writer = _started(kafka)
        kafka.begin(writer)
        _append(kafka, writer, b"a")
        await asyncio.sleep(11)
        with pytest.raises(FencedError):
            kafka.end(writer, commit=True)
        assert (_values(kafka), kafka.counts.aborts_by_timeout) == ([], 1)

    _run(main)


def test_late_markers_hold_the_next_transaction() -> None:
    """A commit is decided at once; its producer can't begin again before the markers stand."""

    async def main() -> None:
        kafka = MemoryKafka(marker_delay_s=lambda: 1.0)
        kafka.create_topic("out", 1)
        writer = _started(kafka)
        kafka.begin(writer)
        _append(kafka, writer, b"a")
        kafka.end(writer, commit=True)
        assert not kafka.begin(writer)
        assert kafka.init_producer("t") is None
        await asyncio.sleep(1.5)
        assert _values(kafka) == [b"a"]
        assert kafka.begin(writer)

    with virtual_loop(Random(1)) as loop:
        loop.run(main())


def test_compaction_keeps_the_newest() -> None:
    """After compaction a reader gets the newest value of each key, with gaps in the offsets."""

    async def main(kafka: MemoryKafka) -> None:
        for key, value in ((b"a", b"1"), (b"b", b"2"), (b"a", b"3")):
            kafka.append("out", 0, key, value)
        kafka.partition("out", 0).compact()
        assert [r.offset for r in kafka.partition("out", 0).read_committed(0)] == [1, 2]

    _run(main)


def test_state_log_restores_what_it_committed() -> None:
    """What one owner commits the next one reads, applied record last."""

    async def main(kafka: MemoryKafka) -> None:
        first = _state_log(kafka)
        await first.fence()
        changes = Changes({b"k": b"v", b"gone": None}, [Output("out", 0, None, b"o")])
        await first.commit(changes, Applied("in#1", 4))
        second = _state_log(kafka)
        await second.fence()
        end = (await second.facts()).end_offset
        records = [pair async for batch in second.read(0, end) for pair in batch.records]
        assert [key for key, _ in records] == [b"k", b"gone", APPLIED_KEY]
        assert (records[1][1], _values(kafka)) == (None, [b"o"])
        with pytest.raises(FencedError):
            await first.commit(changes, Applied("in#1", 5))

    _run(main)


async def _taken_over(state_log: InMemoryStateLog, log: InMemoryInputLog) -> None:
    fenced = await fence(_spec(), 1, state_log, log)
    await restore("in/0", fenced, state_log, MemoryStore(), 0)


def _spec() -> FoldSpec:
    return FoldSpec(
        name="t",
        input_topic="in",
        state_topic="state",
        create=lambda _p, _n: (_ for _ in ()).throw(AssertionError),
        tick_frame=lambda _at_ms: b"",
    )


def test_retention_past_the_state_is_a_gap() -> None:
    """The engine refuses a log that begins after the frame it needs."""

    async def main(kafka: MemoryKafka) -> None:
        for _ in range(5):
            kafka.append("in", 0, None, b"")
        kafka.partition("in", 0).truncate(3)
        log = InMemoryInputLog(kafka, topic="in", partition=0)
        with pytest.raises(LogGapError):
            await _taken_over(_state_log(kafka), log)

    _run(main)


def test_topic_made_again_is_refused() -> None:
    """The engine refuses an input topic of the same name and another id."""

    async def main(kafka: MemoryKafka) -> None:
        first = _state_log(kafka)
        await first.fence()
        topic_id = kafka.topics["in"].topic_id
        await first.commit(Changes(), Applied(topic_id, 0))
        kafka.create_topic("in", 1)
        log = InMemoryInputLog(kafka, topic="in", partition=0)
        with pytest.raises(TopicIdentityError):
            await _taken_over(_state_log(kafka), log)

    _run(main)


@pytest.mark.parametrize("seed", range(20))
def test_cut_link_keeps_a_prefix(seed: int) -> None:
    """Of what is on its way when a link breaks a prefix arrives, and nobody is answered."""

    async def main() -> None:
        kafka = MemoryKafka()
        kafka.create_topic("out", 1)
        link = Link(Random(seed), 100)
        answers = [
            link.send(lambda n=n: kafka.append("out", 0, None, bytes([n])))  # type: ignore[misc] # the default binds it
            for n in range(10)
        ]
        await asyncio.sleep(0.1)
        link.cut()
        values = [value[0] for value in _values(kafka) if value]
        assert values == list(range(len(values)))
        await asyncio.sleep(1)
        assert all(answer.done() for answer in answers)
        with pytest.raises(BrokerGoneError):
            link.send(lambda: None)

    with virtual_loop(Random(seed)) as loop:
        loop.run(main())
