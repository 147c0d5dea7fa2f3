"""Count sessions in the planning fold: their states, who may do what, and what is passed on."""

from typing import Any

import pytest

from ingest.contracts.counts import COUNT_LINES_MAX, SESSION_TTL_MS_MAX, CountLineInput
from ingest.contracts.durations import DAY_MS
from ingest.contracts.topics import EVENTS, INPUTS
from ingest.frames import INPUT_FRAMES
from streams.contracts.counts import (
    COUNT_SESSION,
    SESSION_STRUCTS,
    CountAsked,
    CountLineAnswered,
    CountLineChanged,
    CountSession,
    CountSessionChanged,
)
from streams.contracts.events import EVENT_FRAMES, CommandAccepted, CommandRefused
from streams.contracts.plans import PLAN_FRAMES
from streams.contracts.state import COMMAND, key
from streams.domain.count_sessions import SESSION_KEPT_MS, SESSIONS_OPEN_MAX
from streams.engine.table import RecordTable
from streams.planning import planning_spec
from tests.folds import FoldRun

SITE = "berlin"
SESSION = f"count-{SITE}-1"


def ask(verb: Any, *skus: str, name: str = "", actor: str = "ann", **more: Any) -> CountAsked:
    """Return a command; the session is the first of the site, unless one is opened."""
    fields = {"session_id": "" if verb == "open" else SESSION, "ttl_ms": DAY_MS, **more}
    return CountAsked(
        command_id=name or f"{verb}-{'-'.join(skus)}-{actor}",
        verb=verb,
        site=SITE,
        actor=actor,
        skus=list(skus),
        **fields,
    )


def answered(sku: str, state: Any, **more: Any) -> CountLineAnswered:
    """Return what the stock fold says of a line."""
    fields = {"session_id": SESSION, "site": SITE, "at_ms": 5, **more}
    return CountLineAnswered(sku=sku, state=state, **fields)


def opened(*skus: str, **more: Any) -> FoldRun:
    """Return a fold with one open session, all of whose lines are open."""
    run = FoldRun(planning_spec(), PLAN_FRAMES)
    run.at(1_000, ask("open", *(skus or ("milk", "tea")), **more))
    run.at(1_001, *(answered(sku, "open") for sku in skus or ("milk", "tea")))
    return run


def session(run: FoldRun, session_id: str = SESSION) -> CountSession:
    """Return a session as written."""
    table = RecordTable(SESSION_STRUCTS, "\x1f")
    table.load(run.state)
    found: CountSession = table.get(key(COUNT_SESSION, session_id))
    return found


def events(run: FoldRun, kind: type) -> list[Any]:
    """Return the events of one kind."""
    return [one for one in run.said(EVENTS.name, EVENT_FRAMES) if isinstance(one, kind)]


def passed_on(run: FoldRun) -> list[tuple[str, str]]:
    """Return what was asked of the stock fold, by action and SKU."""
    said = run.said(INPUTS.name, INPUT_FRAMES)
    return [(one.action, one.sku) for one in said if isinstance(one, CountLineInput)]


def test_an_opened_session_asks_for_its_lines() -> None:
    """Each SKU is asked of its own partition, and the opener hears the session's id."""
    run = opened()
    assert sorted(passed_on(run)) == [("open", "milk"), ("open", "tea")]
    [accepted] = events(run, CommandAccepted)
    assert (accepted.entity_id, accepted.actor) == (SESSION, "ann")
    assert {sku: line.state for sku, line in session(run).lines.items()} == {
        "milk": "open",
        "tea": "open",
    }


def test_a_count_is_passed_on_and_its_result_kept() -> None:
    """Quantity, time and counter go to the stock fold; the answer is an event with its numbers."""
    run = opened()
    run.at(1_002, ask("enter", "milk", quantity_units=7, counted_at_ms=990))
    sent = run.said(INPUTS.name, INPUT_FRAMES)[-1]
    assert (sent.quantity_units, sent.counted_at_ms, sent.actor) == (7, 990, "ann")
    run.at(1_003, answered("milk", "counted", expected_units=9, counted_units=7, counted_by="ann"))
    assert session(run).lines["milk"].state == "counted"
    [changed] = events(run, CountLineChanged)
    assert changed.decided_from["expected_units"] == 9
    run.at(1_004, ask("enter", "milk", name="again", quantity_units=8))
    assert events(run, CommandRefused)[-1].reason == "it is already counted"


def test_who_counted_does_not_approve() -> None:
    """A second person has to look at it; then it is passed on."""
    run = opened()
    run.at(1_002, ask("enter", "milk", quantity_units=1))
    run.at(1_003, answered("milk", "waiting", counted_by="ann", actor="ann"))
    run.at(1_004, ask("approve", "milk"))
    assert events(run, CommandRefused)[-1].reason == "who counted it can't approve it"
    run.at(1_005, ask("approve", "milk", actor="bob"))
    assert passed_on(run)[-1] == ("approve", "milk")
    run.at(1_006, answered("milk", "counted", counted_by="ann", actor="bob"))
    assert session(run).lines["milk"].approved_by == "bob"


def test_a_recount_may_be_asked_for_by_anyone() -> None:
    """The line is open for a count again."""
    run = opened()
    run.at(1_002, answered("milk", "waiting", counted_by="ann"), ask("recount", "milk"))
    run.at(1_003, answered("milk", "recount"), ask("enter", "milk", quantity_units=3))
    assert passed_on(run)[-2:] == [("recount", "milk"), ("enter", "milk")]


def test_a_session_with_a_line_in_the_balance_is_not_closed() -> None:
    """Neither while it is compared nor while it waits; afterwards what nobody counted is missed."""
    run = opened()
    run.at(1_002, ask("enter", "milk", quantity_units=1))
    run.at(1_003, ask("close"))
    assert "1 lines wait" in events(run, CommandRefused)[-1].reason
    run.at(1_004, answered("milk", "counted"))
    run.at(1_005, ask("close", name="close-2"))
    ended = session(run)
    assert (ended.state, ended.lines["tea"].state) == ("closed", "missed")
    assert [one for one in passed_on(run) if one[0] == "close"] == [("close", "tea")]
    assert events(run, CountSessionChanged)[-1].lines == {"counted": 1, "missed": 1}
    run.at(1_006, ask("enter", "tea", quantity_units=1))
    assert events(run, CommandRefused)[-1].reason == "the count is closed"


def test_a_cancelled_session_drops_what_waits() -> None:
    """Its lines are told to stop."""
    run = opened()
    run.at(1_002, answered("milk", "waiting"), ask("cancel"))
    assert session(run).state == "cancelled"
    assert {("close", "milk"), ("close", "tea")} <= set(passed_on(run))


def test_a_session_expires_and_is_forgotten() -> None:
    """After its time-out nothing of it is booked any more; 35 days later it has left the state."""
    run = opened()
    run.restore()
    run.at(1_000 + DAY_MS - 1)
    run.at(1_000 + DAY_MS, ask("close"))
    assert session(run).state == "expired"
    assert ("close", "tea") in passed_on(run)
    run.at(1_000 + DAY_MS + SESSION_KEPT_MS, ask("close", name="later"))
    assert key(COUNT_SESSION, SESSION) not in run.state
    assert events(run, CommandRefused)[-1].reason == f"there is no count {SESSION} at {SITE}"
    kept = [raw for raw in run.state if raw.startswith(COMMAND.encode())]
    assert kept == [key(COMMAND, "later")]


def test_a_result_that_crossed_the_end_is_kept() -> None:
    """What was booked was booked, whatever the session had been told meanwhile."""
    run = opened()
    run.at(1_002, ask("enter", "milk", quantity_units=1), ask("cancel"))
    run.at(1_003, answered("milk", "counted", counted_units=1))
    assert session(run).lines["milk"].state == "counted"
    run.at(1_004, answered("tea", "waiting"))
    assert session(run).lines["tea"].state == "missed"


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (ask("enter", "salt"), f"salt is not counted in {SESSION}"),
        (ask("approve", "milk"), "milk does not wait for approval"),
        (ask("recount", "milk"), "milk does not wait for approval"),
        (ask("close", session_id="count-berlin-9"), "there is no count count-berlin-9 at berlin"),
    ],
)
def test_what_does_not_fit_is_refused(asked: CountAsked, reason: str) -> None:
    """With a reason, and nothing is passed on."""
    run = opened()
    before = passed_on(run)
    run.at(1_002, asked)
    assert events(run, CommandRefused)[-1].reason == reason
    assert passed_on(run) == before


def test_a_command_is_carried_out_once() -> None:
    """The same id again is no second session, and has no second answer."""
    run = FoldRun(planning_spec(), PLAN_FRAMES)
    for now_ms in (1, 2):
        run.at(now_ms, ask("open", "milk", name="c"))
        run.restore()
    assert len(events(run, CommandAccepted)) == 1
    assert passed_on(run) == [("open", "milk")]


@pytest.mark.parametrize(
    "asked",
    [
        ask("open", name="none"),
        ask("open", *(f"sku-{number}" for number in range(COUNT_LINES_MAX + 1)), name="many"),
        ask("open", "milk", ttl_ms=0),
        ask("open", "milk", ttl_ms=SESSION_TTL_MS_MAX + 1),
    ],
    ids=["none", "too many", "no time", "too long"],
)
def test_a_session_keeps_its_limits(asked: CountAsked) -> None:
    """At the limit it opens, beyond it is refused, whoever wrote the command."""
    run = FoldRun(planning_spec(), PLAN_FRAMES)
    run.at(1, asked)
    assert "1 to 500 articles" in events(run, CommandRefused)[-1].reason
    most = [f"sku-{number}" for number in range(COUNT_LINES_MAX)]
    run.at(2, ask("open", *most, name="most", ttl_ms=SESSION_TTL_MS_MAX))
    assert len(session(run).lines) == COUNT_LINES_MAX


def test_so_many_counts_are_open_at_a_site() -> None:
    """The next one is refused until one ends."""
    run = FoldRun(planning_spec(), PLAN_FRAMES)
    for number in range(SESSIONS_OPEN_MAX + 1):
        run.at(number, ask("open", f"sku-{number}"))
    assert len(events(run, CommandAccepted)) == SESSIONS_OPEN_MAX
    assert "close one first" in events(run, CommandRefused)[-1].reason
    run.at(99, ask("close"), ask("open", "more"))
    assert events(run, CommandAccepted)[-1].entity_id == f"count-{SITE}-{SESSIONS_OPEN_MAX + 1}"
