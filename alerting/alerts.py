"""The alert processor: its fold and the topics it stands between."""

from alerting.fold import AlertFold
from ingest.contracts.topics import ALERT_INPUTS, ALERTS
from ingest.frames import tick_frame
from streams.engine.fold import Fold, FoldSpec


def alert_spec() -> FoldSpec:
    """Return the alert fold for `streams.engine` to run."""
    return FoldSpec(
        name="alerts",
        input_topic=ALERT_INPUTS.name,
        state_topic=ALERTS.name,
        create=_create,
        tick_frame=tick_frame,
        reads_state=False,
    )


def _create(_partition: int, partition_count: int) -> Fold:
    return AlertFold(partition_count)
