"""Count sessions: which SKUs of a site are counted, by whom, and what became of each.

A session spans SKUs, so it lives in the planning fold. Each of its lines is compared and booked by
the stock fold, which answers; what a person asks is checked here and passed on. A session ends by
being closed or cancelled, or by its time-out: what waits for approval then is not booked.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from ingest.contracts.counts import (
    COUNT_LINES_MAX,
    SESSION_TTL_MS_MAX,
    CountLineAction,
    CountLineInput,
)
from ingest.contracts.durations import DAY_MS
from ingest.contracts.topics import EVENTS, INPUTS
from ingest.frames import INPUT_FRAMES
from ingest.partitions import partition_of
from streams.command_answers import CommandAnswers
from streams.contracts.counts import (
    COUNT_BOOK,
    COUNT_SESSION,
    CountAsked,
    CountBook,
    CountLineAnswered,
    CountLineChanged,
    CountSession,
    CountSessionChanged,
    SessionLine,
    SessionState,
)
from streams.contracts.events import EVENT_FRAMES, StreamEvent
from streams.contracts.plans import PlanItem
from streams.contracts.state import key
from streams.engine.timed import TimedFold

SESSION_KEPT_MS: Final = 35 * DAY_MS
"""An ended session is kept as long as the input that made it."""
SESSIONS_OPEN_MAX: Final = 20
"""Open sessions of one site."""

_SESSION_TIMER: Final = f"{COUNT_SESSION}/"
_TO_COUNT: Final = frozenset({"asked", "open", "prefilled", "recount"})
_UNDECIDED: Final = frozenset({"entered", "waiting"})
_NOT_COUNTED: Final = frozenset({"asked", "open", "prefilled", "recount", "entered", "waiting"})
_TOLD: Final = frozenset({"counted", "waiting", "recount", "refused"})
"""What becomes of a line that is an event."""


class CountSessions:
    """The sessions of the sites in one partition of the planning fold."""

    def __init__(
        self, fold: TimedFold[PlanItem], answers: CommandAnswers, partition_count: int
    ) -> None:
        """Take the fold whose table, timers and outbox they share, and what it has answered."""
        self._fold = fold
        self._answers = answers
        self._partition_count = partition_count
        self._verbs: dict[str, Callable[[CountSession, CountAsked], str]] = {
            "enter": self._enter,
            "approve": self._approve,
            "recount": self._recount,
            "close": self._close,
            "cancel": self._cancel,
        }

    def ask(self, asked: CountAsked) -> None:
        """Carry a command out or refuse it, once, and say so."""
        if not self._answers.begin(asked):
            return
        session, refusal = self._carry_out(asked)
        self._answers.say(
            asked,
            session.session_id if session is not None and not refusal else asked.session_id,
            asked.site,
            refusal=refusal,
            state=session.state if session is not None else "",
            version=session.version if session is not None else 0,
        )

    def note(self, answered: CountLineAnswered) -> None:
        """Take note of what the stock fold says of a line."""
        session: CountSession | None = self._fold.table.get(key(COUNT_SESSION, answered.session_id))
        line = session.lines.get(answered.sku) if session is not None else None
        if session is None or line is None:
            return
        if session.state != "open" and answered.state != "counted":
            return  # it has been told to stop, and this crossed it
        if not (line.state == "entered" and answered.state in {"open", "prefilled"}):
            line.state = answered.state
        line.expected_units = answered.expected_units
        line.counted_units = answered.counted_units
        line.counted_at_ms = answered.counted_at_ms
        line.counted_by = answered.counted_by
        line.difference_units = answered.difference_units
        line.difference_minor = answered.difference_minor
        line.sensed_units = answered.sensed_units
        line.within_tolerance = answered.within_tolerance
        line.approved_by = answered.actor if answered.actor != answered.counted_by else ""
        line.reason = answered.reason
        self._put(session)
        if answered.state in _TOLD:
            self._tell(session.site, _line_event(answered))

    def wake(self, name: str) -> bool:
        """Do what a timer was set for; tell whether it was one of theirs."""
        if not name.startswith(_SESSION_TIMER):
            return False
        session_key = key(COUNT_SESSION, name.removeprefix(_SESSION_TIMER))
        session: CountSession = self._fold.table.get(session_key)
        if session.state == "open":
            self._end(session, "expired", "")
        else:
            self._fold.table.delete(session_key)
        return True

    def rebuild(self) -> None:
        """Set a timer for each session."""
        for _, session in self._fold.table.of_kind(COUNT_SESSION):
            self._set_timer(session)

    def _carry_out(self, asked: CountAsked) -> tuple[CountSession | None, str]:
        if asked.verb == "open":
            return self._open(asked)
        session: CountSession | None = self._fold.table.get(key(COUNT_SESSION, asked.session_id))
        if session is None or session.site != asked.site:
            return None, f"there is no count {asked.session_id} at {asked.site}"
        if session.state != "open":
            return session, f"the count is {session.state}"
        refusal = self._verbs[asked.verb](session, asked)
        if not refusal and session.state == "open":  # ended ones are put by their end
            self._put(session)
        return session, refusal

    def _open(self, asked: CountAsked) -> tuple[CountSession | None, str]:
        fold = self._fold
        if not 0 < len(asked.skus) <= COUNT_LINES_MAX or not 0 < asked.ttl_ms <= SESSION_TTL_MS_MAX:
            return None, f"a count has 1 to {COUNT_LINES_MAX} articles and at most 14 days"
        opened = sum(
            one.site == asked.site and one.state == "open"
            for _, one in fold.table.of_kind(COUNT_SESSION)
        )
        if opened >= SESSIONS_OPEN_MAX:
            return None, f"{opened} counts are open at {asked.site}: close one first"
        book_key = key(COUNT_BOOK, asked.site)
        book: CountBook = fold.table.get(book_key) or CountBook(site=asked.site)
        session = CountSession(
            session_id=f"count-{asked.site}-{book.next_number}",
            site=asked.site,
            state="open",
            opened_by=asked.actor,
            opened_at_ms=fold.now_ms,
            expires_at_ms=fold.now_ms + asked.ttl_ms,
            blind=asked.blind,
            version=0,
            lines={sku: SessionLine() for sku in sorted(asked.skus)},
            reason=asked.reason,
        )
        book.next_number += 1
        fold.table.put(book_key, book)
        self._put(session)
        self._tell_session(session, asked.actor)
        for sku in session.lines:
            self._pass_on(session, sku, "open", asked.actor)
        return session, ""

    def _enter(self, session: CountSession, asked: CountAsked) -> str:
        sku, line = _line(session, asked)
        if line is None:
            return f"{sku} is not counted in {session.session_id}"
        if line.state not in _TO_COUNT:
            return _ENTERED[line.state]
        line.state = "entered"
        self._pass_on(
            session,
            sku,
            "enter",
            asked.actor,
            quantity_units=asked.quantity_units,
            counted_at_ms=asked.counted_at_ms,
        )
        return ""

    def _approve(self, session: CountSession, asked: CountAsked) -> str:
        sku, line = _line(session, asked)
        if line is None or line.state != "waiting":
            return f"{sku} does not wait for approval"
        if asked.actor == line.counted_by:
            return "who counted it can't approve it"
        line.state = "entered"
        self._pass_on(session, sku, "approve", asked.actor)
        return ""

    def _recount(self, session: CountSession, asked: CountAsked) -> str:
        sku, line = _line(session, asked)
        if line is None or line.state != "waiting":
            return f"{sku} does not wait for approval"
        line.state = "entered"
        self._pass_on(session, sku, "recount", asked.actor)
        return ""

    def _close(self, session: CountSession, asked: CountAsked) -> str:
        undecided = [sku for sku, line in session.lines.items() if line.state in _UNDECIDED]
        if undecided:
            return f"{len(undecided)} lines wait for approval, such as {undecided[0]}"
        self._end(session, "closed", asked.actor)
        return ""

    def _cancel(self, session: CountSession, asked: CountAsked) -> str:
        self._end(session, "cancelled", asked.actor)
        return ""

    def _end(self, session: CountSession, state: SessionState, actor: str) -> None:
        session.state, session.closed_at_ms = state, self._fold.now_ms
        for sku, line in session.lines.items():
            if line.state in _NOT_COUNTED:
                line.state = "missed"
                self._pass_on(session, sku, "close", actor)
        self._put(session)
        self._tell_session(session, actor)

    def _pass_on(
        self,
        session: CountSession,
        sku: str,
        action: CountLineAction,
        actor: str,
        *,
        quantity_units: int = 0,
        counted_at_ms: int = 0,
    ) -> None:
        asked = CountLineInput(
            session_id=session.session_id,
            sku=sku,
            site=session.site,
            action=action,
            actor=actor,
            quantity_units=quantity_units,
            counted_at_ms=counted_at_ms,
            blind=session.blind,
        )
        partition = partition_of(sku, self._partition_count)
        fold = self._fold
        fold.outbox.add(INPUTS.name, partition, INPUT_FRAMES, asked, fold.now_ms)

    def _put(self, session: CountSession) -> None:
        session.version += 1
        self._fold.table.put(key(COUNT_SESSION, session.session_id), session)
        self._set_timer(session)

    def _set_timer(self, session: CountSession) -> None:
        ended = session.state != "open"
        due_ms = session.closed_at_ms + SESSION_KEPT_MS if ended else session.expires_at_ms
        self._fold.timers.set(_SESSION_TIMER + session.session_id, due_ms)

    def _tell_session(self, session: CountSession, actor: str) -> None:
        states = Counter(line.state for line in session.lines.values())
        changed = CountSessionChanged(
            session_id=session.session_id,
            site=session.site,
            state=session.state,
            at_ms=self._fold.now_ms,
            actor=actor,
            lines=dict(sorted(states.items())),
        )
        self._tell(session.site, changed)

    def _tell(self, site: str, event: StreamEvent) -> None:
        partition = partition_of(site, self._partition_count)
        fold = self._fold
        fold.outbox.add(EVENTS.name, partition, EVENT_FRAMES, event, fold.now_ms)


_ENTERED: Final[dict[str, str]] = {
    "entered": "what was entered is being compared",
    "waiting": "what was entered waits for approval",
    "counted": "it is already counted",
    "skipped": "its sensors agree with the book: it is not counted",
    "refused": "it could not be opened here",
}


def _line(session: CountSession, asked: CountAsked) -> tuple[str, SessionLine | None]:
    sku = asked.skus[0] if asked.skus else ""
    return sku, session.lines.get(sku)


def _line_event(answered: CountLineAnswered) -> CountLineChanged:
    return CountLineChanged(
        session_id=answered.session_id,
        sku=answered.sku,
        site=answered.site,
        state=answered.state,
        at_ms=answered.at_ms,
        actor=answered.actor,
        decided_from={
            "expected_units": answered.expected_units,
            "counted_units": answered.counted_units,
            "counted_at_ms": answered.counted_at_ms,
            "difference_units": answered.difference_units,
            "difference_minor": answered.difference_minor,
            **answered.tolerance,
        },
        reason=answered.reason,
        within_tolerance=answered.within_tolerance,
        reference_version=answered.reference_version,
    )
