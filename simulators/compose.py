"""Puts a live simulation together out of settings; the clock and the identity are passed in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
from simulators.adapters.files import oracle_load
from simulators.adapters.mqtt import DeviceLink
from simulators.faults import fault_plan
from simulators.live import LiveRun, fold_now_ms
from simulators.network import Network, network_made
from simulators.oracle import Oracle
from simulators.settings import DEVICES_ENV_NAME, ORACLE_FILE_NAME, SimulatorSettings
from simulators.simulation import Simulation, SimulationPlan


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


def oracle_of(place: Surroundings) -> Oracle:
    """Return the oracle of an earlier run that is gone on with, or a new one."""
    return oracle_load(place.oracle_file) if place.oracle_file.is_file() else Oracle()


async def live_run_made(
    settings: SimulatorSettings, place: Surroundings, link: DeviceLink
) -> LiveRun:
    """Return a run that can start; `link` must be entered.

    Raises:
        InstallationError: The topics are not there.
        ValueError: A name that is no fault.
    """
    speed = settings.speed if place.driven else 1.0
    oracle = oracle_of(place)
    begun_ms = place.now_ms()
    if place.driven:
        begun_ms = max(begun_ms, oracle.now_ms + 1, await fold_now_ms(place.kafka) + 1)
    plan = SimulationPlan(
        speed=speed,
        rate_events_per_s=settings.rate,
        faults=fault_plan(settings.faults),
        driven=place.driven,
    )
    simulation = Simulation(
        network=network_of(settings),
        plan=plan,
        oracle=oracle,
        boot=f"run-{place.now_ms():x}",
        rng=Random(settings.seed),  # noqa: S311 - a simulation
        world_ms=begun_ms,
        clock_ms=round(place.clock() * 1_000),
    )
    world_ms = float(begun_ms)

    def world_clock(elapsed_ms: int) -> int:
        nonlocal world_ms
        world_ms += elapsed_ms * speed
        return round(world_ms) if place.driven else place.now_ms()

    return LiveRun(
        simulation=simulation,
        link=link,
        kafka=place.kafka,
        oracle_file=place.oracle_file,
        world_clock=world_clock,
        clock=place.clock,
    )


async def simulated(
    settings: SimulatorSettings,
    place: Surroundings,
    *,
    reference_version: int,
    on_run: Callable[[LiveRun], None],
) -> bool:
    """Run a simulation to its end; return whether everything was accepted.

    Raises:
        BridgeSilentError: No bridge took the devices' greeting.
        InstallationError: The topics are not there.
        KafkaError: Kafka can't be read.
    """
    with place.link("simulation") as link:
        run = await live_run_made(settings, place, link)
        on_run(run)
        await run.greet(reference_version)
        return await run.run(settings.seconds or None)
