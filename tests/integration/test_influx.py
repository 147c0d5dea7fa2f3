"""The sink and the dashboard on a real InfluxDB: every line is taken, every panel's query runs."""

import asyncio
import uuid
from collections.abc import Iterator

import msgspec
import pytest
from influxdb_client.client.influxdb_client import InfluxDBClient

from deploy.grafana import queries
from deploy.grafana.dashboard import PANELS, Panel
from ingest.contracts import topics
from ingest.contracts.settings import InfluxSettings
from streams.adapters.influx import InfluxPointWriter
from streams.contracts.events import (
    EVENT_FRAMES,
    BreachOpened,
    NeedChanged,
    StreamEvent,
    TransferChanged,
)
from streams.contracts.kpis import KpisClosed, KpiSums
from streams.contracts.ledger import MOVEMENT_FRAMES, Movement
from streams.contracts.state import LEVEL, Level, Need, SensedChannel, Transfer, key
from streams.engine.ports import LogRecord
from streams.ports import PointsRefusedError, WriterUnavailableError
from streams.settings import SinkSettings
from streams.sink import Sink
from tests.stack import TestStack
from tests.unit.streams.test_sink import Letters, Source

pytestmark = pytest.mark.integration

AT_MS = 1_764_000_000_000
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


def records(sku: str) -> list[LogRecord]:
    """Return one of everything that is drawn, for one SKU at two sites."""
    level = Level(
        sku=sku,
        site="S1",
        on_hand_units=3,
        sensed=[SensedChannel("d/1", 2, AT_MS, AT_MS)],
        updated_at_ms=AT_MS,
        value_minor=300,
    )
    empty = Level(sku=sku, site="S2", updated_at_ms=AT_MS)
    moved = [
        Movement(
            movement_id=f"movement-{sku}-{n}",
            sku=sku,
            site="S1",
            kind="sale",
            bucket="on_hand",
            quantity_units=-1,
            before_units=5 - n,
            after_units=4 - n,
            cause=f"g/b/{n}",
            effective_at_ms=AT_MS,
            recorded_at_ms=AT_MS,
        )
        for n in range(2)
    ]
    opened = BreachOpened(
        breach_id=f"breach-{sku}-9",
        sku=sku,
        site="S2",
        kind="stockout",
        at_ms=AT_MS,
        since_ms=AT_MS,
        available_units=0,
        position_units=0,
        threshold_units=0,
        observed_at_ms=AT_MS - 40,
    )
    transfer = Transfer(
        transfer_id=f"transfer-{sku}-10",
        sku=sku,
        from_site="S1",
        to_site="S2",
        state="approved",
        quantity_units=2,
    )
    need = Need(
        need_id=f"need-{sku}-11",
        sku=sku,
        site="S2",
        from_site="W1",
        state="open",
        quantity_units=6,
        opened_at_ms=AT_MS,
    )
    closed = KpisClosed(
        sku=sku,
        site="S1",
        from_ms=AT_MS - 86_400_000,
        at_ms=AT_MS,
        sums=KpiSums(
            observed_ms=86_400_000,
            out_ms=3_600_000,
            sensed_ms=80_000_000,
            held_unit_s=400_000,
            issued_units=2,
            asked_units=4,
            filled_units=3,
        ),
        on_hand_units=3,
        value_minor=300,
        unit_cost_minor=100,
        excess_minor=100,
        demand_milli_day=2_000,
        lost_milli=83,
        shelf_units=2,
    )
    told: list[StreamEvent] = [
        opened,
        closed,
        TransferChanged(at_ms=AT_MS, transfer=transfer),
        NeedChanged(at_ms=AT_MS, need=need),
    ]
    encode = msgspec.msgpack.encode
    return [
        LogRecord(topics.STOCK.name, 0, 0, key(LEVEL, sku, "S1"), encode(level)),
        LogRecord(topics.STOCK.name, 0, 1, key(LEVEL, sku, "S2"), encode(empty)),
        LogRecord(
            topics.MOVEMENTS.name, 0, 0, None, MOVEMENT_FRAMES.encode(moved, received_at_ms=AT_MS)
        ),
        LogRecord(topics.EVENTS.name, 0, 0, None, EVENT_FRAMES.encode(told, received_at_ms=AT_MS)),
    ]


@pytest.fixture(scope="module")
def sku(influx: InfluxSettings) -> str:
    """Write everything twice, as a sink does that died before its commit; return the SKU."""
    sku = f"RETRO CLOCK, {uuid.uuid4().hex[:6]}"
    with InfluxPointWriter(influx, write_timeout_ms=10_000) as writer:
        for _ in range(2):
            source, letters = Source(records(sku)), Letters()
            sink = Sink(source, writer, letters, SinkSettings(), now_ms=lambda: AT_MS)
            asyncio.run(sink.step())
            assert not letters.kept
            assert source.committed == 4
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
