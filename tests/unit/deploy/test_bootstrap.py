"""A fresh machine: what bootstrap.sh makes, what it repairs, what it asks for."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "deploy" / "bootstrap.sh"
SHELL_TOOLS = ("sh", "cat", "cksum", "dirname", "mkdir", "rm", "cp", "chmod")
"""What the script itself takes from the system."""

FAKE_PYTHON = """#!/bin/sh
echo "$*" >> "$CALLS"
case "$*" in
    -c*) exit 0 ;;
    --version) echo Python 3.11.0 ;;
    "-m venv --clear .venv") rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
    "-m pip --version") test ! -e .venv/no-pip ;;
esac
"""


class Machine:
    """A copy of the script in a tree of its own, and a PATH of chosen programs."""

    def __init__(self, folder: Path) -> None:
        """Begin with Python and the shell's tools, as an ordinary user."""
        self.tree, self._programs = folder / "tree", folder / "bin"
        self._calls = folder / "calls"
        (self.tree / "deploy").mkdir(parents=True)
        shutil.copy(SCRIPT, self.tree / "deploy")
        for name in ("pyproject.toml", "constraints.txt"):
            (self.tree / name).write_text("pinned\n")
        self._programs.mkdir()
        for tool in SHELL_TOOLS:
            found = shutil.which(tool)
            assert found is not None
            (self._programs / tool).symlink_to(found)
        self.add("python3", FAKE_PYTHON)
        self.add("id", "#!/bin/sh\necho 1000\n")

    def add(self, name: str, text: str = "#!/bin/sh\n") -> None:
        """Install a program."""
        path = self._programs / name
        path.write_text(text)
        path.chmod(0o755)

    def run(self, *words: str) -> tuple[int, str]:
        """Run the script; return its code and all it said."""
        answer = subprocess.run(
            ["sh", "deploy/bootstrap.sh", *words],
            cwd=self.tree,
            env={"PATH": str(self._programs), "CALLS": str(self._calls)},
            capture_output=True,
            text=True,
            check=False,
        )
        return answer.returncode, answer.stdout + answer.stderr

    def installs(self) -> int:
        """Return how often packages were installed so far."""
        return self._calls.read_text().count("-m pip install")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a machine with Python only."""
    return Machine(tmp_path)


def test_a_second_run_installs_nothing(machine: Machine) -> None:
    """Until a pinned version changes."""
    assert machine.run("python")[0] == 0
    assert machine.run("python") == (0, "")
    assert machine.installs() == 1
    (machine.tree / "constraints.txt").write_text("pinned otherwise\n")
    assert machine.run("python")[0] == 0
    assert machine.installs() == 2


def test_a_half_made_environment_is_made_again(machine: Machine) -> None:
    """A Debian without python3-venv leaves a Python without pip: the next run repairs it."""
    half = machine.tree / ".venv" / "bin"
    half.mkdir(parents=True)
    (half / "python").write_text(FAKE_PYTHON)
    (half / "python").chmod(0o755)
    (machine.tree / ".venv" / "no-pip").touch()
    code, told = machine.run("python")
    assert code == 0
    assert "making .venv" in told
    assert machine.installs() == 1


def test_what_is_missing_is_named_once(machine: Machine) -> None:
    """An ordinary user is told Debian's packages, and what each is for."""
    machine.add("mosquitto")
    code, told = machine.run()
    assert code == 1
    last = told.splitlines()[-1]
    assert last == (
        "bootstrap: install openjdk-17-jre-headless (runs Kafka), maven (fetches Kafka's jars), "
        "then run this again"
    )


def test_without_the_tools_of_influxdb_the_rest_runs(machine: Machine) -> None:
    """One sentence names the first tool that is missing; the code is 0."""
    for name in ("mosquitto", "java", "mvn", "go", "gcc", "pkg-config"):
        machine.add(name)
    code, told = machine.run()
    assert code == 0
    assert told.splitlines()[-1] == (
        "bootstrap: there is no influxd, and no cargo to build one: "
        "charts are left out, the rest runs"
    )
    machine.add("influxd")
    assert machine.run() == (0, "")


def test_an_old_python_is_a_sentence(machine: Machine) -> None:
    """It says which version is needed."""
    machine.add("python3", "#!/bin/sh\nexit 1\n")
    code, told = machine.run()
    assert code == 1
    assert "install Python 3.11 or newer" in told


def test_packages_that_can_not_be_installed_are_tried_again(machine: Machine) -> None:
    """No stamp is left by a failure."""
    machine.add("python3", FAKE_PYTHON.replace("esac", '    "-m pip install"*) exit 1 ;;\nesac'))
    code, told = machine.run("python")
    assert code == 1
    assert "pip could not install the packages" in told
    assert machine.run("python")[0] == 1
    assert machine.installs() == 2
