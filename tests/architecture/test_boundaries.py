"""Who may touch what: brokers behind adapters, pure modules pure, package names ours alone."""

import re
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.architecture.source_tree import PACKAGES, ROOT, modules

CLIENTS = {
    "faust": r"streams\.engine\.",
    "mode": r"streams\.engine\.",
    "paho": r"(ingest|alerting|simulators)\.adapters\.|deploy\.",
    "kafka": r"ingest\.adapters\.kafka$",
    "aiokafka": r"(streams\.engine|streams|alerting|simulators)\.adapters\.|deploy\.",
    "influxdb_client": r"streams\.adapters\.influx$|deploy\.bench\.sink$",
    "apprise": r"alerting\.adapters\.",
}
"""Where each client library may be imported; everything else speaks to a port."""

PEERS = "deploy.bench.peers."
"""Programs that benchmarks run in an environment of their own; the product imports none."""

PURE = re.compile(
    r"^(streams\.(domain|contracts)(\.|$)|streams\.(command_answers|points|periods|journal)$|"
    r"ingest\.(frames|partitions|normalise|batcher|clocks|wire|catalog|barcodes)$|alerting\.(rules|fold)$|"
    r"simulators\.(world|demand|faults|oracle|verification|gateway)$)"
)
IMPURE = {"asyncio", "os", "socket", "time", "random", "threading", *CLIENTS}


def test_client_libraries_stay_behind_adapters() -> None:
    """Each broker or database client is imported by its adapters, and by nothing else."""
    strays = [
        f"{module.name} imports {client}"
        for module in modules()
        if not module.name.startswith(PEERS)
        for client, place in CLIENTS.items()
        if any(i.split(".")[0] == client for i in module.imports())
        and not re.match(place, module.name)
    ]
    assert not strays


def test_pure_modules_are_pure() -> None:
    """Folds, models and mappings import no clock, socket, randomness or broker."""
    offenders = {}
    for module in modules():
        if PURE.match(module.name):
            impure = {i.split(".")[0] for i in module.imports()} & IMPURE
            if impure - _type_checking_only(module.path.read_text(encoding="utf-8")):
                offenders[module.name] = impure
    assert not offenders


def _type_checking_only(source: str) -> set[str]:
    """Return modules imported under TYPE_CHECKING: named in annotations, never called."""
    block = re.search(r"^if TYPE_CHECKING:\n((?:    .*\n|\n)+)", source, re.MULTILINE)
    if block is None:
        return set()
    return set(re.findall(r"^    (?:import|from) (\w+)", block.group(1), re.MULTILINE))


def test_every_pure_name_exists() -> None:
    """The pattern above names modules that are really there, so that a rename is noticed."""
    assert sum(bool(PURE.match(m.name)) for m in modules()) >= 20


def test_package_names_are_ours_alone() -> None:
    """No other distribution ships a top-level package of our names."""
    owners = packages_distributions()
    assert {name: owners.get(name) for name in PACKAGES} == {
        name: ["shelfstream"] for name in PACKAGES
    } or all(set(owners.get(name, ["shelfstream"])) == {"shelfstream"} for name in PACKAGES)


def _project_files() -> Iterator[Path]:
    """Yield the text files of the project, hidden folders but CI's left out."""
    for top in sorted(ROOT.iterdir()):
        if top.name.startswith(".") and top.name not in {".ci", ".gitignore"}:
            continue
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and path.suffix not in {".pyc", ".gz", ".png"}:
                yield path


def test_no_path_of_a_machine_and_no_registry_is_named() -> None:
    """The tree holds no absolute home or work path and no package registry's host."""
    parts = [
        "/wo" + "rk/",
        "/ro" + "ot/",
        "py" + "pi.org",
        "pytho" + "nhosted",
        "npm" + "js",
        "crates" + ".io",
    ]
    parts += ["repo1.ma" + "ven", "proxy.go" + "lang", "deb.deb" + "ian"]
    found = []
    for path in _project_files():
        text = path.read_text(encoding="utf-8", errors="ignore")
        found += [f"{path.relative_to(ROOT)}: {part}" for part in parts if part in text]
    assert not found
