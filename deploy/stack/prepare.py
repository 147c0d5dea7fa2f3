"""`python -m deploy.stack.prepare`: fetches and builds ahead, so that no test waits.

`--influxdb` also builds InfluxDB and waits for it. Where it can't be built its tests are skipped,
aloud; everything else must be there.
"""

import os
import sys
from typing import Final

from deploy.stack.influxdb_build import build
from deploy.stack.influxdb_server import influxd_program
from deploy.stack.run import install_parts
from ingest.contracts.errors import StackError

INFLUXDB_FLAG: Final = "--influxdb"


def main(argv: list[str]) -> int:
    """Prepare; return 1 where something is missing that tests can't do without."""
    try:
        install_parts(_say)
    except StackError as error:
        _say(str(error))
        return 1
    if INFLUXDB_FLAG in argv and influxd_program() is None:
        _say("building InfluxDB, some minutes, once")
        try:
            build(os.environ)  # noqa: TID251 - a main
        except StackError as error:
            _say(f"{error}; the tests that need it will be skipped")
    return 0


def _say(sentence: str) -> None:
    sys.stderr.write(f"prepare: {sentence}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
