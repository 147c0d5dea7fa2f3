"""What one seed is made of: the sizes, the delays and which faults happen at all.

Swarm testing: each seed switches a part of the faults off, since faults that are always all there
hide each other's consequences.
"""

from dataclasses import dataclass
from random import Random
from typing import Final, Literal, get_args

FaultKind = Literal[
    "bridge_crash",
    "worker_crash",
    "worker_freeze",
    "planning_crash",
    "alert_crash",
    "mqtt_crash",
    "kafka_crash",
    "gateway_restart",
    "gateway_offline",
    "worker_joins",
]
SHORT_DELAY_MS: Final = 10
"""With longer ways a small receive maximum lets less through than gateways resend."""

FAULT_KINDS: Final[tuple[FaultKind, ...]] = get_args(FaultKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One seed's draw."""

    seed: int
    duration_ms: int
    """How long gateways emit and faults happen, virtual milliseconds; then all of it drains."""
    time: Literal["wall", "driven"]
    site_count: int
    sku_count: int
    partition_count: int
    bridge_count: int
    worker_count: int
    delay_ms_max: int
    receive_max: int
    """Messages that the broker lets the bridge have unacknowledged."""
    duplicate_percent: int
    receipt_loss_percent: int
    disorder_percent: int
    unnamed_percent: int
    """Dispatches and arrivals that name no transfer, only the other end."""
    mqtt_loses: bool
    """Whether a crash of the MQTT broker loses its queues and sessions."""
    fault_interval_ms: int
    """Mean time between two faults."""
    faults: tuple[FaultKind, ...]
    commit_lag_ms: int
    """How far the group's committed offsets may stay behind."""
    pending_frames_max: int
    emit_interval_ms: int


def draw(seed: int) -> Options:
    """Return the options of a seed."""
    rng = Random(f"options-{seed}")  # noqa: S311 - a simulation's dice
    delay_ms_max = rng.choice([1, 10, 50, 200])
    return Options(
        seed=seed,
        duration_ms=rng.choice([4_000, 8_000, 15_000]),
        time="driven" if rng.random() < 0.25 else "wall",  # noqa: PLR2004 - a quarter of the seeds
        site_count=rng.randint(2, 4),
        sku_count=rng.randint(1, 4),
        partition_count=rng.randint(1, 3),
        bridge_count=rng.choice([1, 1, 2]),
        worker_count=rng.choice([1, 2, 2, 3]),
        delay_ms_max=delay_ms_max,
        receive_max=rng.choice([50, 1_000] if delay_ms_max > SHORT_DELAY_MS else [3, 20, 1_000]),
        duplicate_percent=rng.choice([0, 5, 30]),
        receipt_loss_percent=rng.choice([0, 10]),
        disorder_percent=rng.choice([0, 10, 40]),
        unnamed_percent=rng.choice([0, 0, 0, 100]),
        mqtt_loses=rng.random() < 0.5,  # noqa: PLR2004 - half of the seeds
        fault_interval_ms=rng.choice([300, 1_000, 3_000]),
        faults=_faults(rng),
        commit_lag_ms=rng.choice([50, 500, 3_000]),
        pending_frames_max=rng.choice([2, 20, 1_000]),
        emit_interval_ms=rng.choice([20, 60, 150]),
    )


def _faults(rng: Random) -> tuple[FaultKind, ...]:
    drawn = [kind for kind in FAULT_KINDS if rng.random() < 0.5]  # noqa: PLR2004 - half of them
    if rng.random() < 0.3:  # noqa: PLR2004 - a fence needs a worker that sleeps undisturbed
        drawn = ["worker_freeze", *drawn[:2]]
    return tuple(drawn)
