"""One round of one bridge: its processes, a load, and what the two cost and lost."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import msgspec
import psutil
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from deploy.bench.bridge_load import BridgeLoad, Recount
from deploy.bench.place import Place
from deploy.bench.processes import BenchProcess, cpu_s, running
from deploy.stack.children import import_path
from deploy.stack.run import environment_of
from ingest.contracts.errors import BenchError
from ingest.contracts.settings import MqttSettings, load, read_env_file
from streams.engine.adapters.reader import end_offsets, read_topic

READY_TIMEOUT_S: Final = 20.0
LOAD_TIMEOUT_S: Final = 90.0
LOOK_S: Final = 0.05
SILENCE_S: Final = 0.7
"""A log that does not grow for so long after the last PUBACK has all there will be."""
WARM_MESSAGES: Final = 500
WARM_RATE_PER_S: Final = 5_000
FORGET_TIMEOUT_S: Final = 5.0

Found: TypeAlias = Callable[[bytes], Iterable[tuple[int, str, int]]]
"""Reads device, boot and sequence number of each event in a record's value."""


class Command(NamedTuple):
    """How a process is started."""

    argv: Sequence[str]
    environment: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A bridge that can be measured: its processes and what they write."""

    key: str
    name: str
    guarantee: str
    commands: Sequence[Command]
    topic: str
    client_ids: Sequence[str]
    """Its sessions with the MQTT broker, forgotten afterwards."""
    found: Found
    is_slow: bool = False
    """Gets a smaller load, or one would wait for it for long."""


class Measured(NamedTuple):
    """What one round showed."""

    cpu_s: float
    """Of the bridge's processes, from the first message to the last record."""
    wall_s: float
    lost: int
    doubled: int
    late_ms: float
    """The longest that a message was published after it was due."""


class Published(NamedTuple):
    """How a load was sent."""

    begun_s: float
    """When its packets were made and the first was next, by the monotonic clock."""
    used_s: float
    """CPU-seconds that the bridge had used by then."""
    late_ms: float


class RunningBridge:
    """A contender's processes, subscribed and warm."""

    def __init__(self, place: Place, contender: Contender, processes: list[BenchProcess]) -> None:
        """Take what was started."""
        self._place = place
        self._contender = contender
        self._processes = processes

    def warm(self) -> None:
        """Publish small loads until one is seen in Kafka: then it is subscribed.

        Raises:
            BenchError: None is seen in time, or a process has ended.
        """
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        before, number = self._ends(), 0
        while self._ends() == before:
            for process in self._processes:
                process.check_alive()
            if time.monotonic() > deadline_s:
                raise BenchError(f"{self._contender.key} wrote nothing in {READY_TIMEOUT_S:.0f} s")
            number += 1
            self._publish(
                BridgeLoad(
                    boot=f"warm-{self._contender.key}-{number}",
                    messages=WARM_MESSAGES,
                    rate_per_s=WARM_RATE_PER_S,
                    batch_events=1,
                )
            )
        self._settled()

    def measured(self, work: BridgeLoad) -> Measured:
        """Publish a load and wait for the last record of it.

        Raises:
            BenchError: The publisher or a process of the bridge has ended.
        """
        offsets = self._ends()
        begun_s, used_s, late_ms = self._publish(work)
        done_s, done_cpu_s = self._settled()
        recount = Recount(work)
        asyncio.run(self._counted(offsets, recount))
        return Measured(
            cpu_s=done_cpu_s - used_s,
            wall_s=done_s - begun_s,
            lost=recount.lost,
            doubled=recount.doubled,
            late_ms=late_ms,
        )

    async def _counted(self, offsets: dict[int, int], recount: Recount) -> None:
        contender = self._contender
        reading = read_topic(
            self._place.kafka, contender.topic, from_offsets=offsets, until_end=True
        )
        async for records in reading:
            for record in records:
                recount.add(contender.found(record.value or b""))

    def _publish(self, work: BridgeLoad) -> Published:
        argv = [sys.executable, "-m", "deploy.bench.bridge_publisher"]
        argv.append(msgspec.json.encode(work).decode())
        log = self._place.logs / f"publisher-{work.boot}.log"
        with running(argv, log=log, environment=_devices_environ(self._place)) as publisher:
            publisher.await_line("begun ", LOAD_TIMEOUT_S)
            begun_s, used_s = time.monotonic(), self._cpu_s()
            sent = publisher.await_line("sent ", LOAD_TIMEOUT_S)
            publisher.await_line("acknowledged ", LOAD_TIMEOUT_S)
        return Published(begun_s, used_s, late_ms=float(sent.text.split()[2]))

    def _settled(self) -> tuple[float, float]:
        """Wait until the log grows no more; return when it last grew, and the CPU by then."""
        ends: dict[int, int] = {}
        grown_s, used_s = time.monotonic(), self._cpu_s()
        while time.monotonic() - grown_s < SILENCE_S:
            now = self._ends()
            if now != ends:
                ends, grown_s, used_s = now, time.monotonic(), self._cpu_s()
            time.sleep(LOOK_S)
        return grown_s, used_s

    def _ends(self) -> dict[int, int]:
        return asyncio.run(end_offsets(self._place.kafka, self._contender.topic))

    def _cpu_s(self) -> float:
        """Return the CPU-seconds of its processes and of those that they have started."""
        own = [process.pid for process in self._processes]
        started = [one.pid for pid in own for one in psutil.Process(pid).children(recursive=True)]
        return sum(cpu_s(pid) for pid in (*own, *started))


@contextmanager
def running_bridge(place: Place, contender: Contender, label: str) -> Iterator[RunningBridge]:
    """Run a contender for the length of a block, then have its MQTT sessions forgotten.

    Raises:
        BenchError: It does not start.
    """
    with ExitStack() as opened:
        opened.callback(_forget, place, contender.client_ids)
        processes = [
            opened.enter_context(
                running(
                    command.argv,
                    log=place.logs / f"{label}-{number}.log",
                    environment=command.environment,
                )
            )
            for number, command in enumerate(contender.commands)
        ]
        bridge = RunningBridge(place, contender, processes)
        bridge.warm()
        yield bridge


def pipeline_environ(place: Place) -> dict[str, str]:
    """Return the environment of a process of ours."""
    environ = os.environ  # noqa: TID251 - children get what we have
    return {**environment_of(place.home, environ), "PYTHONPATH": import_path(environ)}


def mqtt_of(place: Place) -> MqttSettings:
    """Return the pipeline's login at the MQTT broker."""
    return load(MqttSettings, read_env_file(place.home.env_file))


def _devices_environ(place: Place) -> dict[str, str]:
    return {**pipeline_environ(place), **read_env_file(place.home.devices_env_file)}


def _forget(place: Place, client_ids: Iterable[str]) -> None:
    """End sessions: the broker would keep the next loads' messages for those that are away.

    Raises:
        BenchError: The broker does not let us in.
    """
    mqtt = mqtt_of(place)
    for client_id in client_ids:
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5)
        client.username_pw_set(mqtt.username, mqtt.password.get_secret_value())
        client.connect(mqtt.host, mqtt.port, clean_start=True)
        deadline_s = time.monotonic() + FORGET_TIMEOUT_S
        while not client.is_connected():
            if time.monotonic() > deadline_s:
                raise BenchError(f"the MQTT broker does not forget {client_id}")
            client.loop(0.1)
        client.disconnect()
