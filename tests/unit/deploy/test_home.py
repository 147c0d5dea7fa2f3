"""A stack's home: who may read it, who holds it, what an old state says."""

import os
import stat
from pathlib import Path

import pytest

from deploy.stack.home import Home, home_of, is_locked, take_lock, write_private
from deploy.stack.logs import last_line, limit_log
from deploy.stack.parts import PartState
from deploy.stack.state import kill_orphans, orphans, read_state, write_state
from ingest.contracts.errors import StackError


def test_the_home_is_named_or_in_the_working_folder(tmp_path: Path) -> None:
    """SHELFSTREAM_HOME wins, also as a relative path."""
    assert home_of({}, tmp_path).path == tmp_path / ".shelfstream"
    assert home_of({"SHELFSTREAM_HOME": "x"}, tmp_path).path == tmp_path / "x"


def test_private_files_are_their_owners_only(tmp_path: Path) -> None:
    """The mode holds from the first byte, also over an older open file."""
    path = tmp_path / "env"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_home_has_one_supervisor(tmp_path: Path) -> None:
    """The second is refused while the first holds the lock, and not after."""
    home = Home(tmp_path / "home")
    assert not is_locked(home)
    with take_lock(home):
        assert is_locked(home)
        with pytest.raises(StackError, match="a stack already runs"):
            take_lock(home)
    assert not is_locked(home)
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700


def test_a_state_without_its_supervisor_reads_as_stopped(tmp_path: Path) -> None:
    """A file that a killed supervisor left behind claims nothing."""
    home = Home(tmp_path)
    with take_lock(home):
        write_state(home, "ready", "", [PartState(name="kafka", status="running")])
        state = read_state(home)
        assert state is not None
        assert state.phase == "ready"
    state = read_state(home)
    assert state is not None
    assert state.phase == "stopped"
    assert read_state(Home(tmp_path / "none")) is None


def test_only_the_very_process_is_an_orphan(tmp_path: Path) -> None:
    """A pid used again by another process is left alone."""
    home = Home(tmp_path)
    mine = PartState(name="test", status="running", pid=os.getpid())
    state = write_state(home, "ready", "", [mine])
    assert [part.name for part in orphans(state)] == ["test"]
    state.parts[0].started_s = 1.0
    assert kill_orphans(state) == []


def test_a_log_never_grows_past_its_limit(tmp_path: Path) -> None:
    """Over the limit its lines move aside; a writer that appends goes on in the same file."""
    path = tmp_path / "part.log"
    with path.open("ab", buffering=0) as writer:
        writer.write(b"first\n\n")
        assert last_line(path) == "first"
        assert not limit_log(path, bytes_max=7)
        assert limit_log(path, bytes_max=6)
        writer.write(b"second\n")
    assert path.read_bytes() == b"second\n"
    assert (tmp_path / "part.log.1").read_bytes() == b"first\n\n"
    assert last_line(tmp_path / "none") == ""
