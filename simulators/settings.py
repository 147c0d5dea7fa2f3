"""Settings of a simulation: `SHELFSTREAM_SIMULATOR_*`."""

from pathlib import Path
from typing import ClassVar, Final

from pydantic import Field, field_validator

from ingest.contracts.settings import Settings
from simulators.faults import fault_plan

ORACLE_FILE_NAME: Final = "oracle.json"
DEVICES_ENV_NAME: Final = "devices.env"
"""In the stack's home: the login of devices, narrower than the pipeline's."""
SITES_MAX: Final = 1_000
SKUS_MAX: Final = 20_000
RATE_MAX: Final = 10_000.0
SPEED_MAX: Final = 100_000.0


class SimulatorSettings(Settings):
    """How large and how busy the simulated network is."""

    group: ClassVar[str] = "SIMULATOR"
    sites: int = Field(default=20, ge=2, le=SITES_MAX)
    """The warehouse among them."""
    skus: int = Field(default=200, ge=1, le=SKUS_MAX)
    seed: int = 1
    speed: float = Field(default=60.0, gt=0, le=SPEED_MAX)
    """World seconds a second; an installation in wall time runs at 1."""
    rate: float = Field(default=300.0, ge=0, le=RATE_MAX)
    """Wanted events a second, readings and scans."""
    faults: str = ""
    """Of dup, disorder, offline, restart; comma separated."""
    seconds: float = Field(default=0, ge=0)
    """How long demand goes on; 0 for until the process is asked to end."""
    oracle_file: Path | None = None
    """Where the truth is kept; in the stack's home by default."""

    @field_validator("faults")
    @classmethod
    def _checked(cls, value: str) -> str:
        fault_plan(value)
        return value
