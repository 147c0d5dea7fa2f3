"""The planning processor: its fold and the topics it stands between."""

from ingest.contracts.topics import PLAN_STATE, PLANS
from ingest.frames import tick_frame
from streams.domain.planning import PlanningFold
from streams.engine.fold import Fold, FoldSpec


def planning_spec() -> FoldSpec:
    """Return the planning fold for `streams.engine` to run."""
    return FoldSpec(
        name="planning",
        input_topic=PLANS.name,
        state_topic=PLAN_STATE.name,
        create=_create,
        tick_frame=tick_frame,
        reads_state=False,
    )


def _create(_partition: int, partition_count: int) -> Fold:
    return PlanningFold(partition_count)
