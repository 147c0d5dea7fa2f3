"""Creates the topics of an installation as the contracts say, as often as one likes."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from ingest.contracts.errors import PartitionCountError, StackError
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import TOPICS, Topic
from streams.engine.adapters.connection import client_options

REQUEST_TIMEOUT_MS: Final = 10_000
PROBE_TIMEOUT_MS: Final = 3_000
"""A broker binds its port before it serves it: ask again soon rather than wait for an answer."""

LEADER_WAIT_S: Final = 20.0
LEADER_POLL_S: Final = 0.05
GROUP_COORDINATOR: Final = 0
TRANSACTION_COORDINATOR: Final = 1


async def answers_metadata(settings: KafkaSettings) -> bool:
    """Tell whether the broker answers an authenticated request for its topics."""
    admin = AIOKafkaAdminClient(**client_options(settings), request_timeout_ms=PROBE_TIMEOUT_MS)
    try:
        await admin.start()
        await admin.list_topics()
    except KafkaError:
        return False
    finally:
        await admin.close()
    return True


async def create_topics(
    settings: KafkaSettings,
    partition_count: int,
    *,
    topics: Sequence[Topic] = TOPICS,
    replication_factor: int = 1,
) -> list[str]:
    """Create the topics that are missing and wait for their leaders; return their names.

    Raises:
        PartitionCountError: A topic is there with another partition count.
        StackError: The broker refused a topic.
    """
    admin = AIOKafkaAdminClient(**client_options(settings), request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await admin.start()
        present = await partition_counts(admin)
        check_partition_counts(topics, partition_count, present)
        missing = [topic for topic in topics if topic.name not in present]
        if missing:
            fresh = [_new_topic(topic, partition_count, replication_factor) for topic in missing]
            _raise_refusals(await admin.create_topics(fresh))
            await _await_leaders(admin, topics, partition_count)
        return [topic.name for topic in missing]
    finally:
        await admin.close()


async def await_coordinators(settings: KafkaSettings) -> None:
    """Wait until the broker coordinates groups and transactions.

    A new broker makes its own topics for both at the first request, and answers every client
    with an error meanwhile.

    Raises:
        StackError: It did not in time.
    """
    admin = AIOKafkaAdminClient(**client_options(settings), request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await admin.start()
        async with asyncio.timeout(LEADER_WAIT_S):
            for kind in (GROUP_COORDINATOR, TRANSACTION_COORDINATOR):
                while not await _has_coordinator(admin, kind):  # noqa: ASYNC110 - a broker sends no event
                    await asyncio.sleep(LEADER_POLL_S)
    except TimeoutError as error:
        raise StackError(f"Kafka has no coordinators after {LEADER_WAIT_S:.0f} s") from error
    finally:
        await admin.close()


async def _has_coordinator(admin: AIOKafkaAdminClient, kind: int) -> bool:
    try:
        await admin.find_coordinator("shelfstream", kind)
    except KafkaError:
        return False
    return True


async def partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """Return how many partitions with a leader each topic on the broker has."""
    described: list[dict[str, Any]] = await admin.describe_topics()
    return {
        row["topic"]: sum(part["leader"] >= 0 for part in row["partitions"]) for row in described
    }


def check_partition_counts(
    topics: Sequence[Topic], partition_count: int, present: dict[str, int]
) -> None:
    """Compare the topics that are there with the installation's count.

    Raises:
        PartitionCountError: One differs; the text names it and both counts.
    """
    for topic in topics:
        found, expected = present.get(topic.name), topic.partitions(partition_count)
        if found is not None and found != expected:
            raise PartitionCountError(
                f"{topic.name} has {found} partitions, and this installation expects {expected}: "
                "a count is changed by repartitioning, never in place"
            )


def _new_topic(topic: Topic, partition_count: int, replication_factor: int) -> NewTopic:
    return NewTopic(
        name=topic.name,
        num_partitions=topic.partitions(partition_count),
        replication_factor=replication_factor,
        topic_configs=topic.config(),
    )


def _raise_refusals(response: Any) -> None:
    for name, code, *rest in response.topic_errors:
        error = for_code(code)
        if code and error.__name__ != "TopicAlreadyExistsError":
            reason = rest[0] if rest and rest[0] else error.__name__
            raise StackError(f"Kafka refused the topic {name}: {reason}")


async def _await_leaders(
    admin: AIOKafkaAdminClient, topics: Sequence[Topic], partition_count: int
) -> None:
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + LEADER_WAIT_S
    while True:
        present = await partition_counts(admin)
        waiting = [t.name for t in topics if present.get(t.name) != t.partitions(partition_count)]
        if not waiting:
            return
        if loop.time() > deadline_s:
            raise StackError(f"Kafka found no leader for {waiting[0]} within {LEADER_WAIT_S:.0f} s")
        await asyncio.sleep(LEADER_POLL_S)
