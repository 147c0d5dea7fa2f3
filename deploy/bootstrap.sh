#!/bin/sh
# Makes a fresh machine ready: the virtual environment, mosquitto, and a word on what is missing.
# Safe to run as often as one likes: it does nothing where nothing changed. `bootstrap.sh python`
# stops after the virtual environment: checks and simulations in memory need no broker.
set -eu
cd "$(dirname "$0")/.."

PYTHON_MINOR_MIN=11
STAMP=.venv/.shelfstream-stamp

say() { printf 'bootstrap: %s\n' "$1"; }
fail() { printf 'bootstrap: %s\n' "$1" >&2; exit 1; }

find_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null 2>&1 &&
            "$name" -c "import sys; sys.exit(sys.version_info < (3, $PYTHON_MINOR_MIN))" 2>/dev/null
        then
            printf '%s' "$name"
            return
        fi
    done
}

as_root() { [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; }

install_package() {
    say "installing $1 by apt-get"
    apt-get update -q >/dev/null || fail "apt-get update failed: is the machine online?"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$1" >/dev/null ||
        fail "apt-get could not install $1"
}

# $1 the program, $2 Debian's package, $3 what it is for
need() {
    PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$1" >/dev/null 2>&1 && return
    if as_root; then install_package "$2"; else missing="$missing $2 ($3),"; fi
}

python=$(find_python)
[ -n "$python" ] || fail "install Python 3.$PYTHON_MINOR_MIN or newer, on Debian python3 and python3-venv"

wanted=$(cat pyproject.toml constraints.txt | cksum)
if [ ! -x .venv/bin/python ] || [ ! -f "$STAMP" ] || [ "$(cat "$STAMP")" != "$wanted" ]; then
    # One without pip is what a killed run, or a Debian without python3-venv, leaves behind.
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        say "making .venv with $($python --version)"
        "$python" -m venv --clear .venv || fail "install Python's venv, on Debian python3-venv"
    fi
    say "installing the packages pinned in constraints.txt"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        -c constraints.txt -e '.[dev]' || fail "pip could not install the packages: see above"
    printf '%s' "$wanted" >"$STAMP"
fi

[ "${1:-}" != python ] || exit 0

missing=
need mosquitto mosquitto "the MQTT broker"
need java openjdk-17-jre-headless "runs Kafka"
need mvn maven "fetches Kafka's jars"
[ -z "$missing" ] || fail "install${missing%,}, then run this again"

command -v influxd >/dev/null 2>&1 && exit 0
for tool in go cargo gcc pkg-config; do
    command -v "$tool" >/dev/null 2>&1 && continue
    say "there is no influxd, and no $tool to build one: charts are left out, the rest runs"
    exit 0
done
