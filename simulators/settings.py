"""Settings of a simulation: `SHELFSTREAM_SIMULATOR_*`."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from ingest.contracts.settings import Settings

ORACLE_FILE_NAME = "oracle.json"
DEVICES_ENV_NAME = "devices.env"
"""In the stack's home: the login of devices, narrower than the pipeline's."""


class SimulatorSettings(Settings):
    """How large and how busy the simulated network is."""

    group: ClassVar[str] = "SIMULATOR"
    sites: int = Field(default=20, ge=2, le=1_000)
    """The warehouse among them."""
    skus: int = Field(default=200, ge=1, le=100_000)
    seed: int = 1
    speed: float = Field(default=60.0, gt=0, le=100_000)
    """World seconds a second; an installation in wall time runs at 1."""
    rate: float = Field(default=300.0, ge=0, le=100_000)
    """Wanted events a second, readings and scans."""
    faults: str = ""
    """Of dup, disorder, offline, restart; comma separated."""
    seconds: float = Field(default=0, ge=0)
    """How long demand goes on; 0 for until the process is asked to end."""
    oracle_file: Path | None = None
    """Where the truth is kept; in the stack's home by default."""
