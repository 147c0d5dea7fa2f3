"""`shelfstream bench sink`: the ledger's movements to points in InfluxDB.

All movements are in Kafka before the sink starts. It is the real process; every point is counted
in the database afterwards.
"""

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from influxdb_client.client.influxdb_client import InfluxDBClient

from deploy.bench.events import OBSERVED_AT_MS
from deploy.bench.preload import PARTITIONS
from deploy.bench.processes import BenchProcess, cpu_s, running
from deploy.bench.report import BenchOptions, Cell, Report, Spread, Value
from deploy.bench.whole import Whole, running_whole
from deploy.stack.children import import_path
from deploy.stack.plan import StackOptions
from deploy.topics import create_topics
from ingest.contracts.errors import BenchError
from ingest.contracts.topics import MOVEMENTS
from ingest.frames import FRAME_ITEMS_MAX
from streams.contracts.ledger import MOVEMENT_FRAMES, Movement
from streams.engine.adapters.connection import client_options, connected
from streams.engine.adapters.reader import RecordWriter, end_offsets
from streams.sink import SINK_GROUP

SITES: Final = 20
SKUS: Final = 500
MOVEMENTS_FULL: Final = 500_000
MOVEMENTS_QUICK: Final = 60_000
CAUGHT_UP_TIMEOUT_S: Final = 240.0
LOOK_S: Final = 0.1
US_PER_S: Final = 1_000_000
COUNT_TIMEOUT_MS: Final = 60_000
NOTES: Final = (
    f"sales of {SKUS} SKUs at {SITES} sites in frames of {FRAME_ITEMS_MAX}, all there beforehand",
    "from when the sink has joined its group to its last commit",
    "a point is a movement: 5 tags and fields of line protocol, written in batches, then committed",
)


@dataclass(frozen=True)
class Drawn:
    """What one run of the sink did."""

    wall_s: float
    sink_cpu_s: float
    influxdb_cpu_s: float


def run(options: BenchOptions) -> Report:
    """Measure the sink over a log of movements, round by round, each in a database of its own.

    Raises:
        BenchError: The sink ended, or did not come to the end in time.
        StackError: There is no Kafka or no InfluxDB.
    """
    total = MOVEMENTS_QUICK if options.quick else MOVEMENTS_FULL
    return run_rounds(options, total)


def run_rounds(options: BenchOptions, total: int) -> Report:
    """Measure with so many movements; the errors are those of `run`."""
    found: list[Drawn] = []
    failures: list[str] = []
    for number in range(options.rounds):
        stack = StackOptions(apps=False, only=("kafka", "influxdb"), time="driven")
        with running_whole(stack) as whole:
            asyncio.run(_written(whole, total))
            found.append(_drawn(whole))
            counted = _counted(whole)
            if counted != total:
                failures.append(f"round {number}: {total} movements, {counted} points")
        options.say(f"{total / found[-1].wall_s:,.0f} points/s, {counted:,} of {total:,} are there")
    return _report(found, failures, total)


async def _written(whole: Whole, total: int) -> None:
    await create_topics(whole.kafka, PARTITIONS)
    async with RecordWriter(whole.kafka) as writer:
        for first in range(0, total, FRAME_ITEMS_MAX):
            numbers = range(first, min(first + FRAME_ITEMS_MAX, total))
            made = [_movement(number) for number in numbers]
            value = MOVEMENT_FRAMES.encode(made, received_at_ms=OBSERVED_AT_MS + first)
            partition = first // FRAME_ITEMS_MAX % PARTITIONS
            await writer.write(MOVEMENTS.name, partition, None, value)


def _movement(number: int) -> Movement:
    sku = f"sku-{number % SKUS:06d}"
    at_ms = OBSERVED_AT_MS + number
    return Movement(
        movement_id=f"movement-{sku}-{number}",
        sku=sku,
        site=f"site-{number // SKUS % SITES:02d}",
        kind="sale",
        bucket="on_hand",
        quantity_units=-1,
        before_units=24,
        after_units=23,
        cause=f"scanner/b1/{number}",
        effective_at_ms=at_ms,
        recorded_at_ms=at_ms,
    )


def _drawn(whole: Whole) -> Drawn:
    argv = [sys.executable, "-m", "streams.main", "sink"]
    ours = os.environ  # noqa: TID251 - children get what we have
    environment = {**whole.environ, "PYTHONPATH": import_path(ours)}
    log = whole.home.path / "bench-sink.log"
    with running(argv, log=log, environment=environment) as process:
        return asyncio.run(_watched(whole, process))


async def _watched(whole: Whole, process: BenchProcess) -> Drawn:
    """Watch what the sink commits, which it does after InfluxDB has it."""
    ends = await end_offsets(whole.kafka, MOVEMENTS.name)
    places = [TopicPartition(MOVEMENTS.name, partition) for partition in ends]
    options = client_options(whole.kafka)
    consumer = AIOKafkaConsumer(**options, group_id=SINK_GROUP, enable_auto_commit=False)
    influxdb_pid = whole.pids()["influxdb"]
    deadline_s = time.monotonic() + CAUGHT_UP_TIMEOUT_S
    while "started" not in process.log.read_text(encoding="utf-8"):
        process.check_alive()
        await asyncio.sleep(LOOK_S)
    begun = time.monotonic(), cpu_s(process.pid), cpu_s(influxdb_pid)
    async with connected(consumer):
        consumer.assign(places)
        while sum([await consumer.committed(place) or 0 for place in places]) < sum(ends.values()):
            if time.monotonic() > deadline_s:
                raise BenchError(f"the sink is not done within {CAUGHT_UP_TIMEOUT_S:.0f} s")
            process.check_alive()
            await asyncio.sleep(LOOK_S)
    ended = time.monotonic(), cpu_s(process.pid), cpu_s(influxdb_pid)
    return Drawn(*(after - before for before, after in zip(begun, ended, strict=True)))


def _counted(whole: Whole) -> int:
    influx = whole.influx
    query = (
        f'from(bucket: "{influx.bucket}") |> range(start: 0, stop: 2100-01-01T00:00:00Z)'
        ' |> filter(fn: (r) => r._measurement == "stock_movement")'
        ' |> filter(fn: (r) => r._field == "quantity_units")'
        " |> group() |> count()"
    )
    with InfluxDBClient(
        url=influx.url,
        token=influx.token.get_secret_value(),
        org=influx.org,
        timeout=COUNT_TIMEOUT_MS,
    ) as client:
        tables = client.query_api().query(query)
    return sum(int(record.get_value()) for table in tables for record in table)


def _report(found: list[Drawn], failures: list[str], total: int) -> Report:
    rate = Spread.of(total / one.wall_s for one in found)
    cpu_rate = Spread.of(total / one.sink_cpu_s for one in found)
    database = Spread.of(one.influxdb_cpu_s / total * US_PER_S for one in found)
    headline: dict[str, Value] = {
        "points_per_s": round(rate.median),
        "points_per_cpu_s": round(cpu_rate.median),
        "influxdb_cpu_us_per_point": round(database.median, 1),
        "points": total,
        "wrong_rounds": len(failures),
    }
    row: dict[str, Cell] = {
        "what": "movements to points",
        "points/s": rate,
        "points/CPU-s": cpu_rate,
        "InfluxDB CPU us/point": database,
    }
    return Report(
        name="sink",
        headline=headline,
        rows=[row],
        notes=NOTES,
        plot="points/CPU-s",
        failures=failures,
    )
