"""Builds InfluxDB 2.7 once, from its Go module and Flux's Rust library, into the cache.

`python -m deploy.stack.influxdb_build` does the work in its own process, some minutes long; the
supervisor runs it under a leash, so that it never outlives the stack.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.stack.cache import cache_path, is_complete, mark_complete, part_lock, work_folder
from ingest.contracts.errors import StackError

INFLUXDB_VERSION: Final = "2.7.12"
BUILD_TAGS: Final = "sqlite_foreign_keys,sqlite_json"
TOOLS: Final = ("go", "cargo", "gcc", "pkg-config")
"""What a build needs on PATH."""

_MODULE: Final = "github.com/influxdata/influxdb/v2"
_PKG_CONFIG: Final = "github.com/influxdata/pkg-config"

GO_MOD: Final = f"""module shelfstream.invalid/influxd

go 1.23.0

require {_MODULE} v{INFLUXDB_VERSION}

tool (
\t{_MODULE}/cmd/influxd
\t{_PKG_CONFIG}
)

// A replacement counts only in the main module, so InfluxDB's own is repeated here.
replace github.com/nats-io/nats-streaming-server v0.11.2 => \
github.com/influxdata/nats-streaming-server v0.11.3-0.20201112040610-c277f7560803
"""

# Flux denies warnings, and a current compiler has more of them than the one it was written for.
RUSTC_WRAPPER_SCRIPT: Final = '#!/bin/sh\nexec "$@" --cap-lints warn\n'


def build_path() -> Path:
    """Return the folder of the built server in the cache."""
    return cache_path() / f"influxd-{INFLUXDB_VERSION}"


def built_influxd() -> Path | None:
    """Return the built server's program, or None until a build has ended well."""
    part = build_path()
    return part / "influxd" if is_complete(part) else None


def missing_tools() -> list[str]:
    """Return the names of the programs that a build needs and PATH has not."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]


def build(environ: Mapping[str, str]) -> Path:
    """Build the server, or wait for the process that is building it; return its program.

    Raises:
        StackError: A tool is missing or a step of the build failed.
    """
    missing = missing_tools()
    if missing:
        raise StackError(
            f"InfluxDB is left out: install {', '.join(missing)} to build it, "
            "or put an influxd on PATH"
        )
    part = build_path()
    with part_lock(part):
        if not is_complete(part):
            _build_into(part, environ)
    return part / "influxd"


def _build_into(part: Path, environ: Mapping[str, str]) -> None:
    with work_folder(part) as folder:
        (folder / "go.mod").write_text(GO_MOD, encoding="utf-8")
        wrapper = folder / "rustc-wrapper"
        wrapper.write_text(RUSTC_WRAPPER_SCRIPT, encoding="utf-8")
        wrapper.chmod(0o755)
        variables = _build_environment(wrapper, environ)
        _run("fetching the Go modules", ["go", "mod", "tidy"], folder, variables)
        pkg_config = folder / "bin" / "pkg-config"
        _run(
            "building pkg-config",
            ["go", "build", "-o", str(pkg_config), _PKG_CONFIG],
            folder,
            variables,
        )
        variables["PKG_CONFIG"] = str(pkg_config)
        program = folder / "bin" / "influxd"
        argv = ["go", "build", "-tags", BUILD_TAGS, "-ldflags", _LINK_FLAGS]
        argv += ["-o", str(program), f"{_MODULE}/cmd/influxd"]
        _run("building influxd", argv, folder, variables)
        part.mkdir(parents=True, exist_ok=True)
        shutil.move(program, part / "influxd")
    mark_complete(part, f"influxd {INFLUXDB_VERSION}\n")


_LINK_FLAGS: Final = f"-s -w -X main.version={INFLUXDB_VERSION}"


def _build_environment(wrapper: Path, environ: Mapping[str, str]) -> dict[str, str]:
    variables = {
        **environ,
        "RUSTC_WRAPPER": str(wrapper),  # CARGO_TARGET_DIR stays unset: pkg-config looks beside flux
        "GOFLAGS": "-buildvcs=false",
        "GOWORK": "off",
    }
    toolchain = _rust_toolchain()
    if toolchain:
        # Flux pins an old toolchain; without this rustup would try to fetch it.
        variables["RUSTUP_TOOLCHAIN"] = toolchain
    return variables


def _rust_toolchain() -> str | None:
    if shutil.which("rustup") is None:
        return None
    argv = ["rustup", "show", "active-toolchain"]
    answer = subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/")  # noqa: S603 - fixed words
    words = answer.stdout.split()
    return words[0] if words else None


def _run(what: str, argv: list[str], folder: Path, variables: Mapping[str, str]) -> None:
    sys.stderr.write(f"influxdb: {what}\n")
    sys.stderr.flush()
    done = subprocess.run(argv, cwd=folder, env=dict(variables), check=False)  # noqa: S603 - fixed words
    if done.returncode != 0:
        raise StackError(f"InfluxDB could not be built: {what} failed (code {done.returncode})")


def main() -> int:
    """Build, and say in one sentence what went wrong where it did."""
    try:
        program = build(os.environ)  # noqa: TID251 - a main
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write(f"influxdb: {program} is ready\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
