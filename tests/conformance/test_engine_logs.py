"""StateLog and InputLog: the same promises on real Kafka and on the double."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ingest.contracts.errors import FencedError
from streams.engine.fold import Changes, FoldSpec, Output
from streams.engine.ports import APPLIED_KEY, Applied, StateLog, StateRecord
from streams.engine.records import decode_applied
from tests.conformance.engine_logs import KafkaWorld, LogWorld, MemoryWorld
from tests.unit.streams.engine_fakes import FakeFold

PARTITIONS = 2

Scenario = Callable[[LogWorld, FoldSpec], Awaitable[None]]
Run = Callable[[Scenario], None]


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.integration)])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a scenario with a fold's topics freshly made in one of the worlds."""
    kafka: Any = request.getfixturevalue("stack").kafka if request.param == "kafka" else None
    name = f"logs-{uuid.uuid4().hex[:8]}"
    spec = FoldSpec(
        name=name,
        input_topic=f"{name}-in",
        state_topic=f"{name}-state",
        create=lambda _partition, _count: FakeFold(),
        tick_frame=lambda _: b"",
    )

    async def play(scenario: Scenario) -> None:
        world: LogWorld = KafkaWorld(kafka) if kafka is not None else MemoryWorld()
        try:
            await world.create([spec.input_topic, spec.state_topic, f"{name}-out"], PARTITIONS)
            await scenario(world, spec)
        finally:
            await world.close()

    return lambda scenario: asyncio.run(play(scenario))


async def read_all(log: StateLog, begin_offset: int = 0) -> list[StateRecord]:
    """Return what a restore sees now."""
    end_offset = (await log.facts()).end_offset
    batches = log.read(begin_offset, end_offset)
    return [StateRecord(*pair) async for batch in batches for pair in batch.records]


def output(spec: FoldSpec, value: bytes, partition: int = 1) -> Output:
    """Return an output of the fold."""
    return Output(f"{spec.name}-out", partition, b"key", value)


def test_a_commit_shows_outputs_state_and_applied_record_together(run: Run) -> None:
    """State in the order given, tombstones as None, the applied record last."""

    async def scenario(world: LogWorld, spec: FoldSpec) -> None:
        log, _ = world.open(spec, 0)
        await log.fence()
        assert ((await log.facts()).end_offset, await read_all(log)) == (0, [])
        changes = Changes({b"a": b"1", b"b": None}, [output(spec, b"x"), output(spec, b"y")])
        await log.commit(changes, Applied("topic", 7))
        *state, last = await read_all(log)
        assert state == [StateRecord(b"a", b"1"), StateRecord(b"b", None)]
        assert (last.key, decode_applied(last.value or b"")) == (APPLIED_KEY, Applied("topic", 7))
        assert await world.read(f"{spec.name}-out", 1) == [(b"key", b"x"), (b"key", b"y")]
        assert await world.read(spec.state_topic, 1) == []

    run(scenario)


def test_an_applied_only_commit_is_a_commit(run: Run) -> None:
    """Frames that change nothing still move the applied offset."""

    async def scenario(world: LogWorld, spec: FoldSpec) -> None:
        log, _ = world.open(spec, 0)
        await log.fence()
        await log.commit(Changes(), Applied("topic", 1))
        await log.commit(Changes(), Applied("topic", 2))
        assert [decode_applied(r.value or b"").input_offset for r in await read_all(log)] == [1, 2]

    run(scenario)


def test_a_newer_owner_fences_the_older_one(run: Run) -> None:
    """The older one's commit fails by name and nothing of it is ever visible."""

    async def scenario(world: LogWorld, spec: FoldSpec) -> None:
        older, _ = world.open(spec, 0)
        await older.fence()
        await older.commit(Changes({b"a": b"old"}), Applied("topic", 1))
        newer, _ = world.open(spec, 0)
        await newer.fence()
        with pytest.raises(FencedError):
            await older.commit(Changes({b"a": b"late"}, [output(spec, b"x")]), Applied("topic", 2))
        await newer.commit(Changes({b"a": b"new"}), Applied("topic", 2))
        values = [record.value for record in await read_all(newer) if record.key == b"a"]
        assert values == [b"old", b"new"]
        assert await world.read(f"{spec.name}-out", 1) == []

    run(scenario)


def test_partitions_are_fenced_apart(run: Run) -> None:
    """Who takes partition 1 leaves the owner of partition 0 alone."""

    async def scenario(world: LogWorld, spec: FoldSpec) -> None:
        zero, _ = world.open(spec, 0)
        one, _ = world.open(spec, 1)
        await zero.fence()
        await one.fence()
        await zero.commit(Changes({b"a": b"1"}), Applied("topic", 1))
        await one.commit(Changes({b"b": b"1"}), Applied("topic", 1))
        assert [record.key for record in await read_all(zero)] == [b"a", APPLIED_KEY]

    run(scenario)


def test_a_restore_reads_below_the_end_it_was_given(run: Run) -> None:
    """What comes later is the newer owner's, or nobody's."""

    async def scenario(world: LogWorld, spec: FoldSpec) -> None:
        log, _ = world.open(spec, 0)
        await log.fence()
        await log.commit(Changes({b"a": b"1"}), Applied("topic", 1))
        end_offset = (await log.facts()).end_offset
        await log.commit(Changes({b"a": b"2"}), Applied("topic", 2))
        batches = log.read(0, end_offset)
        seen = [value async for batch in batches for _, value in batch.records]
        assert seen[0] == b"1"
        assert len(seen) == 2

    run(scenario)


def test_a_commit_says_where_reading_goes_on(run: Run) -> None:
    """Whoever has a commit's changes sees the next ones from there, and none of these again."""

    async def scenario(world: LogWorld, spec: FoldSpec) -> None:
        log, _ = world.open(spec, 0)
        await log.fence()
        for number in range(3):
            await log.commit(Changes({b"a": b"%d" % number}), Applied("topic", number))
        offset = await log.commit(Changes({b"b": b"1"}), Applied("topic", 3))
        await log.commit(Changes({b"c": b"1"}), Applied("topic", 4))
        keys = [record.key for record in await read_all(log, offset)]
        assert keys == [b"c", APPLIED_KEY]

    run(scenario)


def test_a_follower_sees_what_is_committed_and_no_more(run: Run) -> None:
    """Without an end it goes on; a batch says where; nobody has to be fenced for it."""

    async def scenario(world: LogWorld, spec: FoldSpec) -> None:
        owner, _ = world.open(spec, 0)
        follower, _ = world.open(spec, 0)
        await owner.fence()
        await owner.commit(Changes({b"a": b"1"}), Applied("topic", 1))
        seen: dict[bytes, bytes | None] = {}
        async for batch in follower.read(0):
            seen.update(batch.records)
            if b"b" in seen:
                break
            if b"a" in seen:
                await owner.commit(Changes({b"b": b"2"}), Applied("topic", 2))
        assert decode_applied(seen.pop(APPLIED_KEY) or b"") == Applied("topic", 2)
        assert seen == {b"a": b"1", b"b": b"2"}
        facts = await follower.facts()
        assert batch.next_offset <= facts.end_offset

    run(scenario)


def test_the_facts_of_a_state_topic(run: Run) -> None:
    """Its id is another once it was made again, and it begins anew."""

    async def scenario(world: LogWorld, spec: FoldSpec) -> None:
        log, _ = world.open(spec, 0)
        await log.fence()
        await log.commit(Changes({b"a": b"1"}), Applied("topic", 1))
        before = await log.facts()
        assert before.end_offset > 0
        await world.make_again(spec.state_topic, PARTITIONS)
        after = await log.facts()
        assert (after.topic_id != before.topic_id, after.end_offset) == (True, 0)

    run(scenario)


def test_a_large_transaction_is_one_transaction(run: Run) -> None:
    """Many batches of several partitions, in order, whole."""

    async def scenario(world: LogWorld, spec: FoldSpec) -> None:
        log, _ = world.open(spec, 0)
        await log.fence()
        state: dict[bytes, bytes | None] = {b"%d" % i: b"s" * 1_000 for i in range(1_500)}
        outputs = [output(spec, b"%d" % i, partition=i % 2) for i in range(1_000)]
        await log.commit(Changes(state, outputs), Applied("topic", 1))
        assert [record.key for record in await read_all(log)] == [*state, APPLIED_KEY]
        for partition in range(2):
            values = [value for _, value in await world.read(f"{spec.name}-out", partition)]
            assert values == [b"%d" % i for i in range(partition, 1_000, 2)]

    run(scenario)


def test_the_facts_of_an_input_topic(run: Run) -> None:
    """Its id is another once it was made again; its beginning moves with retention."""

    async def scenario(world: LogWorld, spec: FoldSpec) -> None:
        _, log = world.open(spec, 1)
        before = await log.facts()
        assert (before.begin_offset, before.partition_count) == (0, PARTITIONS)
        for value in (b"0", b"1", b"2"):
            await log.append(value)
        assert [value for _, value in await world.read(spec.input_topic, 1)] == [b"0", b"1", b"2"]
        await world.truncate(spec.input_topic, 1, 2)
        after = await log.facts()
        assert (after.begin_offset, after.topic_id) == (2, before.topic_id)
        await world.make_again(spec.input_topic, PARTITIONS + 1)
        again = await log.facts()
        assert again.topic_id != before.topic_id
        assert again.partition_count == PARTITIONS + 1

    run(scenario)
