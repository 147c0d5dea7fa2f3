"""What people ask of a timed fold is answered once: carried out or refused, and said in `events`.

Ids are remembered for 24 h, so that a repeat changes nothing and gets no second answer.
"""

from typing import Any, Final, Protocol

from ingest.contracts.durations import DAY_MS
from ingest.contracts.topics import EVENTS
from ingest.partitions import partition_of
from streams.contracts.events import EVENT_FRAMES, CommandAccepted, CommandRefused
from streams.contracts.state import COMMAND, SEPARATOR, AnsweredCommand, key
from streams.engine.timed import TimedFold

ANSWERS_KEPT_MS: Final = DAY_MS
_TIMER: Final = COMMAND + SEPARATOR
"""Begins the names of the timers, which are those of the state keys."""


class AskedCommand(Protocol):
    """Whatever somebody asks of a fold."""

    @property
    def command_id(self) -> str:
        """Its id, unique for a day."""

    @property
    def actor(self) -> str:
        """Who asks."""


class CommandAnswers:
    """The commands that one fold has answered; their records stand in its table under `COMMAND`."""

    def __init__(self, fold: TimedFold[Any], partition_count: int) -> None:
        """Take the fold whose table, timers and outbox they share."""
        self._fold = fold
        self._partition_count = partition_count

    def begin(self, command: AskedCommand) -> bool:
        """Remember a command; False where it has been answered, and is to be left alone."""
        command_id, fold = command.command_id, self._fold
        if fold.table.get(key(COMMAND, command_id)) is not None:
            return False
        answered = AnsweredCommand(command_id=command_id, at_ms=fold.now_ms)
        fold.table.put(key(COMMAND, command_id), answered)
        self._set_timer(answered)
        return True

    def say(
        self,
        command: AskedCommand,
        entity_id: str,
        place: str,
        *,
        refusal: str,
        state: str = "",
        version: int = 0,
    ) -> None:
        """Say that a command was carried out or, by a reason, refused.

        `place` is what its entity's events are partitioned by; state and version are the entity's.
        """
        fold = self._fold
        event = command_answer(
            command, entity_id, fold.now_ms, refusal=refusal, state=state, version=version
        )
        partition = partition_of(place, self._partition_count)
        fold.outbox.add(EVENTS.name, partition, EVENT_FRAMES, event, fold.now_ms)

    def wake(self, name: str) -> bool:
        """Forget the command of a timer; tell whether it was one of theirs."""
        if not name.startswith(_TIMER):
            return False
        self._fold.table.delete(name.encode())
        return True

    def rebuild(self) -> None:
        """Set a timer for each answered command."""
        for _, answered in self._fold.table.of_kind(COMMAND):
            self._set_timer(answered)

    def _set_timer(self, answered: AnsweredCommand) -> None:
        self._fold.timers.set(_TIMER + answered.command_id, answered.at_ms + ANSWERS_KEPT_MS)


def command_answer(
    command: AskedCommand,
    entity_id: str,
    at_ms: int,
    *,
    refusal: str = "",
    state: str = "",
    version: int = 0,
) -> CommandAccepted | CommandRefused:
    """Return what is said of a command: accepted, or refused where there is a reason."""
    if not refusal:
        return CommandAccepted(
            command_id=command.command_id,
            actor=command.actor,
            entity_id=entity_id,
            at_ms=at_ms,
            version=version,
        )
    return CommandRefused(
        command_id=command.command_id,
        actor=command.actor,
        entity_id=entity_id,
        at_ms=at_ms,
        reason=refusal,
        current_state=state,
        current_version=version,
    )
