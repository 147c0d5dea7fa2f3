"""The simulated machine room: brokers, links, processes that are started again when they end."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from ingest.contracts.errors import BridgeTakenError, DeliveryError, FencedError
from simulators.whole.harness_options import Options
from simulators.whole.loop import Process, VirtualLoop
from simulators.whole.memory_group import GenerationError
from simulators.whole.memory_kafka import MemoryKafka
from simulators.whole.memory_link import BrokerGoneError, Link
from simulators.whole.memory_mqtt import MemoryMqtt

EPOCH_MS: Final = 1_760_000_000_000
"""UTC milliseconds at virtual time 0."""
TRACE_LINES_MAX: Final = 400
RESTART_MS_MAX: Final = 1_500
DELAY_SHARES: Final = (0.05, 1.0)
"""Each connection draws one; its delays are so much of the seed's."""

EXPECTED_ENDS: Final = (
    BridgeTakenError,
    BrokerGoneError,
    DeliveryError,
    FencedError,
    GenerationError,
    TimeoutError,
)
"""What a process may die of when the world is against it; anything else is a bug."""


class SimulationError(AssertionError):
    """A promise was broken; the text names the promise and the command that repeats it."""


@dataclass(slots=True)
class _Running:
    process: Process
    ended: asyncio.Event
    links: list[Link] = field(default_factory=list)
    at_end: list[Callable[[], None]] = field(default_factory=list)


ProcessMain = Callable[["Environment"], Coroutine[Any, Any, None]]


class Environment:
    """What a process finds around it: its links, its clock, its dice."""

    def __init__(self, system: "System", running: _Running, number: int) -> None:
        """Made by the system at each start; `number` counts the starts of this name."""
        self.system = system
        self.name = running.process.name
        self.rng = system.dice(f"{self.name}")
        self.number = number
        self._running = running

    def kafka_link(self) -> Link:
        """Return a connection to Kafka; broken from the start while the broker is down."""
        link = self._link()
        if not self.system.kafka.up:
            link.cut()
        self.system.kafka_links.append(link)
        return link

    def mqtt_link(self) -> Link:
        """Return the way of what this process sends to the MQTT broker."""
        return self._link()

    def at_end(self, callback: Callable[[], None]) -> None:
        """Have something done outside when the process ends, such as its sockets closed."""
        self._running.at_end.append(callback)

    def _link(self) -> Link:
        # Ways differ: an answer on a short one overtakes what is still on a long one.
        share = self.rng.choice(DELAY_SHARES)
        link = Link(self.rng, max(1, int(share * self.system.options.delay_ms_max)))
        self._running.links.append(link)
        return link


class System:
    """Brokers and supervised processes of one simulation."""

    def __init__(self, loop: VirtualLoop, options: Options) -> None:
        """Make the brokers; topics are the harness's affair."""
        self.loop = loop
        self.options = options
        self.counts: Counter[str] = Counter()
        self.trace: deque[str] = deque(maxlen=TRACE_LINES_MAX)
        self.failure: BaseException | None = None
        self.kafka_links: list[Link] = []
        marker_dice = self.dice("markers")
        self.kafka = MemoryKafka(
            transaction_timeout_s=3.0,
            marker_delay_s=lambda: marker_dice.randint(0, options.delay_ms_max) / 1000,
        )
        self.mqtt = MemoryMqtt(
            self.dice("mqtt"),
            delay_ms_max=options.delay_ms_max,
            duplicate_percent=options.duplicate_percent,
            loss_percent=options.receipt_loss_percent,
        )
        self._running: dict[str, _Running] = {}
        self._supervisors: dict[str, asyncio.Task[None]] = {}
        self._stopping: set[str] = set()

    def dice(self, name: str) -> Random:
        """Return a generator of its own for one purpose of this seed."""
        return Random(f"{self.options.seed}-{name}")  # noqa: S311 - a simulation's dice

    def now_ms(self) -> int:
        """Return virtual UTC milliseconds."""
        return EPOCH_MS + int(self.loop.time() * 1000)

    def note(self, text: str) -> None:
        """Add a line to the trace."""
        self.trace.append(f"{self.loop.time():10.3f} {text}")

    def count(self, what: str) -> None:
        """Count something that happened, and trace it."""
        self.counts[what] += 1
        self.note(what)

    def start(self, name: str, main: ProcessMain) -> None:
        """Run a process, and start it again whenever it ends."""
        self._stopping.discard(name)
        self._supervisors[name] = self.loop.create_task(self._supervise(name, main), name=name)

    def names(self, prefix: str) -> list[str]:
        """Return the supervised processes of a kind that run now, sorted."""
        return sorted(name for name in self._running if name.startswith(prefix))

    def kill(self, name: str) -> None:
        """End a process as SIGKILL does; its supervisor starts it again."""
        running = self._running.get(name)
        if running is not None:
            self._end(running)

    def stop(self, name: str) -> None:
        """Kill a process for good."""
        self._stopping.add(name)
        self.kill(name)

    def freeze(self, name: str) -> None:
        """Stop a process as SIGSTOP does."""
        self.loop.freeze(self._running[name].process)

    def thaw(self, name: str) -> None:
        """Wake a frozen process; nothing where it is gone."""
        running = self._running.get(name)
        if running is not None:
            self.loop.thaw(running.process)

    def kafka_crash(self) -> None:
        """Take Kafka down: every connection breaks, what was acknowledged stays."""
        self.kafka.up = False
        self.kafka.counts.crashes += 1
        links, self.kafka_links = self.kafka_links, []
        for link in links:
            link.cut()

    async def _supervise(self, name: str, main: ProcessMain) -> None:
        dice = self.dice(f"supervisor-{name}")
        number = 0
        while name not in self._stopping and self.failure is None:
            number += 1
            running = _Running(Process(f"{name}.{number}"), asyncio.Event())
            self._running[name] = running
            environment = Environment(self, running, number)
            task = self.loop.spawn(running.process, main(environment), name=running.process.name)
            task.add_done_callback(lambda t, r=running: self._ended(t, r))  # type: ignore[misc] # the default binds the loop's variable
            await running.ended.wait()
            await asyncio.sleep(dice.randint(0, RESTART_MS_MAX) / 1000)
        self._running.pop(name, None)

    def _ended(self, task: asyncio.Task[None], running: _Running) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.count(f"ended by {type(error).__name__}")
            self.note(f"{running.process.name}: {type(error).__name__}: {error}")
            if not isinstance(error, EXPECTED_ENDS) and self.failure is None:
                self.failure = error
        self._end(running)

    def _end(self, running: _Running) -> None:
        if running.ended.is_set():
            return
        self.note(f"{running.process.name} is gone")
        self.loop.kill(running.process)
        for link in running.links:
            link.cut()
        self.kafka_links = [link for link in self.kafka_links if link.open]
        for callback in running.at_end:
            with suppress(ConnectionError):
                callback()
        running.ended.set()
