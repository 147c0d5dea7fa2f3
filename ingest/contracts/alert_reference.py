"""Reference data of alerting: ways to tell people, and which alerts go where."""

from typing import Annotated, Final, Literal

from pydantic import Field

from ingest.contracts import patterns
from ingest.contracts.events import Code, Identifier
from ingest.contracts.fields import DurationMs, ReferenceModel

RULE_CHANNELS_MAX: Final = 256

SecretReference = Annotated[str, Field(max_length=1_024, pattern=patterns.VARIABLE_OR_FILE)]
"""Name of an environment variable, or `file:` and a path, that holds the secret."""


class NotificationChannel(ReferenceModel):
    """A way to tell people; the apprise URL itself stays where the sender runs."""

    channel: Identifier
    url_variable: SecretReference
    enabled: bool = True


class AlertRule(ReferenceModel):
    """Which alerts go to which channels; empty kinds or sites match all."""

    rule: Identifier
    channels: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=RULE_CHANNELS_MAX)]
    kinds: tuple[Code, ...] = ()
    sites: tuple[Identifier, ...] = ()
    severity_min: Literal["info", "warning", "critical"] = "info"
    repeat_ms: DurationMs = 0
    """Told again this often while open and not acknowledged; 0 for never."""
    clear_notice: bool = True
