"""The edge of a worker process: its folder, its exit codes, how it ends at once."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from ingest.contracts.errors import (
    FencedError,
    InstallationError,
    LogGapError,
    PartitionCountError,
    SettingsError,
    ShelfstreamError,
    StalledError,
    TopicIdentityError,
)
from ingest.contracts.settings import InstallationSettings, KafkaSettings, load
from streams import main as streams_main
from streams.app import FOLDS, fold_spec
from streams.engine import worker
from streams.engine.settings import EngineSettings
from tests.unit.streams.engine_fakes import FakeFold, fake_spec

KAFKA = KafkaSettings(bootstrap="127.0.0.1:1", security_protocol="PLAINTEXT")


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Let a worker end at once; remember the folders that were there while it ran."""
    seen: list[Path] = []

    async def run(*given: Any) -> int:
        await asyncio.sleep(0)
        assert given[-1].is_dir()
        seen.append(given[-1])
        return worker.EXIT_STOPPED

    monkeypatch.setattr(worker, "_run", run)
    return seen


def run_worker(data_folder: Path | None) -> int:
    """Run a worker of a fake fold."""
    installation = InstallationSettings(partition_count=4)
    engine = EngineSettings(data_folder=data_folder)
    return worker.run_worker(fake_spec(FakeFold), KAFKA, engine, installation)


def test_the_data_folder_is_made_with_its_parents(folders: list[Path], tmp_path: Path) -> None:
    """A new home has nothing in it, perhaps not even itself."""
    home = tmp_path / "no" / "home" / "yet" / "faust" / "stock"
    assert [run_worker(home), run_worker(home)] == [worker.EXIT_STOPPED] * 2
    assert folders == [home, home]
    assert home.is_dir()


def test_without_a_home_the_data_folder_goes_with_the_worker(folders: list[Path]) -> None:
    """Nothing stays behind."""
    assert run_worker(None) == worker.EXIT_STOPPED
    assert not folders[0].exists()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsError("x"), 2),
        (FencedError("x"), 3),
        (InstallationError("x"), 4),
        (TopicIdentityError("x"), 4),
        (LogGapError("x"), 4),
        (PartitionCountError("x"), 4),
        (StalledError("x"), 5),
        (ShelfstreamError("x"), 1),
        (TimeoutError(), 1),
    ],
)
def test_each_end_has_its_exit_code(
    error: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The process ends with it at once, and says the error's kind and sentence."""
    codes: list[int] = []

    def end(code: int) -> None:
        codes.append(code)

    monkeypatch.setattr(os, "_exit", end)
    worker.end_process(error)
    assert codes == [code]
    assert type(error).__name__ in "".join(capfd.readouterr())


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["stock", "planning"], ["STOCK"]])
def test_one_known_job_is_needed(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """Anything else is a usage error that lists them all."""
    assert streams_main.main(arguments) == worker.EXIT_SETTINGS
    assert "stock | planning | sink" in capfd.readouterr().err


@pytest.mark.parametrize("job", ["stock", "planning", "sink"])
def test_a_misspelt_setting_is_refused_before_anything_is_connected(
    job: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """By name, with the code that wants a person."""
    group = "SINK" if job == "sink" else "ENGINE"
    monkeypatch.setenv(f"SHELFSTREAM_{group}_TYPO", "3")
    assert streams_main.main([job]) == worker.EXIT_SETTINGS
    assert f"SHELFSTREAM_{group}_TYPO" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [(LogGapError("a hole"), 4), (ZeroDivisionError("a bug"), 1), (SettingsError("no"), 2)],
)
def test_errors_of_a_start_have_the_same_codes(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the worker ended itself or never began."""

    def fail(*_: object, **__: object) -> int:
        raise error

    monkeypatch.setattr(streams_main, "run_worker", fail)
    assert streams_main.main(["planning"]) == code


@pytest.mark.parametrize("name", sorted(FOLDS))
def test_folds_are_named_once(name: str) -> None:
    """The name of a fold names its group and its transactional ids: it may never change."""
    spec = fold_spec(name)
    assert spec.name == name
    assert spec.input_topic != spec.state_topic
    assert spec.create(0, 4).drain().outputs == []


def test_a_disk_store_needs_a_folder_that_stays(tmp_path: Path) -> None:
    """In a folder that goes with the process it would be for nothing."""
    with pytest.raises(SettingsError, match="needs SHELFSTREAM_ENGINE_DATA_FOLDER"):
        load(EngineSettings, {"SHELFSTREAM_ENGINE_STORE": "disk"})
    named = {
        "SHELFSTREAM_ENGINE_STORE": "disk",
        "SHELFSTREAM_ENGINE_DATA_FOLDER": str(tmp_path),
    }
    assert load(EngineSettings, named).store == "disk"
