"""What a flap limit promises whatever happens to a level."""

from collections import defaultdict

from hypothesis import given

from ingest.contracts.order_lines import OrderLineInput
from ingest.frames import ReadingInput, ScanInput, TickInput
from streams.contracts.events import BreachCleared, BreachOpened
from tests.property.fold_scripts import FLAP_OPENS_MAX, FLAP_WINDOW_MS, Step, run, scripts

LIMITED = frozenset({"low_stock", "stockout", "predicted_stockout", "overstock"})


@given(scripts(ScanInput, ReadingInput, OrderLineInput, TickInput))
def test_no_window_has_more_openings_than_the_limit_and_one(script: list[Step]) -> None:
    """Of one kind at one level; with what was opened last held for a window at least."""
    story = run(script)
    opened_ms: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for event in story.events(BreachOpened):
        if event.kind in LIMITED:
            opened_ms[event.sku, event.site, event.kind].append(event.at_ms)
    for times_ms in opened_ms.values():
        first_and_too_many = zip(times_ms, times_ms[FLAP_OPENS_MAX + 1 :], strict=False)
        for first_ms, last_ms in first_and_too_many:
            assert last_ms - first_ms >= FLAP_WINDOW_MS


@given(scripts(ScanInput, ReadingInput, OrderLineInput, TickInput))
def test_a_flapping_breach_is_open_for_a_window_at_least(script: list[Step]) -> None:
    """And what is kept of a level is never more than the limit asks for."""
    story = run(script)
    flapping = {
        event.breach_id
        for event in story.events(BreachOpened)
        if "flap_opens_max" in event.decided_from
    }
    for event in story.events(BreachCleared):
        if event.breach_id in flapping:
            assert event.at_ms - event.opened_at_ms >= FLAP_WINDOW_MS
    for level in story.levels():
        assert all(len(one.opened_at_ms) <= FLAP_OPENS_MAX for one in level.recent_breaches)
        held = {breach.breach_id for breach in level.breaches if breach.flapping}
        assert held <= flapping
