"""What `shelfstream explain` says, and that folding anew gives the same."""

from typing import Any

import pytest

from deploy.explanations import explained, named_events, threshold_behind
from deploy.refolds import Refold
from ingest.contracts.topics import EVENTS
from ingest.frames import INPUT_FRAMES, TickInput
from streams.contracts.events import (
    BreachOpened,
    NeedChanged,
    StreamEvent,
    ThresholdChanged,
    TransferChanged,
)
from streams.domain.fold import StockFold
from tests.property.fold_scripts import FIRST, LONG_PACE_MS, STEPS_MAX, run, script_of
from tests.unit.streams.builders import SHOP, SKU, T0, WAREHOUSE, Story, opening, policy, scan
from tests.unit.streams.demand_story import Shop


def _events(story: Story) -> list[StreamEvent]:
    found: list[Any] = story.items(EVENTS.name, object)
    return found


@pytest.fixture(scope="module")
def shop() -> Shop:
    """Return a shop whose computed minimum was crossed and answered, and is over again."""
    shop = Shop(stock=1_000, autonomy="auto").days([20, 24, 16, 22, 18] * 5).turn()
    shop.story.tell(opening(50, site=WAREHOUSE))
    minimum = shop.story.events(ThresholdChanged)[-1].reorder_units
    shop.sell(shop.story.level().on_hand_units - minimum + 1)
    shop.story.tell(scan("receive", 400, seq=900))
    return shop


def test_a_threshold_is_explained_by_its_own_numbers(shop: Shop) -> None:
    """Inputs, formula and limits; computed again it is the same."""
    last = shop.story.events(ThresholdChanged)[-1]
    lines = explained([last])
    assert lines[0].startswith(f"{last.threshold_id}: {SKU} at {SHOP}, 20")
    text = "\n".join(lines)
    for part in (
        "by the daily review, catalogue load 1",
        "a day, deviation ",
        "(smooth; 24 days learned, 1 out of stock or unseen)",
        "lead time 1 d, deviation 0 ms, measured 0 times; review 1 d",
        "deviation = sqrt(2 * ",
        "minimum for a service level 95 % (normal): ",
        " + 1.645 * ",
        f", floor 0: {last.reorder_units}",
        f"maximum {last.reorder_units} + ",
    ):
        assert part in text
    assert lines[-1] == "computed again: the same"


def test_a_breach_is_explained_with_the_threshold_behind_it(shop: Shop) -> None:
    """Available and position are summed up before the reader's eyes; then it is told as over."""
    breach = next(
        one
        for one in shop.story.events(BreachOpened)
        if one.kind == "low_stock" and one.site == SHOP
    )
    found = named_events(_events(shop.story), breach.breach_id)
    lines = explained(found)
    assert lines[0] == f"{breach.breach_id}: low_stock of {SKU} at {SHOP}"
    available = breach.available_units
    assert f"available = {available} - reserved 0 - quarantined 0 - buffer 0 = {available}" in lines
    behind = threshold_behind(found)
    assert behind == shop.story.events(ThresholdChanged)[-1].threshold_id
    assert f"threshold {breach.threshold_units} (computed: {behind})" in "\n".join(lines)
    assert lines[-1].startswith("cleared ")


def test_a_flapping_breach_is_explained_by_its_limit() -> None:
    """The others of its kind say nothing of a limit."""
    limit = {"flap_opens_max": 1, "flap_window_ms": 60_000}
    story = Story().tell(policy(autonomy="observe", **limit), opening(10))
    story.tell(scan("sale", seq=1)).tell(scan("return", seq=2)).tell(scan("sale", seq=3))
    told = "flapping: its openings within 1 min were more than 1, so it is held open until it has"
    found = [told in "\n".join(explained([one])) for one in story.events(BreachOpened)]
    assert found == [False, True]


def test_transfers_and_requests_are_explained(shop: Shop) -> None:
    """By the numbers that the answer was decided from, and each later state."""
    transfer = shop.story.events(TransferChanged)[0].transfer
    lines = explained(named_events(_events(shop.story), transfer.transfer_id))
    assert lines[0].endswith(f"of {SKU} from {WAREHOUSE} to {SHOP}, an answer to a shortage")
    assert "donor_surplus_units 50" in lines[2]
    need = shop.story.events(NeedChanged)[0].need
    lines = explained(named_events(_events(shop.story), need.need_id))
    assert lines[0] == f"{need.need_id}: {SKU} for {SHOP} from {WAREHOUSE}"
    assert "rest_units" in lines[2]
    assert any("closed" in line for line in lines)


def test_folding_the_log_anew_gives_the_same_events() -> None:
    """Frame by frame with what is no frame left out, as the worker does."""
    script = script_of(11, STEPS_MAX, pace_ms=LONG_PACE_MS)
    story = run(script)
    again = Refold(StockFold(0, 3))
    again.fold(INPUT_FRAMES.encode(list(FIRST), received_at_ms=T0))
    again.fold(b"no frame")
    now_ms = T0
    for after_ms, item in script:
        now_ms += after_ms
        again.fold(INPUT_FRAMES.encode([item], received_at_ms=now_ms))
    assert again.events == _events(story)
    assert len(again.events) > 10
    again.fold(INPUT_FRAMES.encode([TickInput(now_ms)], received_at_ms=now_ms))
    assert again.events == _events(story)
