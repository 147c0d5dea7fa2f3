"""Settings of the engine: `SHELFSTREAM_ENGINE_*`."""

from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from ingest.contracts.settings import Settings


class EngineSettings(Settings):
    """How a worker commits, restores, hears of time and gives up."""

    group: ClassVar[str] = "ENGINE"
    data_folder: Path | None = None
    """Where Faust keeps its own files, one folder a process; None for one that goes with it."""
    store: Literal["memory", "disk"] = "memory"
    """Where the state of a partition is kept beside the log. On disk it is below `data_folder`,
    and a worker that is started again reads only what came since."""
    standby_replicas: int = Field(default=0, ge=0, le=8)
    """So many other workers keep a copy of a partition's state, to take it over at once; the same
    for all workers of a fold."""
    instance_id: str | None = Field(default=None, min_length=1, max_length=200)
    """Name of this worker in its group: started again within the session time it gets its
    partitions back at once. No two workers may have one name; None for a nameless one."""
    commit_interval_ms: int = Field(default=100, ge=1, le=10_000)
    """Under load a transaction begins no sooner than this after the last one began."""
    commit_interval_ms_max: int = Field(default=500, ge=1, le=10_000)
    """The same of a partition that is behind: its transactions may take in more frames, for what
    they cost in all is less. It is late by more than this anyway."""
    backlog_frames_min: int = Field(default=64, ge=1, le=100_000)
    """A partition whose log has so many frames after the one in hand is behind."""
    applied_interval_ms: int = Field(default=5_000, ge=10, le=60_000)
    """Frames that changed nothing are committed as applied at least this often."""
    commit_timeout_ms: int = Field(default=30_000, ge=1_000, le=600_000)
    """A commit that takes longer ends the process."""
    pending_frames_max: int = Field(default=1_000, ge=1, le=100_000)
    """Frames of one partition folded and not yet committed; then its input waits."""
    waiting_frames_max: int = Field(default=256, ge=1, le=100_000)
    """Frames of one partition read and not yet folded; then its reading is paused."""
    restore_parallel_max: int = Field(default=4, ge=1, le=64)
    """Partitions taken over at the same time."""
    takeover_timeout_ms: int = Field(default=120_000, ge=1_000, le=3_600_000)
    """A take-over of one partition that takes longer ends the process."""
    drain_timeout_ms: int = Field(default=5_000, ge=100, le=60_000)
    """How long a leaving worker may commit what it has folded."""
    tick_interval_ms: int = Field(default=1_000, ge=10, le=60_000)
    """How often the owner of a partition appends a tick, in wall time only."""
    session_timeout_ms: int = Field(default=6_000, ge=1_000, le=300_000)
    """A worker silent for so long loses its partitions; the broker has its own lower limit."""
    heartbeat_interval_ms: int = Field(default=1_000, ge=100, le=60_000)
    transaction_timeout_ms: int = Field(default=10_000, ge=1_000, le=900_000)
    """The broker aborts a dead worker's open transaction after this."""
    stalled_timeout_ms: int = Field(default=60_000, ge=1_000, le=3_600_000)
    """A worker with lag and no progress of its applied offset for so long ends itself."""

    @model_validator(mode="after")
    def _disk_needs_a_folder(self) -> Self:
        if self.store == "disk" and self.data_folder is None:
            raise ValueError("STORE=disk needs SHELFSTREAM_ENGINE_DATA_FOLDER, one that stays")
        return self
