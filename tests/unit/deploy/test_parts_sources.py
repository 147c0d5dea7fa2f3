"""Where the parts come from: a half fetch or a half build is never trusted."""

from pathlib import Path

import pytest

from deploy.stack import influxdb_server, kafka_jars
from deploy.stack.cache import cache_path, is_complete, mark_complete, work_folder
from deploy.stack.influxdb_build import GO_MOD, INFLUXDB_VERSION, build, built_influxd
from ingest.contracts.errors import StackError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return cache_path()


def test_a_half_fetch_is_not_trusted() -> None:
    """Jars without the marker, or a marker without one of its jars, count as nothing."""
    part = kafka_jars.jars_path()
    part.mkdir(parents=True)
    for name in kafka_jars.JARS_NEEDED:
        (part / name).touch()
    assert not kafka_jars.is_fetched()
    mark_complete(part, "\n".join(kafka_jars.JARS_NEEDED))
    assert kafka_jars.is_fetched()
    (part / kafka_jars.JARS_NEEDED[-1]).unlink()
    assert not kafka_jars.is_fetched()


def test_a_half_build_is_not_trusted() -> None:
    """The program counts once the marker, written last, is there."""
    part = cache_path() / f"influxd-{INFLUXDB_VERSION}"
    part.mkdir(parents=True)
    (part / "influxd").touch()
    assert built_influxd() is None
    mark_complete(part, "done")
    assert is_complete(part)
    assert built_influxd() == part / "influxd"


def test_missing_tools_are_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without Java, Go or cargo the sentence says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match="install go, cargo, gcc, pkg-config"):
        build({})
    with pytest.raises(StackError, match="Kafka needs Java 17 or newer"):
        kafka_jars.fetch_jars(lambda _: None)
    assert influxdb_server.influxd_to_be() is None


def test_an_influxd_on_the_path_comes_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the user installed is used before what would be built."""
    mine = tmp_path / "bin" / "influxd"
    mine.parent.mkdir()
    mine.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(mine.parent))
    assert influxdb_server.influxd_to_be() == mine


def test_versions_are_named_once() -> None:
    """The generated files carry the versions of the constants."""
    assert f"<version>{kafka_jars.KAFKA_VERSION}</version>" in kafka_jars.POM
    assert f"v{INFLUXDB_VERSION}" in GO_MOD
    assert "replace github.com/nats-io/nats-streaming-server" in GO_MOD


def test_what_a_killed_build_left_is_cleared() -> None:
    """The next one starts in an empty folder, and leaves none."""
    part = cache_path() / "part"
    left = part.with_name("part.work") / "left"
    left.mkdir(parents=True)
    with work_folder(part) as folder:
        assert list(folder.iterdir()) == []
    assert not folder.exists()
