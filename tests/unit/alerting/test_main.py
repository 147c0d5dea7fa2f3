"""The process: what it is asked for, and how it says no."""

import pytest

from alerting.main import main
from alerting.settings import AlertingSettings
from ingest.contracts.errors import SettingsError
from ingest.contracts.settings import load
from streams.engine.worker import EXIT_SETTINGS


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["fold", "send"]])
def test_one_known_job_is_needed(arguments: list[str]) -> None:
    """Anything else is a usage error, with the code for wrong settings."""
    assert main(arguments) == EXIT_SETTINGS


def test_a_misspelt_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends before it connects to anything."""
    monkeypatch.setenv("SHELFSTREAM_ALERTING_ATTEMPTS", "3")
    assert main(["send"]) == EXIT_SETTINGS


def test_limits_have_bounds() -> None:
    """A queue of nothing is refused; what is not set has its default."""
    assert load(AlertingSettings, {}).queue_deliveries_max == 5_000
    with pytest.raises(SettingsError, match="SHELFSTREAM_ALERTING_QUEUE_DELIVERIES_MAX"):
        load(AlertingSettings, {"SHELFSTREAM_ALERTING_QUEUE_DELIVERIES_MAX": "0"})
