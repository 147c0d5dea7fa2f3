"""Key figures as the fold sums them, beside the plainest reckoning from the ledger."""

from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ingest.contracts.order_lines import OrderLineInput
from ingest.frames import CommandInput, OpeningInput, ScanInput, TickInput
from streams.contracts.blindness import BlindIntervalChanged
from streams.contracts.kpis import KPI, Kpi, KpisClosed, KpiSums
from streams.contracts.ledger import Movement
from streams.contracts.state import CLOCK, Clock, Level, decode, key
from streams.domain.kpis import summed
from tests.property.fold_scripts import (
    LONG_PACE_MS,
    STEPS_MAX,
    Step,
    long_scripts,
    run,
    script_of,
    scripts,
)
from tests.unit.streams.builders import T0, Story

_BOOKED = (ScanInput, CommandInput, OpeningInput, OrderLineInput, TickInput)
_TOLERANCE_UNITS = 3
"""As the first policy of every script has it."""
_ISSUES = {"sale", "pick", "fulfil"}
Key = tuple[str, str]


def booked_scripts() -> st.SearchStrategy[list[Step]]:
    """Return scripts of weeks without sensors and policies: the ledger knows all that matters.

    Order lines are reserved at once; what others ask for is not in the ledger.
    """
    return st.builds(
        script_of,
        st.integers(0, 2**32),
        st.integers(0, STEPS_MAX),
        st.just(_BOOKED),
        st.just(LONG_PACE_MS),
    ).map(_at_once)


def _at_once(script: list[Step]) -> list[Step]:
    return [
        (
            after_ms,
            replace(item, when_short="reserve", need_by_ms=0)
            if isinstance(item, OrderLineInput)
            else item,
        )
        for after_ms, item in script
    ]


def _kpi(story: Story, level: Level) -> Kpi:
    raw = key(KPI, level.sku, level.site)
    found = decode(raw, story.state[raw])
    assert isinstance(found, Kpi)
    return found


def _now_ms(story: Story) -> int:
    """Return the fold's now: a tick may have been ahead of the frames."""
    clock = decode(key(CLOCK), story.state[key(CLOCK)])
    assert isinstance(clock, Clock)
    return clock.now_ms


def _told(story: Story) -> dict[Key, Counter[str]]:
    """Return the sums of all periods, the open one too."""
    found: dict[Key, Counter[str]] = defaultdict(Counter)
    parts = [((told.sku, told.site), told.sums) for told in story.events(KpisClosed)]
    for level in story.levels():
        sums = summed(level, _kpi(story, level), _now_ms(story))
        parts.append(((level.sku, level.site), sums))
    for sku_site, sums in parts:
        for name in KpiSums.__struct_fields__:
            found[sku_site][name] += getattr(sums, name)
    return found


class _Recount:
    """One key, movement by movement."""

    def __init__(self) -> None:
        self.sums: Counter[str] = Counter()
        self._units: Counter[str] = Counter()
        self._at_ms = T0
        self._reserved_by = ""

    def take(self, movement: Movement) -> None:
        self.wait(movement.recorded_at_ms)
        kind, units = movement.kind, movement.quantity_units
        available_units = self._available_units()
        at_once = movement.bucket == "on_hand" and movement.cause != self._reserved_by
        if kind == "reserve" or (kind == "fulfil" and at_once):
            self.sums["asked_units"] += abs(units)
            self.sums["filled_units"] += max(0, min(abs(units), available_units))
        self._reserved_by = movement.cause if movement.bucket == "reserved" else ""
        if "was_sale" in movement.flags or "was_pick" in movement.flags:  # taken back
            self.sums["issued_units"] -= units
        if kind in _ISSUES and movement.bucket == "on_hand":
            self.sums["issued_units"] -= units
        if kind == "count" and "in_session" not in movement.flags:
            self.sums["counted_records"] += 1
            self.sums["accurate_records"] += abs(units) <= _TOLERANCE_UNITS
        self._units[movement.bucket] += units

    def wait(self, until_ms: int) -> None:
        span_ms = until_ms - self._at_ms
        seconds = until_ms // 1_000 - self._at_ms // 1_000
        self._at_ms = until_ms
        self.sums["observed_ms"] += span_ms
        self.sums["held_unit_s"] += seconds * self._units["on_hand"]
        if self._available_units() <= 0:
            self.sums["out_ms"] += span_ms

    def _available_units(self) -> int:
        held_units = self._units["reserved"] + self._units["quarantined"]
        return self._units["on_hand"] - held_units


def _recounted(story: Story) -> dict[Key, Counter[str]]:
    counts: dict[Key, _Recount] = defaultdict(_Recount)
    for movement in story.movements():
        counts[movement.sku, movement.site].take(movement)
    for count in counts.values():
        count.wait(_now_ms(story))
    return {sku_site: count.sums for sku_site, count in counts.items()}


def _blind_ms(story: Story) -> Counter[Key]:
    """Return the length of all blind intervals told of, the open ones up to now."""
    found: Counter[Key] = Counter()
    begun_ms: dict[str, tuple[Key, int]] = {}
    for told in story.events(BlindIntervalChanged):
        if told.state == "open":
            assert told.channels
            begun_ms[told.blind_id] = (told.sku, told.site), told.at_ms
        else:
            place, since_ms = begun_ms.pop(told.blind_id)
            assert (place, since_ms) == ((told.sku, told.site), told.since_ms)
            found[place] += told.at_ms - since_ms
    for place, since_ms in begun_ms.values():
        found[place] += _now_ms(story) - since_ms
    return found


@given(booked_scripts())
def test_figures_equal_a_recount_of_the_ledger(script: list[Step]) -> None:
    """Time held and out of stock, issues, orders and counts: to the unit."""
    story = run(script)
    told, recounted = _told(story), _recounted(story)
    assert set(told) == set(recounted)
    for sku_site, sums in recounted.items():
        assert +told[sku_site] == +sums
        assert told[sku_site]["held_unit_s"] == sums["held_unit_s"]


@given(st.one_of(scripts(), long_scripts()))
def test_time_is_seen_or_unseen_and_never_twice(script: list[Step]) -> None:
    """Under any policy and sensor: what is seen and unseen is no more than the time gone by."""
    story = run(script)
    recounted, intervals = _recounted(story), _blind_ms(story)
    for sku_site, sums in _told(story).items():
        assert sums["observed_ms"] + sums["unseen_ms"] <= _now_ms(story) - T0
        assert 0 <= sums["out_ms"] <= sums["observed_ms"]
        assert 0 <= sums["blind_ms"] <= intervals[sku_site]
        if sums["observed_ms"] + sums["unseen_ms"] == _now_ms(story) - T0:  # no period untold
            assert sums["blind_ms"] == intervals[sku_site]
        assert sums["blind_ms"] + sums["sensed_ms"] <= _now_ms(story) - T0
        assert 0 <= sums["sensed_ms"] <= sums["observed_ms"] + sums["unseen_ms"]
        if sums["observed_ms"] == _now_ms(story) - T0:  # all was seen, and all was told
            assert sums["held_unit_s"] == recounted[sku_site]["held_unit_s"]
