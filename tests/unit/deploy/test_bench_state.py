"""The benchmark of state: what it writes is what a worker would have, and its sums are right."""

import asyncio

import pytest

from deploy.bench.counting import CountingFold
from deploy.bench.events import FRAMES
from deploy.bench.preload import PARTITIONS
from deploy.bench.state_domain import SITES, domain_state
from deploy.bench.state_log import StateTopics
from deploy.bench.state_workers import Flow
from ingest.contracts.settings import KafkaSettings
from ingest.partitions import partition_of
from streams.engine.adapters.reader import TopicReader, TopicRecord


def test_a_load_frame_changes_one_key_of_its_partition() -> None:
    """So every partition commits something, whatever the number."""
    topics = StateTopics(KafkaSettings(), "t", 100)
    for partition in range(PARTITIONS):
        frame = topics.frame(partition, 1_234)
        [event] = FRAMES.decode(frame).items
        assert partition_of(event.sku, PARTITIONS) == partition
        fold = CountingFold()
        fold.fold(frame)
        assert list(fold.drain().state) == [event.sku.encode()]


def test_the_domain_s_levels_are_counted_with_all_their_records() -> None:
    """Levels, books, reference data and clock: all of it is stored and restored."""
    few, more = domain_state(2), domain_state(20)
    assert (few.levels, more.levels) == (2 * SITES, 20 * SITES)
    assert few.bytes_per_level > more.bytes_per_level > 100  # what all share weighs less
    assert more.start_cpu_s > 0


class FakeReader(TopicReader):
    """Gives one batch of progress a poll."""

    def __init__(self, batches: list[list[int]]) -> None:
        """Take the partitions of each batch."""
        super().__init__(KafkaSettings(), "progress")
        self._batches = batches

    async def poll(self, *, timeout_ms: int = 0) -> list[TopicRecord]:
        """Return the next batch."""
        del timeout_ms
        return [TopicRecord(p, 0, None, b"1", 0) for p in self._batches.pop(0)]


@pytest.mark.parametrize("rest", [[[0, 1], [2], [0], [3]], [[3, 2, 1, 0]]])
def test_flow_is_full_when_every_partition_has_moved(rest: list[list[int]]) -> None:
    """What was under way at the beginning does not count."""
    reader = FakeReader([[0, 1, 2, 3], *rest])
    asyncio.run(Flow(reader).everywhere())
    assert reader._batches == []
