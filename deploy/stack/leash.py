"""`python -m deploy.stack.leash ARGV...`: a command whose whole group ends when our input closes.

The input is a pipe that the starter holds open and never writes to. However the starter ends,
the kernel closes the pipe.
"""

import os
import select
import signal
import subprocess
import sys
from typing import Final

from deploy.stack.children import dying_with

POLL_MS: Final = 200
"""How late the end of the command may be seen."""


def run(argv: list[str]) -> int:
    """Run the command to its end, or to the end of whoever holds our input; return its code."""
    # The command is no child of the starter: if the leash itself is killed, the kernel ends it.
    command = subprocess.Popen(  # noqa: S603 - the caller's own command
        argv,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=dying_with(os.getpid()),  # noqa: PLW1509 - no thread runs
    )
    signal.signal(signal.SIGTERM, lambda *_: _kill(command.pid))
    poll = select.poll()
    poll.register(sys.stdin.fileno(), select.POLLIN | select.POLLHUP)
    while command.poll() is None:
        if poll.poll(POLL_MS) and not os.read(sys.stdin.fileno(), 1):
            _kill(command.pid)
            break
    code = command.wait()
    _kill(command.pid)
    return code if code >= 0 else 128 - code


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
