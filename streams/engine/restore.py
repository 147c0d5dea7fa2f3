"""Taking a partition over: fence the last owner, check the facts, restore. In this order."""

from dataclasses import dataclass
from typing import Final

import structlog

from ingest.contracts.errors import LogGapError, PartitionCountError, TopicIdentityError
from streams.engine.fold import FoldSpec
from streams.engine.ports import (
    APPLIED_KEY,
    Applied,
    InputFacts,
    InputLog,
    StateBatch,
    StateFacts,
    StateLog,
)
from streams.engine.records import decode_applied
from streams.engine.store import SAVED_AGE_MS_MAX, StateStore, StorePosition

_STATE_KEY_LEAST: Final = b"\x01"
"""Keys that begin with a zero byte are the engine's own."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Fenced:
    """What is known of a partition once its last owner can't write any more."""

    facts: InputFacts
    state: StateFacts


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore found."""

    applied: Applied
    begin_offset: int
    """From where the state partition was read; 0 when the store had nothing to begin with."""
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
    return Fenced(facts, await state_log.facts())


async def restore(
    origin: str, fenced: Fenced, state_log: StateLog, store: StateStore, now_ms: int
) -> Restored:
    """Bring a store to the fenced end of its state partition and check it against the input log.

    `origin` names the input partition in errors and in the log; `now_ms` is UTC milliseconds.

    Raises:
        TopicIdentityError: The input topic is another one than the state was folded from.
        LogGapError: The input log begins after the next frame that the state needs.
    """
    begin_offset, applied = trusted(origin, store, fenced.state, now_ms)
    records_read = 0
    async for batch in state_log.read(begin_offset, fenced.state.end_offset):
        records_read += len(batch.records)
        applied = take(store, batch) or applied
    applied = applied or Applied(input_topic_id=fenced.facts.topic_id, input_offset=-1)
    check_topic(origin, applied.input_topic_id, fenced.facts.topic_id)
    _check_continuity(origin, applied, fenced.facts)
    end = StorePosition(fenced.state.topic_id, fenced.state.end_offset, applied, now_ms)
    store.save(end)
    return Restored(applied, begin_offset, records_read)


def trusted(
    origin: str, store: StateStore, facts: StateFacts, now_ms: int
) -> tuple[int, Applied | None]:
    """Return from where a store has to be read on, and how far its state has come.

    A store that can't be of this log is cleared, and the log says why: then it is from 0.
    """
    position = store.position
    fault = "" if position is None else _fault(position, facts, now_ms)
    if position is None or fault:
        if fault:
            _log.warning("store discarded", input=origin, reason=fault)
        store.clear()
        return 0, None
    return position.next_offset, position.applied


def _fault(position: StorePosition, facts: StateFacts, now_ms: int) -> str:
    if position.state_topic_id != facts.topic_id:
        return f"the state topic was made again: {facts.topic_id}, not {position.state_topic_id}"
    if position.next_offset > facts.end_offset:
        return f"it is of offset {position.next_offset}, the log ends at {facts.end_offset}"
    age_ms = now_ms - position.saved_at_ms
    if age_ms > SAVED_AGE_MS_MAX:
        return f"it is {age_ms} ms old, and deletions are kept for little longer"
    return ""


def take(store: StateStore, batch: StateBatch) -> Applied | None:
    """Load a batch into a store; return the last applied record in it, None without one."""
    own = [record for record in batch.records if record[0] < _STATE_KEY_LEAST]
    store.load(batch.records)
    if own:  # taken out again, which is cheaper than a copy of the rest
        store.load([(key, None) for key in {key for key, _ in own}])
    told = [value for key, value in own if key == APPLIED_KEY and value is not None]
    return decode_applied(told[-1]) if told else None


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
