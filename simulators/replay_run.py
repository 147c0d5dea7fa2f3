"""A replay on a real broker: as fast as receipts allow, or at a factor of the file's own time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from simulators.fleet import percentile
from simulators.ports import BrokerLink
from simulators.replaying import Replay
from simulators.simulation import Outgoing

WAIT_S: Final = 0.02
STALL_S_MAX: Final = 120.0
"""With nothing accepted for so long a replay gives up."""
PROGRESS_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayFigures:
    """What a replay measured."""

    lines: int
    accepted_events: int
    resent_events: int
    seconds: float
    events_per_s: float
    accepted_ms_p50: int
    accepted_ms_p99: int
    complete: bool


class ReplayRun:
    """Drives a replay over an entered link."""

    def __init__(
        self,
        replay: Replay,
        link: BrokerLink,
        *,
        clock: Callable[[], float],
        speed: float | None,
        first_at_ms: int,
        on_progress: Callable[[ReplayFigures], None],
    ) -> None:
        """Take the parts.

        Args:
            replay: What is played.
            link: The connection, already entered.
            clock: Seconds, never going back.
            speed: File seconds a second; None for as fast as receipts allow.
            first_at_ms: Time of the file's first line.
            on_progress: Told every `PROGRESS_S` seconds.
        """
        self._replay = replay
        self._link = link
        self._clock = clock
        self._speed = speed
        self._first_at_ms = first_at_ms
        self._on_progress = on_progress
        self._begun_s = clock()

    def run(self) -> ReplayFigures:
        """Play to the end; `complete` is False where receipts stopped coming."""
        moved_s = told_s = self._begun_s = self._clock()
        while not self._replay.done:
            now_s = self._clock()
            if self._exchange() or self._waits_for_its_time():
                moved_s = now_s
            if now_s - moved_s > STALL_S_MAX:
                break
            if now_s - told_s >= PROGRESS_S:
                told_s = now_s
                self._on_progress(self.figures())
        return self.figures()

    def _waits_for_its_time(self) -> bool:
        idle = self._speed is not None and not self._replay.fleet.unaccepted_events
        return idle and self._link.ready

    def _exchange(self) -> bool:
        replay, clock_ms = self._replay, self._clock_ms()
        freed = sum(
            replay.fleet.on_message(topic, payload, clock_ms)
            for topic, payload in self._link.heard(WAIT_S)
        )
        if self._link.ready:
            self._publish(replay.feed(self._clock_ms(), self._until_ms()))
            self._publish(replay.outgoing(self._clock_ms()))
        return freed > 0

    def _publish(self, messages: Sequence[Outgoing]) -> None:
        # What the full queue of the client refuses stays in the spool and is sent again.
        for message in messages:
            self._link.publish(message.topic, message.payload, retain=message.retain)

    def _until_ms(self) -> int | None:
        if self._speed is None:
            return None
        return self._first_at_ms + round((self._clock() - self._begun_s) * self._speed * 1_000)

    def _clock_ms(self) -> int:
        return round(self._clock() * 1_000)

    def figures(self) -> ReplayFigures:
        """Return what was measured so far."""
        fleet = self._replay.fleet
        seconds = max(self._clock() - self._begun_s, 0.001)
        return ReplayFigures(
            lines=self._replay.lines_read,
            accepted_events=fleet.accepted_events,
            resent_events=fleet.resent_events,
            seconds=round(seconds, 2),
            events_per_s=round(fleet.accepted_events / seconds, 1),
            accepted_ms_p50=percentile(fleet.latencies_ms, 0.50),
            accepted_ms_p99=percentile(fleet.latencies_ms, 0.99),
            complete=self._replay.done,
        )
