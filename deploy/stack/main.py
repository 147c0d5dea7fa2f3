"""`python -m deploy.stack.main HOME OPTIONS`: the supervisor in the background, no terminal."""

import asyncio
import os
import sys
import time
from pathlib import Path

from deploy.stack.home import Home
from deploy.stack.plan import StackOptions
from deploy.stack.run import run_stack
from ingest.contracts.errors import ShelfstreamError


def main(argv: list[str]) -> int:
    """Run the stack of one home, options as JSON; return 1 where it failed."""
    home, options = Home(Path(argv[0])), StackOptions.model_validate_json(argv[1])
    environ = dict(os.environ)  # noqa: TID251 - a main
    now_ms = time.time_ns() // 1_000_000  # noqa: TID251 - a main
    stack = run_stack(home, options, environ, observer=lambda *_: None, now_ms=now_ms)
    try:
        failure = asyncio.run(stack)
    except ShelfstreamError as error:
        failure = str(error)
    if failure:
        sys.stderr.write(f"{failure}\n")
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
