"""The faults of a seed: one after another, at random moments, of the kinds the seed drew."""

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, Final

from simulators.whole.harness_options import FaultKind
from simulators.whole.harness_system import System
from simulators.whole.harness_world import World

DOWN_MS_MAX: Final = 2_500
FREEZE_MS: Final = (500, 7_000)
"""The worker's session is 2 s: most sleep past it and some do not."""
OFFLINE_MS_MAX: Final = 3_000


class Faults:
    """Breaks things until it is told to stop, then mends what it broke."""

    def __init__(self, system: System, world: World, start_worker: Callable[[int], None]) -> None:
        """Take what can be broken; `start_worker` starts one more stock worker by number."""
        self._system = system
        self._world = world
        self._start_worker = start_worker
        self._rng: Random = system.dice("faults")
        self._pending: list[asyncio.Task[None]] = []
        self._workers = system.options.worker_count

    async def run(self) -> None:
        """Break something every now and then, for ever."""
        kinds = self._system.options.faults
        mean_ms = self._system.options.fault_interval_ms
        while kinds:
            await asyncio.sleep(self._rng.randint(1, 2 * mean_ms) / 1000)
            self._break(self._rng.choice(kinds))

    async def mend(self) -> None:
        """Wait until every broker is up again and everybody is awake."""
        for task in self._pending:
            await task
        for line in self._world.lines:
            line.gateway.online = True

    def _break(self, kind: FaultKind) -> None:
        actions: dict[FaultKind, Callable[[], None]] = {
            "bridge_crash": lambda: self._kill("bridge"),
            "worker_crash": lambda: self._kill("stock"),
            "planning_crash": lambda: self._kill("planning"),
            "alert_crash": lambda: self._kill("alerts"),
            "worker_freeze": lambda: self._start(self._freeze("stock")),
            "mqtt_crash": lambda: self._start(self._mqtt_crash()),
            "kafka_crash": lambda: self._start(self._kafka_crash()),
            "gateway_restart": self._restart,
            "gateway_offline": lambda: self._start(self._offline()),
            "worker_joins": self._join,
        }
        actions[kind]()

    def _restart(self) -> None:
        self._rng.choice(self._world.lines).restart()
        self._system.count("gateway restart")

    def _kill(self, prefix: str) -> None:
        names = self._system.names(prefix)
        if names:
            self._system.kill(self._rng.choice(names))
            self._system.count(f"crash of {prefix}")

    async def _freeze(self, prefix: str) -> None:
        names = self._system.names(prefix)
        if names:
            name = self._rng.choice(names)
            self._system.count(f"freeze of {prefix}")
            self._system.freeze(name)
            await asyncio.sleep(self._rng.randint(*FREEZE_MS) / 1000)
            self._system.note(f"{name} wakes")
            self._system.thaw(name)

    async def _mqtt_crash(self) -> None:
        if self._system.mqtt.up:
            self._system.count("crash of MQTT")
            self._system.mqtt.crash(lose=self._system.options.mqtt_loses)
            await asyncio.sleep(self._rng.randint(1, DOWN_MS_MAX) / 1000)
            self._system.mqtt.up = True

    async def _kafka_crash(self) -> None:
        if self._system.kafka.up:
            self._system.count("crash of Kafka")
            self._system.kafka_crash()
            await asyncio.sleep(self._rng.randint(1, DOWN_MS_MAX) / 1000)
            self._system.kafka.up = True

    async def _offline(self) -> None:
        line = self._rng.choice(self._world.lines)
        self._system.count("gateway offline")
        line.gateway.online = False
        line.disconnect()
        await asyncio.sleep(self._rng.randint(1, OFFLINE_MS_MAX) / 1000)
        line.gateway.online = True

    def _join(self) -> None:
        if self._workers < self._system.options.worker_count + 2:
            self._start_worker(self._workers)
            self._workers += 1
            self._system.count("one more worker")

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._pending.append(asyncio.get_running_loop().create_task(work, name="fault"))
