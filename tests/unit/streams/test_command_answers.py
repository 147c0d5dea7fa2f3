"""What people ask of the planning and the alert fold: answered once, remembered for a day."""

from typing import Any

import pytest

from alerting.alerts import alert_spec
from ingest.contracts.topics import EVENTS
from ingest.frames import FrameCodec
from streams.command_answers import ANSWERS_KEPT_MS
from streams.contracts.alerts import ALERT_INPUT_FRAMES, AlertAnswer
from streams.contracts.counts import CountAsked
from streams.contracts.events import EVENT_FRAMES, CommandRefused
from streams.contracts.orders import OrderAsked
from streams.contracts.plans import PLAN_FRAMES
from streams.contracts.purchases import PurchaseCommand
from streams.contracts.state import COMMAND, key
from streams.engine.fold import FoldSpec
from streams.planning import planning_spec
from tests.folds import FoldRun

_WHO: dict[str, Any] = {"command_id": "c1", "actor": "ann"}
_PLANNING = (planning_spec(), PLAN_FRAMES)
_ALERTS = (alert_spec(), ALERT_INPUT_FRAMES)


@pytest.mark.parametrize(
    ("spec", "codec", "asked"),
    [
        (*_PLANNING, CountAsked(verb="close", session_id="count-x-1", site="x", **_WHO)),
        (*_PLANNING, OrderAsked(verb="cancel", order_id="o1", **_WHO)),
        (*_PLANNING, PurchaseCommand(verb="close_purchase", order_id="purchase-m-1", **_WHO)),
        (*_ALERTS, AlertAnswer(verb="silence", alert_key="breach-x-1", site="x", at_ms=1, **_WHO)),
    ],
)
def test_each_is_answered_once_in_a_day(spec: FoldSpec, codec: FrameCodec[Any], asked: Any) -> None:
    """Within a frame, later and after a restore; then its id is forgotten."""
    run = FoldRun(spec, codec)
    run.at(1_000, asked, asked)
    run.restore()
    run.at(999 + ANSWERS_KEPT_MS, asked)
    [refused] = run.said(EVENTS.name, EVENT_FRAMES)
    assert isinstance(refused, CommandRefused)
    assert (refused.command_id, refused.actor, refused.at_ms) == ("c1", "ann", 1_000)
    assert key(COMMAND, "c1") in run.state
    run.at(1_000 + ANSWERS_KEPT_MS)
    assert key(COMMAND, "c1") not in run.state
