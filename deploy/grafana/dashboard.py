"""The dashboard: panels over the queries, and the files that provision Grafana with it.

`python -m deploy.grafana.dashboard DIRECTORY` writes them; the container files mount that folder.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.grafana import queries

SCHEMA_VERSION: Final = 39
DATASOURCE_UID: Final = "shelfstream-influxdb"
_GRID_COLUMNS: Final = 24


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel: a title, how it is drawn, its query, its size in grid cells."""

    title: str
    kind: str
    query: str
    unit: str = "short"
    width: int = 12
    height: int = 8


PANELS: Final = (
    Panel(title="Out of stock now", kind="stat", query=queries.OUT_OF_STOCK, width=6, height=5),
    Panel(title="Open breaches", kind="stat", query=queries.OPEN_BREACHES, width=12, height=5),
    Panel(title="Stock value (minor)", kind="stat", query=queries.STOCK_VALUE, width=6, height=5),
    Panel(title="On hand by site", kind="timeseries", query=queries.UNITS_BY_SITE),
    Panel(title="Units moved by kind", kind="timeseries", query=queries.MOVEMENTS_BY_KIND),
    Panel(title="Breaches open, newest first", kind="table", query=queries.BREACH_TABLE),
    Panel(title="Book is not shelf", kind="table", query=queries.BOOK_AND_SHELF_GAP),
    Panel(title="Sensors blind, newest first", kind="table", query=queries.BLIND_NOW),
    Panel(
        title="Time with a sensor blind",
        kind="timeseries",
        query=queries.BLIND_TIME_RATE,
        unit="percentunit",
    ),
    Panel(title="Transfers by state", kind="timeseries", query=queries.TRANSFERS_BY_STATE),
    Panel(title="Replenishment requests", kind="timeseries", query=queries.NEEDS_BY_STATE),
    Panel(title="Customer orders by state", kind="timeseries", query=queries.ORDERS_BY_STATE),
    Panel(title="Order lines short", kind="timeseries", query=queries.ORDER_LINES_SHORT),
    Panel(
        title="Units held of units ordered",
        kind="timeseries",
        query=queries.ORDER_FILL,
        unit="percentunit",
    ),
    Panel(title="Purchase orders by state", kind="timeseries", query=queries.PURCHASES_BY_STATE),
    Panel(title="Purchase orders to come", kind="table", query=queries.PURCHASES_OPEN),
    Panel(title="Units near expiry", kind="timeseries", query=queries.NEAR_EXPIRY_UNITS),
    Panel(title="Units expired", kind="timeseries", query=queries.EXPIRED_UNITS),
    Panel(title="Units quarantined", kind="timeseries", query=queries.QUARANTINED_UNITS),
    Panel(title="Count sessions by state", kind="timeseries", query=queries.COUNTS_BY_STATE),
    Panel(title="Count differences (minor)", kind="timeseries", query=queries.COUNT_VARIANCE),
    Panel(
        title="Record accuracy of counts",
        kind="timeseries",
        query=queries.COUNT_ACCURACY,
        unit="percentunit",
    ),
    Panel(
        title="Time out of stock",
        kind="timeseries",
        query=queries.STOCKOUT_TIME_RATE,
        unit="percentunit",
    ),
    Panel(title="Days on hand", kind="timeseries", query=queries.DAYS_ON_HAND),
    Panel(
        title="Fill rate of orders", kind="timeseries", query=queries.FILL_RATE, unit="percentunit"
    ),
    Panel(
        title="Value above the maximum",
        kind="timeseries",
        query=queries.OVERSTOCK_VALUE_RATE,
        unit="percentunit",
    ),
    Panel(
        title="Sensor coverage",
        kind="timeseries",
        query=queries.SENSOR_COVERAGE,
        unit="percentunit",
    ),
    Panel(title="Reading to breach", kind="timeseries", query=queries.BREACH_LATENCY, unit="ms"),
    Panel(title="Records behind, by reader", kind="timeseries", query=queries.READERS_LAG),
)


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana's JSON model."""
    return {
        "uid": "shelfstream",
        "title": "Shelfstream",
        "tags": ["shelfstream"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "refresh": "5s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "utc",
        "templating": {"list": [_bucket_variable(), _site_variable()]},
        "panels": _placed(),
    }


def _bucket_variable() -> dict[str, Any]:
    return {
        "name": "bucket",
        "type": "constant",
        "query": "shelfstream",
        "current": {"text": "shelfstream", "value": "shelfstream"},
        "hide": 2,
    }


def _site_variable() -> dict[str, Any]:
    return {
        "name": "site",
        "label": "Site",
        "type": "query",
        "datasource": {"type": "influxdb", "uid": DATASOURCE_UID},
        "query": {"query": queries.SITES, "refId": "sites"},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _placed() -> list[dict[str, Any]]:
    """Return the panels laid out in reading order, row after row."""
    placed: list[dict[str, Any]] = []
    x = y = row_height = 0
    for number, panel in enumerate(PANELS, start=1):
        if x + panel.width > _GRID_COLUMNS:
            x, y, row_height = 0, y + row_height, 0
        placed.append(_panel(number, panel, x, y))
        x += panel.width
        row_height = max(row_height, panel.height)
    return placed


def _panel(number: int, panel: Panel, x: int, y: int) -> dict[str, Any]:
    datasource = {"type": "influxdb", "uid": DATASOURCE_UID}
    return {
        "id": number,
        "title": panel.title,
        "type": panel.kind,
        "datasource": datasource,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "options": {},
        "targets": [{"refId": "A", "datasource": datasource, "query": panel.query}],
    }


def provisioning() -> dict[str, str]:
    """Return the files Grafana is provisioned with, text by relative path."""
    datasource = {
        "apiVersion": 1,
        "datasources": [
            {
                "name": "Shelfstream",
                "uid": DATASOURCE_UID,
                "type": "influxdb",
                "access": "proxy",
                "url": "${SHELFSTREAM_INFLUX_URL}",
                "jsonData": {
                    "version": "Flux",
                    "organization": "${SHELFSTREAM_INFLUX_ORG}",
                    "defaultBucket": "${SHELFSTREAM_INFLUX_BUCKET}",
                },
                "secureJsonData": {"token": "${SHELFSTREAM_INFLUX_TOKEN}"},
            }
        ],
    }
    provider = {
        "apiVersion": 1,
        "providers": [
            {
                "name": "shelfstream",
                "type": "file",
                "options": {"path": "/etc/grafana/provisioning/dashboards"},
            }
        ],
    }
    return {
        "datasources/shelfstream.yaml": yaml.safe_dump(datasource, sort_keys=False),
        "dashboards/shelfstream.yaml": yaml.safe_dump(provider, sort_keys=False),
        "dashboards/shelfstream.json": json.dumps(dashboard(), indent=2) + "\n",
    }


def write(directory: Path) -> list[Path]:
    """Write the provisioning files below a folder; return their paths."""
    paths = []
    for name, body in provisioning().items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body, encoding="utf-8")
        paths.append(path)
    return paths


if __name__ == "__main__":
    for written in write(Path(sys.argv[1])):
        sys.stdout.write(f"{written}\n")
