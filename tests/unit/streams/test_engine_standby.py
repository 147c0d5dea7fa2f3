"""Partitions that a worker stands by for: followed behind what it owns, taken over by the rest."""

import asyncio

from streams.engine.ports import Applied, StateRecord
from streams.engine.records import applied_record
from streams.engine.standby import Follower
from streams.engine.store import MemoryStore, StorePosition
from tests.unit.streams.engine_fakes import TOPIC_ID, FakeStateLog, run_virtual
from tests.unit.streams.test_engine_host import HostRig


def test_a_followed_partition_is_taken_over_by_the_rest_alone() -> None:
    """The follower's store goes to the owner's runner, which reads on where the follower was."""

    async def scenario() -> HostRig:
        rig = HostRig()
        log = rig.logs.state[1]
        log.records = [StateRecord(b"a", b"1"), applied_record(Applied(TOPIC_ID, 4))]
        await rig.host.assign({0}, {1})
        await asyncio.sleep(3)
        assert (rig.host.followed, sorted(rig.host.runners)) == ([1], [0])
        log.records.append(StateRecord(b"b", b"2"))
        await asyncio.sleep(3)
        log.records.append(StateRecord(b"c", b"3"))
        await rig.host.assign({0, 1})
        await rig.host.ready()
        return rig

    rig = run_virtual(scenario())
    runner = rig.host.runners[1]
    assert (rig.failures, rig.host.followed) == ([], [])
    assert dict(runner.state) == {b"a": b"1", b"b": b"2", b"c": b"3"}
    assert (runner.applied_offset, runner.counts.restored_from_offset) == (4, 3)
    assert runner.counts.restored_records == 1
    assert rig.logs.state[1].calls == [
        "facts",
        "read 0 None",
        "close",
        "fence",
        "facts",
        "read 3 5",
    ]


def test_followers_wait_for_what_is_owned() -> None:
    """A restore has the broker for itself."""

    async def scenario() -> HostRig:
        rig = HostRig()
        rig.logs.state[0].read_s = 5.0
        await rig.host.assign({0}, {1, 2})
        await asyncio.sleep(4)
        assert rig.logs.state[1].calls == []
        await asyncio.sleep(2)
        return rig

    rig = run_virtual(scenario())
    assert [rig.logs.state[p].calls for p in (1, 2)] == [["facts", "read 0 None"]] * 2


def test_what_is_followed_no_more_is_let_go() -> None:
    """By a rebalance, and at the end."""

    async def scenario() -> tuple[HostRig, list[MemoryStore]]:
        rig = HostRig()
        opened: list[MemoryStore] = []

        class Closable(MemoryStore):
            closed = False

            def close(self) -> None:
                self.closed = True

        def open_one(_partition: int) -> MemoryStore:
            opened.append(Closable())
            return opened[-1]

        rig.host._stores = open_one
        await rig.host.assign(set(), {1, 2})
        await rig.host.assign(set(), {2})
        assert rig.host.followed == [2]
        await rig.host.close()
        return rig, opened

    rig, opened = run_virtual(scenario())
    assert (rig.failures, rig.host.followed) == ([], [])
    assert [vars(store).get("closed") for store in opened] == [True, True]
    assert [rig.logs.state[p].calls[-1] for p in (1, 2)] == ["close", "close"]


def test_a_partition_that_is_given_back_closes_its_store() -> None:
    """Its next owner may be on this host, and it may come back here as a follower's."""

    async def scenario() -> HostRig:
        rig = HostRig()
        await rig.host.assign({1})
        await rig.host.ready()
        await rig.host.assign(set(), {1})
        await asyncio.sleep(1)
        return rig

    rig = run_virtual(scenario())
    assert (rig.host.followed, rig.logs.state[1].calls[-2:]) == ([1], ["facts", "read 0 None"])


def test_a_follower_that_is_far_behind_makes_no_store_younger() -> None:
    """Left on the way it would otherwise be believed for longer than deletions are kept."""

    async def scenario() -> list[int]:
        log, store = FakeStateLog(), MemoryStore()
        log.records = [StateRecord(b"%d" % number, b"1") for number in range(8)]
        store.save(StorePosition(log.topic_id, 2, None, 1_000))
        clock = iter(range(2_000, 3_000))
        ages: list[int] = []
        follower = Follower("in/0", log, store, lambda: next(clock))
        follow = asyncio.create_task(follower.follow())
        save = store.save

        def remember(position: StorePosition) -> None:
            save(position)
            ages.append(position.saved_at_ms)

        store.save = remember  # type: ignore[method-assign]
        await asyncio.sleep(0.5)
        log.records += [StateRecord(b"new", b"1")] * 2
        await asyncio.sleep(2)
        follow.cancel()
        return ages

    assert run_virtual(scenario()) == [1_000, 1_000, 1_000, 2_001]
