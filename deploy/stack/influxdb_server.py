"""The local stack's InfluxDB: where its program comes from, how it runs, how it is set up."""

import http.client
import json
import shutil
from pathlib import Path
from typing import Any, Final

from deploy.stack.home import Home
from deploy.stack.influxdb_build import build_path, built_influxd, missing_tools
from deploy.stack.plan import LOOPBACK, StackPlan
from ingest.contracts.errors import StackError
from ingest.contracts.settings import InfluxSettings

PART: Final = "influxdb"
USER: Final = "shelfstream"
REQUEST_TIMEOUT_S: Final = 30.0


def influxd_program() -> Path | None:
    """Return the server's program: on PATH, else built in the cache, else None."""
    found = shutil.which("influxd")
    return Path(found) if found else built_influxd()


def influxd_to_be() -> Path | None:
    """Return the program that is there or that a build will make; None where none can be."""
    if (found := influxd_program()) is not None:
        return found
    return None if missing_tools() else build_path() / "influxd"


def server_argv(home: Home, plan: StackPlan, program: Path) -> list[str]:
    """Return the command that runs the server."""
    folder = home.data(PART)
    return [
        str(program),
        f"--http-bind-address={LOOPBACK}:{plan.influx_port}",
        f"--bolt-path={folder / 'influxd.bolt'}",
        f"--sqlite-path={folder / 'influxd.sqlite'}",
        f"--engine-path={folder / 'engine'}",
        "--reporting-disabled",
        "--log-level=warn",
    ]


def set_up(plan: StackPlan, settings: InfluxSettings) -> None:
    """Make user, organisation, bucket and token, once; nothing where they are there.

    Raises:
        StackError: The server refused.
    """
    if not _request(plan, "GET", None).get("allowed"):
        return
    wanted = {
        "username": USER,
        "password": plan.influx_password,
        "org": settings.org,
        "bucket": settings.bucket,
        "token": settings.token.get_secret_value(),
        "retentionPeriodSeconds": 0,
    }
    _request(plan, "POST", json.dumps(wanted))


def _request(plan: StackPlan, method: str, body: str | None) -> dict[str, Any]:
    connection = http.client.HTTPConnection(LOOPBACK, plan.influx_port, timeout=REQUEST_TIMEOUT_S)
    try:
        connection.request(method, "/api/v2/setup", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise StackError(f"InfluxDB did not answer its set-up: {error}") from error
    finally:
        connection.close()
    if response.status >= http.HTTPStatus.BAD_REQUEST:
        raise StackError(f"InfluxDB refused its set-up: {text.decode(errors='replace')}")
    answer: dict[str, Any] = json.loads(text)
    return answer
