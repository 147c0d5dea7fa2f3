"""Puts a live simulation together out of settings; the clock and the identity are passed in."""

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from ingest.contracts.settings import (
    HOME_VARIABLE,
    InstallationSettings,
    KafkaSettings,
    MqttSettings,
    load,
    read_env_file,
)
from ingest.contracts.topics import EVENTS
from simulators.adapters.files import oracle_load, oracle_save
from simulators.adapters.mqtt import DeviceLink
from simulators.checking import check_oracle, committed_events, fold_now_ms, installation_id_of
from simulators.faults import fault_plan
from simulators.greeting import greeted
from simulators.live import LiveRun
from simulators.network import Network, network_made
from simulators.oracle import Oracle
from simulators.settings import DEVICES_ENV_NAME, ORACLE_FILE_NAME, SimulatorSettings
from simulators.simulation import Simulation, SimulationPlan
from streams.engine.adapters.reader import end_offsets


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where a simulation runs and what time it is there."""

    kafka: KafkaSettings
    mqtt: MqttSettings
    installation: InstallationSettings
    oracle_file: Path
    now_ms: Callable[[], int]
    """The wall clock, UTC milliseconds."""
    clock: Callable[[], float]
    """Seconds, never going back."""

    @property
    def driven(self) -> bool:
        """Whether the installation's time is sent to it."""
        return self.installation.time == "driven"

    def link(self, name: str) -> DeviceLink:
        """Return a connection for devices, not entered yet; its name must be in no other use."""
        return DeviceLink(self.mqtt, f"devices-{name}-{self.now_ms():x}")


def surroundings(
    environ: Mapping[str, str],
    *,
    now_ms: Callable[[], int],
    clock: Callable[[], float],
    oracle_file: Path | None = None,
) -> Surroundings:
    """Read where the stack is; devices have a login of their own where the stack made one.

    Raises:
        SettingsError: A setting is unknown or refused.
    """
    home = Path(environ.get(HOME_VARIABLE, ".shelfstream"))
    devices = read_env_file(home / DEVICES_ENV_NAME)
    return Surroundings(
        kafka=load(KafkaSettings, environ),
        mqtt=load(MqttSettings, {**devices, **environ}),
        installation=load(InstallationSettings, environ),
        oracle_file=oracle_file or home / ORACLE_FILE_NAME,
        now_ms=now_ms,
        clock=clock,
    )


def network_of(settings: SimulatorSettings) -> Network:
    """Return the network of these settings: always the same one."""
    return network_made(settings.sites, settings.skus, Random(settings.seed))  # noqa: S311 - a simulation


async def oracle_of(place: Surroundings) -> Oracle:
    """Return the oracle of an earlier run that is gone on with, or a new one.

    Raises:
        OracleFileError: There is a file that is no oracle.
        OracleMismatchError: It is the truth of another installation.
        InstallationError: The installation was never recorded.
        KafkaError: Kafka can't be read.
    """
    installation_id = await installation_id_of(place.kafka)
    if place.oracle_file.is_file():
        oracle = oracle_load(place.oracle_file)
        check_oracle(oracle, installation_id)
        return oracle
    oracle = Oracle()
    oracle.installation_id = installation_id
    return oracle


async def _simulation_made(settings: SimulatorSettings, place: Surroundings) -> Simulation:
    oracle = await oracle_of(place)
    begun_ms = place.now_ms()
    if place.driven:
        begun_ms = max(begun_ms, oracle.now_ms + 1, await fold_now_ms(place.kafka) + 1)
    plan = SimulationPlan(
        # Nobody can hurry an installation in wall time.
        speed=settings.speed if place.driven else 1.0,
        rate_events_per_s=settings.rate,
        faults=fault_plan(settings.faults),
        driven=place.driven,
    )
    return Simulation(
        network=network_of(settings),
        plan=plan,
        oracle=oracle,
        boot=f"run-{place.now_ms():x}",
        rng=Random(settings.seed),  # noqa: S311 - a simulation
        world_ms=begun_ms,
        clock_ms=round(place.clock() * 1_000),
    )


def _world_clock(
    settings: SimulatorSettings, place: Surroundings, begun_ms: int
) -> Callable[[int], int]:
    world_ms = float(begun_ms)

    def driven(elapsed_ms: int) -> int:
        nonlocal world_ms
        world_ms += elapsed_ms * settings.speed
        return round(world_ms)

    return driven if place.driven else lambda _elapsed_ms: place.now_ms()


@contextmanager
def _stoppable(run: LiveRun) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the demand of a run, then mean again what they meant before."""
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        loop.add_signal_handler(number, run.stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


async def simulated(
    settings: SimulatorSettings,
    place: Surroundings,
    *,
    reference_version: int,
    on_run: Callable[[LiveRun], None] = lambda _: None,
) -> bool:
    """Run a simulation to its end or its first signal; return whether everything was accepted.

    Args:
        settings: What is simulated.
        place: Where.
        reference_version: The catalogue load that the bridges must know.
        on_run: Told of the run when its first event is about to be sent.

    Raises:
        BridgeSilentError: No bridge took the devices' greeting.
        OracleFileError: There is a file that is no oracle.
        OracleMismatchError: The oracle is the truth of another installation.
        InstallationError: The topics are not there.
        KafkaError: Kafka can't be read.
    """
    simulation = await _simulation_made(settings, place)
    begun_ms = simulation.world.now_ms
    with place.link("simulation") as link:
        save = partial(oracle_save, place.oracle_file, simulation.oracle)
        save()  # the opening stock is in the log already, whether or not a bridge answers
        run = LiveRun(
            simulation=simulation,
            link=link,
            # From here, so that no answer to the first event is missed.
            events=committed_events(place.kafka, await end_offsets(place.kafka, EVENTS.name)),
            save=save,
            world_clock=_world_clock(settings, place, begun_ms),
            clock=place.clock,
        )
        await greeted(
            place.kafka,
            link,
            simulation.fleet,
            reference_version=reference_version,
            clock=place.clock,
            first=simulation.time(begun_ms),
        )
        on_run(run)
        with _stoppable(run):
            return await run.run(settings.seconds or None)
