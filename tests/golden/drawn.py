"""What InfluxDB is given and Grafana is made of, as golden files."""

import json
from pathlib import Path
from typing import Final

from deploy.grafana.dashboard import dashboard
from streams.sink import MAPPERS
from tests.drawn import drawn_records

LINES: Final = Path(__file__).parent / "points.txt"
DASHBOARD: Final = Path(__file__).parent / "dashboard.json"


def lines_text() -> str:
    """Return a line of everything that is drawn, as the sink writes it."""
    lines = [
        line
        for record in drawn_records("RETRO CLOCK")
        for line in MAPPERS[record.topic](record.key, record.value)
    ]
    return "\n".join(lines) + "\n"


def dashboard_text() -> str:
    """Return the dashboard as Grafana is provisioned with it."""
    return json.dumps(dashboard(), indent=1) + "\n"
