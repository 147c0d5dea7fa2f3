"""How far each source's clock is off, guessed from when its events arrive.

The delay of an event is its arrival minus what its source says; the lowest delays of a source are
its clock's error plus the shortest way to us. Kept per source: the two lowest delays of this
window and of the one before, of which the second lowest counts, so one stray event moves nothing.
Historical events say nothing about the clock and are left out, and so are the first seconds of a
source, which after an outage of ours are a backlog and not a delay.

The corrected time is stored in the input. It is only guessed once: another bridge, or this one
after a restart, may correct a repeat of the same event differently.
"""

from typing import Final

CLOCK_SAMPLES_MIN: Final = 8
CLOCK_SPAN_MS_MIN: Final = 60_000
"""A source is corrected only after it was heard for this long."""
CLOCK_WINDOW_MS: Final = 600_000
CLOCK_TOLERANCE_MS: Final = 2_000
"""A smaller offset is taken as 0: it is the way to us and not the clock."""
CLOCK_TOLERANCE_DRIVEN_MS: Final = 3_600_000
"""Driven time moves in steps, so events and arrivals differ by a step for no fault of a clock."""
CLOCK_OFFSET_MS_LIMIT: Final = 300_000
"""Sources further off are flagged."""
CLOCK_SOURCES_MAX: Final = 200_000
_UNKNOWN: Final = 2**62


class SourceClock:
    """The lowest delays of one source; `offset_ms` is what they say, 0 while they are too few.

    `shift_ms` is the part of it that is corrected: all, or 0 within the tolerance.

    A delay matters only where it is below `second`, or came at `look_at_ms` or later, or is one of
    the first `CLOCK_SAMPLES_MIN`. Most are none of these.
    """

    __slots__ = (
        "before",
        "look_at_ms",
        "lowest",
        "offset_ms",
        "samples",
        "second",
        "shift_ms",
        "tolerance_ms",
        "window_ms",
    )

    def __init__(self, received_at_ms: int, tolerance_ms: int) -> None:
        """Begin to watch a source when its first event arrives."""
        self.window_ms = received_at_ms
        self.look_at_ms = received_at_ms + CLOCK_SPAN_MS_MIN
        """From then on an event is looked at though its delay is no low one."""
        self.samples = 0
        self.offset_ms = 0
        self.shift_ms = 0
        self.tolerance_ms = tolerance_ms
        self.before = _UNKNOWN
        self.lowest = _UNKNOWN
        self.second = _UNKNOWN

    def observe(self, delay_ms: int, received_at_ms: int) -> None:
        """Learn from the delay of an event that arrived at `received_at_ms`."""
        if received_at_ms - self.window_ms >= CLOCK_WINDOW_MS:
            self.before = self.second
            self.lowest = self.second = _UNKNOWN
            self.window_ms = received_at_ms
        if delay_ms < self.lowest:
            self.second = self.lowest
            self.lowest = delay_ms
        elif delay_ms < self.second:
            self.second = delay_ms
        known = self.offset_ms or received_at_ms >= self.look_at_ms
        if known and self.samples >= CLOCK_SAMPLES_MIN:
            offset_ms = min(self.before, self.second)
            self.offset_ms = 0 if offset_ms == _UNKNOWN else offset_ms
            self.shift_ms = self.offset_ms if abs(self.offset_ms) > self.tolerance_ms else 0
            self.look_at_ms = self.window_ms + CLOCK_WINDOW_MS


class SourceClocks:
    """Offsets of the clocks of all sources of one bridge; constant size a source."""

    def __init__(self, *, driven: bool = False) -> None:
        """Take whether the installation's time is driven, which widens the tolerance."""
        self._driven = driven
        self._tolerance_ms = CLOCK_TOLERANCE_DRIVEN_MS if driven else CLOCK_TOLERANCE_MS
        self._sources: dict[str, SourceClock] = {}

    def corrected_ms(
        self, source: str, observed_at_ms: int, historical: bool, received_at_ms: int
    ) -> int:
        """Return the observation time by our clock, UTC milliseconds, and learn from the event.

        In wall time the result is never later than `received_at_ms`.
        """
        delays = self._sources.get(source) or self._added(source, received_at_ms)
        if received_at_ms and not historical:
            delays.samples += 1
            delay_ms = received_at_ms - observed_at_ms
            if delay_ms < delays.second or received_at_ms >= delays.look_at_ms:
                delays.observe(delay_ms, received_at_ms)
        if delays.shift_ms:
            observed_at_ms = max(0, observed_at_ms + delays.shift_ms)
        return min(observed_at_ms, self.latest_ms(received_at_ms))

    def latest_ms(self, received_at_ms: int) -> int:
        """Return the time that no observation of an event is later than; in driven time any is."""
        return _UNKNOWN if self._driven else received_at_ms

    def known(self, source: str, received_at_ms: int) -> tuple[int, int]:
        """Return a time, and the shift of an event that arrives now and was observed before it.

        Such an event is no news of its clock: `corrected_ms` would only add the shift, in
        milliseconds, and keep the result between 0 and `latest_ms`. A batch has many of them, and
        they need no call.
        """
        clock = self._sources.get(source) or self._added(source, received_at_ms)
        if clock.samples < CLOCK_SAMPLES_MIN or received_at_ms >= clock.look_at_ms:
            return 0, 0
        return received_at_ms - clock.second + 1, clock.shift_ms

    def offset_ms(self, source: str) -> int:
        """Return how late a source's clock runs, in milliseconds; negative where it is ahead."""
        delays = self._sources.get(source)
        return delays.offset_ms if delays else 0

    def flagged(self) -> list[str]:
        """Return the sources whose clock is further off than `CLOCK_OFFSET_MS_LIMIT`, sorted."""
        return sorted(
            source
            for source, delays in list(self._sources.items())  # metrics ask from another thread
            if abs(delays.offset_ms) > CLOCK_OFFSET_MS_LIMIT
        )

    def _added(self, source: str, received_at_ms: int) -> SourceClock:
        if len(self._sources) >= CLOCK_SOURCES_MAX:
            del self._sources[next(iter(self._sources))]
        delays = self._sources[source] = SourceClock(received_at_ms, self._tolerance_ms)
        return delays
