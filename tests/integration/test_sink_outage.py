"""The real sink on real parts: killed, and its database killed, it catches up to the last point."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from influxdb_client.client.influxdb_client import InfluxDBClient

from ingest.contracts.settings import HOME_VARIABLE, InfluxSettings
from ingest.contracts.topics import MOVEMENTS
from streams.contracts.ledger import MOVEMENT_FRAMES, Movement
from streams.engine.adapters.reader import RecordWriter
from tests.stack import TestStack

pytestmark = [pytest.mark.integration, pytest.mark.slow]

DEADLINE_S = 60.0
AT_MS = 1_764_000_000_000
FRAME_MOVEMENTS = 100


def movements(sku: str, first: int) -> list[Movement]:
    """Return one frame's worth of sales, a unit each, of one millisecond."""
    return [
        Movement(
            movement_id=f"movement-{sku}-{number}",
            sku=sku,
            site="S1",
            kind="sale",
            bucket="on_hand",
            quantity_units=-1,
            before_units=-number,
            after_units=-number - 1,
            cause=f"gate/b/{number}",
            effective_at_ms=AT_MS,
            recorded_at_ms=AT_MS,
        )
        for number in range(first, first + FRAME_MOVEMENTS)
    ]


async def post(stack: TestStack, sku: str, first: int, frames: int) -> None:
    """Write frames of movements into the ledger."""
    async with RecordWriter(stack.kafka) as writer:
        for start in range(first, first + frames * FRAME_MOVEMENTS, FRAME_MOVEMENTS):
            value = MOVEMENT_FRAMES.encode(movements(sku, start), received_at_ms=AT_MS)
            await writer.write(MOVEMENTS.name, 0, None, value)


@contextmanager
def sink(stack: TestStack) -> "Iterator[subprocess.Popen[bytes]]":
    """Run the sink as its supervisor would; killed at the end if it still runs."""
    clean = {n: v for n, v in os.environ.items() if not n.startswith("SHELFSTREAM_")}  # noqa: TID251 - a child needs PATH
    process = subprocess.Popen(
        [sys.executable, "-m", "streams.main", "sink"],
        env={**clean, HOME_VARIABLE: str(stack.home.path)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def units_drawn(client: InfluxDBClient, bucket: str, sku: str) -> tuple[int, int]:
    """Return how many sales of a SKU InfluxDB has, and the sum of their units."""
    head = (
        f'from(bucket: "{bucket}")'
        " |> range(start: 2025-11-24T15:00:00Z, stop: 2025-11-24T17:00:00Z)"
        f' |> filter(fn: (r) => r._measurement == "stock_movement" and r.sku == "{sku}")'
        ' |> filter(fn: (r) => r._field == "quantity_units")'
    )
    found = [
        [record.get_value() for table in client.query_api().query(head + end) for record in table]
        for end in (" |> count()", " |> sum()")
    ]
    return (found[0][0], found[1][0]) if found[0] else (0, 0)


def eventually(reached: Callable[[], bool]) -> None:
    """Poll until something holds, or fail at the deadline."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not reached():
        assert time.monotonic() < deadline_s, "not reached in time"
        time.sleep(0.2)


def kill_influxdb(stack: TestStack) -> None:
    """Kill the database; the stack's supervisor starts it again."""
    part = stack.state().part("influxdb")
    if part is None or part.pid is None:
        pytest.skip("this InfluxDB is not the stack's own: it can't be killed here")
    before = part.pid
    os.kill(before, signal.SIGKILL)

    def back() -> bool:
        now = stack.state().part("influxdb")
        return now is not None and now.status == "running" and now.pid != before

    eventually(back)


def test_an_outage_loses_and_doubles_nothing(stack: TestStack, influx: InfluxSettings) -> None:
    """Sink and database are killed in mid-flow; in the end each movement is one point."""
    sku = f"clock-{uuid.uuid4().hex[:8]}"
    token = influx.token.get_secret_value()
    with InfluxDBClient(url=influx.url, token=token, org=influx.org) as client:

        def has(count: int) -> bool:
            return units_drawn(client, influx.bucket, sku) == (count, -count)

        with sink(stack):
            asyncio.run(post(stack, sku, 0, 5))
            eventually(lambda: has(500))
            asyncio.run(post(stack, sku, 500, 40))
        # Killed somewhere within those frames; what it had written it writes again.
        with sink(stack) as second:
            asyncio.run(post(stack, sku, 4_500, 40))
            kill_influxdb(stack)
            asyncio.run(post(stack, sku, 8_500, 5))
            eventually(lambda: has(9_000))
            second.send_signal(signal.SIGTERM)
            assert second.wait(timeout=DEADLINE_S) == 0
