"""State and outputs of the stock fold do not depend on Python's hash seed."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = "from tests.property.test_fold_hash_seed import digest; print(digest())"


def digest() -> str:
    """Return a digest of two fixed scripts' states, in their own order, and of their outputs."""
    from tests.property.fold_scripts import (  # noqa: PLC0415 - not for pytest
        LONG_PACE_MS,
        PACE_MS,
        STEPS_MAX,
        run,
        script_of,
    )

    found = hashlib.sha256()
    for pace_ms in (PACE_MS, LONG_PACE_MS):
        story = run(script_of(20_26, STEPS_MAX, pace_ms=pace_ms))
        for raw, value in story.state.items():
            found.update(raw + value)
        for output in story.outputs:
            found.update(f"{output.topic}/{output.partition}".encode() + output.value)
    return found.hexdigest()


def test_two_hash_seeds_give_the_same_bytes() -> None:
    """Two processes, two seeds, one digest."""
    digests = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},  # noqa: TID251 - a child's environment
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert digests[0] == digests[1]
    assert len(digests[0].strip()) == 64
