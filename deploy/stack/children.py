"""How a child process is tied to the process that started it, so that none is ever left over."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def dying_with(parent_pid: int) -> Callable[[], None]:
    """Return what a child of `parent_pid` runs before exec: the kernel kills it with its parent."""
    return partial(_tie, signal.SIGKILL, parent_pid)


def ending_with(parent_pid: int) -> Callable[[], None]:
    """Return the same with SIGTERM, for a child that ends others in good order itself."""
    return partial(_tie, signal.SIGTERM, parent_pid)


def leashed(argv: Sequence[str]) -> list[str]:
    """Return the command that runs `argv` under a leash.

    A command with children of its own (a compiler's driver) needs more than `dying_with`,
    which reaches one process only. The leash kills the whole group when its input closes.
    """
    return [sys.executable, "-m", "deploy.stack.leash", *argv]


def import_path(environ: Mapping[str, str]) -> str:
    """Return the PYTHONPATH of a child: it imports us from wherever the user stands."""
    root = str(Path(__file__).parents[2])
    return os.pathsep.join(filter(None, (root, environ.get("PYTHONPATH", ""))))


def _tie(number: signal.Signals, parent_pid: int) -> None:
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent_pid:
        # The parent ended before the call.
        os.kill(os.getpid(), number)
