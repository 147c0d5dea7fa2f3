"""The process table: its order, its choices, and when an ended process is started again."""

from pathlib import Path

import pytest

from deploy.stack.parts import Part, chosen, in_levels
from deploy.stack.restarts import (
    DELAY_S_FAILED,
    DELAY_S_MAX,
    RESTARTS_MAX,
    WINDOW_S,
    RestartHistory,
)
from ingest.contracts.errors import StackError


def part(name: str, *needs: str) -> Part:
    """Return a part that only has a name and needs."""
    return Part(name=name, argv=["true"], log=Path(name), needs=needs)


TABLE = [
    part("kafka"),
    part("mosquitto"),
    part("bridge", "kafka", "mosquitto"),
    part("sink", "kafka"),
]


def test_a_part_starts_after_what_it_needs() -> None:
    """Levels follow the needs, and keep the table's order within."""
    names = [[each.name for each in level] for level in in_levels(TABLE)]
    assert names == [["kafka", "mosquitto"], ["bridge", "sink"]]


def test_a_knot_is_refused() -> None:
    """Two parts that need each other, or one that needs nobody's name, are a sentence."""
    with pytest.raises(StackError, match="knot: a, b"):
        in_levels([part("a", "b"), part("b", "a")])
    with pytest.raises(StackError, match="knot: a"):
        in_levels([part("a", "nobody")])


def test_a_choice_brings_what_it_needs() -> None:
    """One named process comes with its brokers and nothing else."""
    assert [each.name for each in chosen(TABLE, ["sink"])] == ["kafka", "sink"]
    with pytest.raises(StackError, match="nothing is no process: there are kafka"):
        chosen(TABLE, ["nothing"])


def test_restarts_come_later_and_later() -> None:
    """Each end within the window doubles the delay, up to its limit."""
    history = RestartHistory()
    restarts = [history.ended(float(now_s)) for now_s in range(RESTARTS_MAX)]
    delays_s = [restart.delay_s for restart in restarts]
    assert delays_s == sorted(delays_s)
    assert delays_s[-1] <= DELAY_S_MAX
    assert not any(restart.is_failure for restart in restarts)


def test_more_than_five_in_a_minute_is_a_visible_failure() -> None:
    """The sixth end fails the part; it is still tried, once a minute."""
    history = RestartHistory()
    for _ in range(RESTARTS_MAX):
        history.ended(0.0)
    sixth = history.ended(1.0)
    assert sixth.is_failure
    assert sixth.delay_s == DELAY_S_FAILED


def test_old_ends_are_forgotten() -> None:
    """A process that ran longer than the window starts again at once."""
    history = RestartHistory()
    for _ in range(RESTARTS_MAX):
        history.ended(0.0)
    late = history.ended(WINDOW_S + 1)
    assert not late.is_failure
    assert late.delay_s == RestartHistory().ended(0.0).delay_s
