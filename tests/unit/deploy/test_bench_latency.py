"""The latency benchmark's load and its judgement of what came back."""

from collections import Counter

import pytest

from deploy.bench.latency import keeps_up
from deploy.bench.open_loop import (
    HIGH_UNITS,
    LOW_UNITS,
    MIN_UNITS,
    Load,
    crossings,
    percentile,
    reading,
)

LOAD = Load(rate_per_s=2_000, seconds=4.0, crossings_per_s=60)


def test_events_are_due_evenly_whatever_is_answered() -> None:
    """Event n is due n / rate after the begin; a load has rate x seconds of them."""
    assert LOAD.events == 8_000
    assert [LOAD.due_ns(number) for number in (0, 1, 2_000)] == [0, 500_000, 1_000_000_000]


def test_each_crossing_opens_a_breach_that_was_closed() -> None:
    """A key goes low only after it was high: every crossing is one new breach, none is hidden."""
    units: dict[tuple[str, str], int] = {}
    opened = Counter[tuple[str, str]]()
    for number in range(LOAD.events):
        one = reading(LOAD, number)
        key = one.site, one.sku
        if one.crosses:
            assert units.get(key, HIGH_UNITS) >= MIN_UNITS
            assert one.units == LOW_UNITS
            opened[key] += 1
        else:
            assert one.units >= MIN_UNITS
        units[key] = one.units
    assert opened == Counter((one.site, one.sku) for one in crossings(LOAD))
    assert sum(opened.values()) > 200


def test_a_load_goes_on_where_the_last_one_ended() -> None:
    """The first probe of the next load is none that the last one sent."""
    following = Load(rate_per_s=2_000, seconds=1.0, crossings_per_s=60, first_probe=LOAD.next_probe)
    last = max(number for number in range(LOAD.events) if number % LOAD.probe_every == 0)
    assert reading(following, 0) != reading(LOAD, last)
    assert LOAD.next_probe == last // LOAD.probe_every + 1


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1.0), (0.5, 2.0), (0.75, 3.0), (0.99, 4.0), (1.0, 4.0)]
)
def test_a_percentile_is_a_value_that_was_measured(share: float, expected: float) -> None:
    """Nearest rank: the smallest value that at least the share is not above."""
    assert percentile([1.0, 2.0, 3.0, 4.0], share) == expected


def test_no_value_has_no_percentile() -> None:
    """Nothing measured is told as nothing, never as zero."""
    assert percentile([], 0.5) is None


def test_a_rate_is_kept_up_with_while_latency_does_not_grow() -> None:
    """A growing queue, a loss or too little to judge by is no sustained rate."""
    level = [(second / 10, 80.0 + second % 3) for second in range(100)]
    growing = [(second / 10, 80.0 + 10 * second) for second in range(100)]
    assert keeps_up(level, lost=0)
    assert not keeps_up(growing, lost=0)
    assert not keeps_up(level, lost=1)
    assert not keeps_up(level[:1], lost=0)
