"""The sink and the dashboard on a real InfluxDB: every line is taken, every panel's query runs."""

import asyncio
import uuid
from collections.abc import Iterator

import pytest
from influxdb_client.client.influxdb_client import InfluxDBClient

from deploy.grafana import queries
from deploy.grafana.dashboard import PANELS, Panel
from ingest.contracts.settings import InfluxSettings
from streams.adapters.influx import InfluxPointWriter
from streams.ports import PointsRefusedError, WriterUnavailableError
from streams.settings import SinkSettings
from streams.sink import Sink
from tests.drawn import AT_MS, drawn_records
from tests.stack import TestStack
from tests.unit.streams.test_sink import Letters, Source

pytestmark = pytest.mark.integration

START, STOP = "2025-11-24T15:00:00Z", "2025-11-24T17:00:00Z"


@pytest.fixture(scope="module")
def influx(stack: TestStack) -> InfluxSettings:
    """Return the stack's InfluxDB, or skip aloud where it could not be had."""
    if stack.influx is None:
        pytest.skip("InfluxDB could not be built here: install Go and Rust, or put influxd on PATH")
    return stack.influx


@pytest.fixture(scope="module")
def client(influx: InfluxSettings) -> Iterator[InfluxDBClient]:
    """Return a client of the real database."""
    token = influx.token.get_secret_value()
    with InfluxDBClient(url=influx.url, token=token, org=influx.org) as opened:
        yield opened


def rows(client: InfluxDBClient, query: str, bucket: str) -> list[dict[str, object]]:
    """Run a dashboard query with literals for its variables."""
    text = queries.runnable(query, bucket=bucket, start=START, stop=STOP)
    tables = client.query_api().query(text)
    return [record.values for table in tables for record in table.records]


@pytest.fixture(scope="module")
def sku(influx: InfluxSettings) -> str:
    """Write everything twice, as a sink does that died before its commit; return the SKU."""
    sku = f"RETRO CLOCK, {uuid.uuid4().hex[:6]}"
    with InfluxPointWriter(influx, write_timeout_ms=10_000) as writer:
        for _ in range(2):
            source, letters = Source(drawn_records(sku)), Letters()
            sink = Sink(source, writer, letters, SinkSettings(), now_ms=lambda: AT_MS)
            asyncio.run(sink.step())
            assert not letters.kept
            assert source.committed == len(source.records)
    return sku


def test_a_repeat_doubles_nothing(client: InfluxDBClient, influx: InfluxSettings, sku: str) -> None:
    """Two sales of one millisecond are two points, also when they are written twice."""
    query = (
        f'from(bucket: "{influx.bucket}") |> range(start: {START}, stop: {STOP})'
        f' |> filter(fn: (r) => r.sku == "{sku}" and r._measurement == "stock_movement")'
        ' |> filter(fn: (r) => r._field == "quantity_units") |> sum()'
    )
    found = [record.get_value() for table in client.query_api().query(query) for record in table]
    assert found == [-2]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_every_panel_draws(
    client: InfluxDBClient, influx: InfluxSettings, sku: str, panel: Panel
) -> None:
    """Each panel's query runs on the real database and returns at least a row."""
    assert sku
    assert rows(client, panel.query, influx.bucket)


def test_of_two_unusual_lines_the_one_that_goes_on_is_open(
    client: InfluxDBClient, influx: InfluxSettings, sku: str
) -> None:
    """Breaches of one article, site and kind are told apart by their ids, and each is counted."""
    table = rows(client, queries.BREACH_TABLE, influx.bucket)
    unusual = [row for row in table if row["kind"] == "order_outlier"]
    assert [row["breach_id"] for row in unusual if row["sku"] == sku] == [f"breach-{sku}-15"]
    counted = rows(client, queries.OPEN_BREACHES, influx.bucket)
    assert {row["kind"]: row["_value"] for row in counted}["order_outlier"] == len(unusual)


def test_sites_are_offered(client: InfluxDBClient, influx: InfluxSettings, sku: str) -> None:
    """The dashboard's site list comes from the data."""
    assert sku
    found = {row["_value"] for row in rows(client, queries.SITES, influx.bucket)}
    assert {"S1", "S2"} <= found


def test_refusals_and_outages_are_told_apart(influx: InfluxSettings) -> None:
    """A bad line is refused for good; a database that is not there asks for patience."""
    with (
        InfluxPointWriter(influx, write_timeout_ms=10_000) as writer,
        pytest.raises(PointsRefusedError),
    ):
        asyncio.run(writer.write(["no line protocol at all"]))
    nowhere = influx.model_copy(update={"url": "http://127.0.0.1:1"})
    with (
        InfluxPointWriter(nowhere, write_timeout_ms=1_000) as writer,
        pytest.raises(WriterUnavailableError),
    ):
        asyncio.run(writer.write(["m f=1i 1"]))
