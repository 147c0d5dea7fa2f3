"""How a run hears signals, and where a simulation finds its stack."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.contracts.errors import SettingsError
from simulators.compose import Surroundings, _stoppable, _world_clock, network_of, surroundings
from simulators.settings import SimulatorSettings

BEGIN_MS = 1_000


async def until(is_so: Callable[[], bool]) -> None:
    """Let the loop go round until it is so; five seconds are too long."""
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 - a signal sets no event
            await asyncio.sleep(0)


class Stopped:
    """Counts how often it was asked to stop."""

    def __init__(self) -> None:
        """Begin with none."""
        self.times = 0

    def stop(self) -> None:
        """Be asked once more."""
        self.times += 1


def here(environ: dict[str, str] | None = None, *, now_ms: int = 5_000) -> Surroundings:
    """Return the surroundings that an environment names."""
    return surroundings(environ or {}, now_ms=lambda: now_ms, clock=lambda: 0.0)


def test_signals_stop_a_run_and_then_mean_what_they_meant() -> None:
    """Both of them, as often as they come; afterwards the process's own handlers are back."""
    run, others = Stopped(), []
    before = signal.signal(signal.SIGTERM, lambda *_: others.append("term"))

    async def story() -> None:
        with _stoppable(run):  # type: ignore[arg-type] # only `stop` is asked for
            for asked, number in enumerate((signal.SIGINT, signal.SIGTERM), start=1):
                os.kill(os.getpid(), number)
                await until(lambda asked=asked: run.times == asked)  # type: ignore[misc] # bound now
        os.kill(os.getpid(), signal.SIGTERM)
        await until(lambda: others == ["term"])

    try:
        asyncio.run(story())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert run.times == 2
    assert others == ["term"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_driven_time_runs_at_the_speed_and_only_when_it_is_asked() -> None:
    """Elapsed milliseconds times the speed, whatever the wall clock says."""
    place = here({"SHELFSTREAM_INSTALLATION_TIME": "driven"})
    clock = _world_clock(SimulatorSettings(speed=2.5), place, BEGIN_MS)
    assert [clock(100), clock(0), clock(3)] == [1_250, 1_250, 1_258]


def test_wall_time_cannot_be_hurried() -> None:
    """In wall time the speed is of no use."""
    assert _world_clock(SimulatorSettings(speed=60), here(), BEGIN_MS)(100) == 5_000


def test_devices_have_a_login_of_their_own(tmp_path: Path) -> None:
    """The stack's narrower login wins over the pipeline's; the environment wins over both."""
    (tmp_path / "env").write_text("SHELFSTREAM_MQTT_USERNAME=pipeline\n", encoding="utf-8")
    environ = {"SHELFSTREAM_HOME": str(tmp_path)}
    assert here(environ).mqtt.username == "pipeline"
    (tmp_path / "devices.env").write_text("SHELFSTREAM_MQTT_USERNAME=devices\n", encoding="utf-8")
    assert here(environ).mqtt.username == "devices"
    assert here({**environ, "SHELFSTREAM_MQTT_USERNAME": "me"}).mqtt.username == "me"
    assert here(environ).oracle_file == tmp_path / "oracle.json"


def test_a_misspelt_setting_is_refused() -> None:
    """Rather than silently running with a default."""
    with pytest.raises(SettingsError, match="SHELFSTREAM_MQTTT_HOST is no setting"):
        here({"SHELFSTREAM_MQTTT_HOST": "x"})


def test_the_same_seed_is_the_same_network() -> None:
    """Each run of a seed, and of any process, has the same shops, weights and stock."""
    assert network_of(SimulatorSettings(seed=3)) == network_of(SimulatorSettings(seed=3))
    assert network_of(SimulatorSettings(seed=3)) != network_of(SimulatorSettings(seed=4))
