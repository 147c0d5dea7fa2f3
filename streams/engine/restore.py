"""Taking a partition over: fence the last owner, check the facts, restore. In this order."""

from dataclasses import dataclass

from ingest.contracts.errors import LogGapError, PartitionCountError, TopicIdentityError
from streams.engine.fold import FoldSpec
from streams.engine.ports import APPLIED_KEY, Applied, InputFacts, InputLog, StateLog
from streams.engine.records import decode_applied


@dataclass(frozen=True, slots=True)
class Fenced:
    """What is known of a partition once its last owner can't write any more."""

    facts: InputFacts
    end_offset: int
    """Uncommitted end of the state partition."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A partition as its state topic has it."""

    state: dict[bytes, bytes]
    applied: Applied
    records_read: int


async def fence(
    spec: FoldSpec, partition_count: int, state_log: StateLog, input_log: InputLog
) -> Fenced:
    """Fence the last owner of a partition, then look at its topics; takes no long time.

    Raises:
        PartitionCountError: The input topic has another number of partitions.
    """
    await state_log.fence()
    facts = await input_log.facts()
    if facts.partition_count != partition_count:
        raise PartitionCountError(
            f"{spec.input_topic} has {facts.partition_count} partitions, but the installation"
            f" was made with {partition_count}"
        )
    return Fenced(facts, await state_log.end_offset())


async def restore(origin: str, fenced: Fenced, state_log: StateLog) -> Restored:
    """Read a fenced partition's state and check it against the input log.

    `origin` names the input partition in errors.

    Raises:
        TopicIdentityError: The input topic is another one than the state was folded from.
        LogGapError: The input log begins after the next frame that the state needs.
    """
    state: dict[bytes, bytes] = {}
    applied = Applied(input_topic_id=fenced.facts.topic_id, input_offset=-1)
    records_read = 0
    async for batch in state_log.read(fenced.end_offset):
        records_read += len(batch)
        for key, value in batch:
            if value is None:
                state.pop(key, None)
            elif key[:1] != b"\x00":
                state[key] = value
            elif key == APPLIED_KEY:
                applied = decode_applied(value)
    check_topic(origin, applied.input_topic_id, fenced.facts.topic_id)
    _check_continuity(origin, applied, fenced.facts)
    return Restored(state, applied, records_read)


def check_topic(origin: str, folded_topic_id: str, topic_id_now: str) -> None:
    """Refuse to go on with another topic than the one that a state was folded from.

    Raises:
        TopicIdentityError: They differ.
    """
    if folded_topic_id != topic_id_now:
        raise TopicIdentityError(
            f"{origin}: the topic was made again (its id is {topic_id_now}, the state was"
            f" folded from {folded_topic_id})"
        )


def _check_continuity(origin: str, applied: Applied, facts: InputFacts) -> None:
    if facts.begin_offset > applied.input_offset + 1:
        raise LogGapError(
            f"{origin}: the log begins at {facts.begin_offset}, but the state needs"
            f" {applied.input_offset + 1}"
        )
