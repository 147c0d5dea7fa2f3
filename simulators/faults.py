"""Faults on request: repeats, disorder, devices offline for a while, devices that start again.

All of them stay within what the pipeline promises to bear: nothing is lost (the spool sends it
again), and disorder never leaves a device's window.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulators.gateway import Gateway, Publication

if TYPE_CHECKING:
    from random import Random

DUPLICATE_SHARE: Final = 0.1
DISORDER_SHARE: Final = 0.3
OFFLINE_PER_S: Final = 0.02
"""A device goes offline about every 50 s."""
OFFLINE_MS: Final = (500, 4_000)
RESTART_PER_S: Final = 0.02

FAULT_NAMES: Final = ("dup", "disorder", "offline", "restart")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """Which faults a run has."""

    duplicates: bool = False
    disorder: bool = False
    offline: bool = False
    restarts: bool = False


def fault_plan(text: str) -> FaultPlan:
    """Return the plan in a comma separated list of `FAULT_NAMES`; empty for none.

    Raises:
        ValueError: A name that is no fault.
    """
    names = {name.strip() for name in text.split(",") if name.strip()}
    unknown = sorted(names - set(FAULT_NAMES))
    if unknown:
        raise ValueError(f"{unknown[0]} is no fault: choose from {', '.join(FAULT_NAMES)}")
    return FaultPlan(
        duplicates="dup" in names,
        disorder="disorder" in names,
        offline="offline" in names,
        restarts="restart" in names,
    )


@dataclass(frozen=True, slots=True)
class Outage:
    """A device went offline, or came back."""

    gateway: Gateway
    online: bool


class Faults:
    """Draws faults; time is the publishing clock in milliseconds, not the world's."""

    def __init__(self, plan: FaultPlan, rng: "Random") -> None:
        """Take what to do and where chance comes from."""
        self._plan = plan
        self._rng = rng
        self._back_at_ms: dict[str, int] = {}
        self._restarts = 0
        self.stopped = False
        """True at the end of a run: no new outage or restart begins."""

    def on_the_wire(self, publications: list[Publication]) -> list[Publication]:
        """Return what arrives of `publications`: some twice, some out of order."""
        sent = list(publications)
        if self._plan.duplicates:
            sent += [one for one in publications if self._rng.random() < DUPLICATE_SHARE]
        if self._plan.disorder and self._rng.random() < DISORDER_SHARE:
            self._rng.shuffle(sent)
            for one in sent:
                self._rng.shuffle(one.bodies)
        return sent

    def outages(self, gateways: list[Gateway], now_ms: int, elapsed_ms: int) -> list[Outage]:
        """Take devices offline and back; return which. Offline devices go on buffering."""
        changed = []
        for gateway in gateways:
            back_at_ms = self._back_at_ms.get(gateway.source)
            if back_at_ms is not None and (now_ms >= back_at_ms or self.stopped):
                del self._back_at_ms[gateway.source]
                gateway.online = True
                changed.append(Outage(gateway, online=True))
            elif back_at_ms is None and self._begins(OFFLINE_PER_S, elapsed_ms, self._plan.offline):
                gateway.online = False
                self._back_at_ms[gateway.source] = now_ms + self._rng.randrange(*OFFLINE_MS)
                changed.append(Outage(gateway, online=False))
        return changed

    def restarts(self, gateways: list[Gateway], elapsed_ms: int) -> list[Gateway]:
        """Start some devices again under a new boot; return which."""
        started = []
        for gateway in gateways:
            if not self._begins(RESTART_PER_S, elapsed_ms, self._plan.restarts):
                continue
            self._restarts += 1
            stem = gateway.boot.partition("~")[0]
            if gateway.restart(f"{stem}~{self._restarts}"):
                started.append(gateway)
        return started

    def _begins(self, per_s: float, elapsed_ms: int, wanted: bool) -> bool:
        if not wanted or self.stopped:
            return False
        return self._rng.random() < per_s * elapsed_ms / 1_000
