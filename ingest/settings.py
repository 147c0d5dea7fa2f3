"""The bridge's settings."""

from typing import ClassVar, Final

from pydantic import Field, field_validator

from ingest.bridge import BridgeLimits
from ingest.contracts.settings import Settings
from ingest.slices import SLICES_MAX

SESSION_EXPIRY_S: Final = 7 * 86_400


class BridgeSettings(Settings):
    """One slice of the sites and how much its bridge may hold."""

    group: ClassVar[str] = "BRIDGE"
    slice: str = Field(default="0/1", pattern=r"^[0-9]{1,2}/[0-9]{1,2}$")
    """Which slice of how many: `0/2` and `1/2` are two bridges that share all sites."""
    messages_in_flight_max: int = Field(default=20_000, ge=1, le=65_535)
    """Receive Maximum: messages that MQTT has handed over and Kafka has not taken yet."""
    frames_in_flight_max: int = Field(default=256, ge=1, le=10_000)
    session_expiry_s: int = Field(default=SESSION_EXPIRY_S, ge=60, le=2**32 - 2)
    """How long the MQTT broker keeps messages for a bridge that is away."""
    metrics_port: int = Field(default=0, ge=0, le=65_535)
    """Prometheus metrics on this loopback port; 0 serves none."""

    @field_validator("slice")
    @classmethod
    def _checked(cls, value: str) -> str:
        index, _, count = value.partition("/")
        if not int(index) < int(count) <= SLICES_MAX:
            raise ValueError(f"a slice is i/n with i < n <= {SLICES_MAX}")
        return value

    @property
    def limits(self) -> BridgeLimits:
        """How much the bridge may hold at once."""
        return BridgeLimits(
            messages_in_flight_max=self.messages_in_flight_max,
            frames_in_flight_max=self.frames_in_flight_max,
        )

    @property
    def slice_index(self) -> int:
        """Which slice this is, from 0."""
        return int(self.slice.partition("/")[0])

    @property
    def slice_count(self) -> int:
        """How many slices there are."""
        return int(self.slice.partition("/")[2])
