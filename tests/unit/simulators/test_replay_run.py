"""A replay on a connection: complete, at its speed, and given up when receipts stop coming."""

from simulators.orderlog import OrderLine
from simulators.ports import Heard
from simulators.replay_run import PROGRESS_S, STALL_S_MAX, ReplayFigures, ReplayRun
from simulators.replaying import Replay, replay_sites
from tests.unit.simulators.loopback import Clock, Loopback

SITES = replay_sites(2)


def some_lines(count: int) -> list[OrderLine]:
    """Return so many lines, a second apart, at two sites."""
    return [OrderLine(1_000 * number, number % 2, "TEA", 1) for number in range(count)]


def a_run(
    link: Loopback, *, lines: int = 50, speed: float | None = None, look_s: float = 0.01
) -> tuple[ReplayRun, Replay, list[ReplayFigures]]:
    """Return a run, its replay, and the list its progress is told to."""
    told: list[ReplayFigures] = []
    replay = Replay(some_lines(lines), SITES, "b", driven=True)
    run = ReplayRun(
        replay,
        link,
        clock=Clock(look_s),
        speed=speed,
        first_at_ms=0,
        on_progress=told.append,
    )
    return run, replay, told


def test_every_line_is_accepted_and_counted() -> None:
    """As fast as receipts allow: all lines out once, and the figures say so."""
    link = Loopback()
    run, _, _ = a_run(link)
    figures = run.run()
    assert (figures.complete, figures.lines, figures.accepted_events) == (True, 50, 50)
    assert (figures.resent_events, len(link.events)) == (0, 50)
    assert figures.events_per_s > 0
    assert link.topics[0] == "stock/v1/_time"


def test_a_slow_file_is_played_at_its_speed() -> None:
    """Fifty file seconds at ten a second last five seconds, not less."""
    run, _, _ = a_run(Loopback(), speed=10.0)
    figures = run.run()
    assert figures.complete
    assert 4.9 <= figures.seconds < 6.0


def test_waiting_for_its_time_is_no_stall() -> None:
    """A night without lines is longer than the patience for receipts, and is waited for."""
    run, _, _ = a_run(Loopback(), lines=2, speed=1 / (2 * STALL_S_MAX), look_s=1.0)
    assert run.run().complete


def test_silence_ends_a_replay() -> None:
    """With no receipt for the named time it gives up and says that it is not complete."""
    run, replay, _ = a_run(Loopback(accepts=lambda _topic: False), look_s=1.0)
    figures = run.run()
    assert not figures.complete
    assert figures.accepted_events == 0
    assert STALL_S_MAX <= figures.seconds < 2 * STALL_S_MAX
    assert replay.fleet.unaccepted_events == 50


def test_a_dead_connection_ends_a_replay_at_any_speed() -> None:
    """Nobody waits for the file's time where nothing can be sent at all."""
    run, _, _ = a_run(Loopback(ready=False), speed=10.0, look_s=1.0)
    figures = run.run()
    assert (figures.complete, figures.lines) == (False, 0)


def test_what_the_queue_refuses_is_sent_again() -> None:
    """A full queue of the client costs a time-out, not an event."""
    link = Loopback(room_messages=1)  # the time, and no scan
    run, replay, _ = a_run(link, look_s=0.5)
    before = link.heard

    def heard(wait_s: float = 0.0) -> list[Heard]:
        link.room_messages += replay.fleet.published_events  # there is room from now on
        return before(wait_s)

    link.heard = heard  # type: ignore[method-assign] # the run looks here all the time
    figures = run.run()
    assert figures.complete
    assert figures.resent_events == 50


def test_progress_is_told_now_and_then() -> None:
    """Every few seconds, with figures that grow."""
    run, _, told = a_run(Loopback(), speed=1.0, look_s=0.05)
    seconds = run.run().seconds
    assert len(told) == int(seconds // PROGRESS_S)
    assert [one.accepted_events for one in told] == sorted(one.accepted_events for one in told)
    assert not told[0].complete
