"""The sink: offsets after the write, patience in an outage, only the bad line refused."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest
import stamina

from ingest.contracts import topics
from ingest.contracts.errors import SettingsError
from ingest.contracts.settings import InfluxSettings, KafkaSettings
from streams import sink_main
from streams.contracts.state import LEVEL, Level, key
from streams.engine.ports import LogRecord
from streams.ports import PointsRefusedError, WriterUnavailableError
from streams.settings import SinkSettings
from streams.sink import Sink

HEALTH_OFF = SinkSettings(health_interval_ms=10**9)


class Source:
    """Records given at once; remembers what was committed."""

    def __init__(self, records: Sequence[LogRecord]) -> None:
        """Take the one poll's records."""
        self.records = list(records)
        self.polled = 0
        self.committed = 0

    async def poll(self) -> Sequence[LogRecord]:
        """Return what is left."""
        rest = self.records[self.polled :]
        self.polled = len(self.records)
        return rest

    async def commit(self) -> None:
        """Remember."""
        self.committed = self.polled

    async def lags(self) -> dict[tuple[str, str, int], int]:
        """Return nothing behind."""
        return {("g", "t", 0): 0}


class Writer:
    """Fails as told, else keeps the lines; refuses any batch with a line that says bad."""

    def __init__(self, source: Source, failures: int = 0) -> None:
        """Take how many writes fail before the first that works."""
        self.source = source
        self.failures = failures
        self.lines: list[str] = []
        self.committed_before_write = 0

    async def write(self, lines: Sequence[str]) -> None:
        """Write, fail or refuse."""
        self.committed_before_write = self.source.committed
        if self.failures:
            self.failures -= 1
            raise WriterUnavailableError("down")
        if any("bad" in line for line in lines):
            raise PointsRefusedError("unable to parse")
        self.lines.extend(lines)


class Letters:
    """Keeps dead letters."""

    def __init__(self) -> None:
        """Start empty."""
        self.kept: list[tuple[str, bytes]] = []

    async def put(self, origin: str, payload: bytes, detail: str) -> None:
        """Keep."""
        assert detail
        self.kept.append((origin, payload))


def level_record(offset: int, sku: str) -> LogRecord:
    """Return a stock record of one level."""
    value = msgspec.msgpack.encode(Level(sku=sku, site="S1", on_hand_units=offset))
    return LogRecord(topics.STOCK.name, 0, offset, key(LEVEL, sku, "S1"), value)


def run(source: Source, writer: Writer, letters: Letters, settings: SinkSettings) -> None:
    """Run one step with fast retries."""
    sink = Sink(source, writer, letters, settings, now_ms=lambda: 0)
    with stamina.set_testing(True, attempts=10):
        asyncio.run(sink.step())


def test_offsets_follow_the_write() -> None:
    """Nothing is committed before the database has it, and all is after."""
    source = Source([level_record(n, f"sku{n}") for n in range(7)])
    writer = Writer(source)
    run(source, writer, Letters(), HEALTH_OFF)
    assert writer.committed_before_write == 0
    assert source.committed == 7
    assert len(writer.lines) == 7


def test_an_outage_is_waited_out() -> None:
    """The same lines are written again until the database takes them; none is dropped."""
    source = Source([level_record(0, "a")])
    writer = Writer(source, failures=4)
    run(source, writer, Letters(), HEALTH_OFF)
    assert len(writer.lines) == 1
    assert source.committed == 1


def test_only_the_bad_line_is_refused() -> None:
    """A refused batch is bisected down to the line at fault."""
    skus = ["a", "b", "bad", "c", "d"]
    source = Source([level_record(n, sku) for n, sku in enumerate(skus)])
    writer, letters = Writer(source), Letters()
    run(source, writer, letters, HEALTH_OFF)
    assert len(writer.lines) == 4
    assert len(letters.kept) == 1
    assert b"sku=bad" in letters.kept[0][1]
    assert source.committed == 5


def test_a_foreign_record_is_a_dead_letter() -> None:
    """Bytes that are no frame are kept with their origin, and the rest goes on."""
    foreign = LogRecord(topics.MOVEMENTS.name, 2, 11, None, b"\x07")
    source = Source([foreign, level_record(0, "a")])
    writer, letters = Writer(source), Letters()
    run(source, writer, letters, HEALTH_OFF)
    assert letters.kept == [("shelfstream.movements/2/11", b"\x07")]
    assert len(writer.lines) == 1


def test_batches_keep_their_limit() -> None:
    """No write holds more lines than the limit says."""
    source = Source([level_record(n, f"sku{n}") for n in range(10)])
    sizes: list[int] = []

    class Counting(Writer):
        async def write(self, lines: Sequence[str]) -> None:
            sizes.append(len(lines))
            await super().write(lines)

    run(
        source,
        Counting(source),
        Letters(),
        SinkSettings(batch_lines_max=4, health_interval_ms=10**9),
    )
    assert sizes == [4, 4, 2]


def test_health_is_told() -> None:
    """Lag by partition and the sink's own counters are points too."""
    source = Source([])
    writer = Writer(source)
    sink = Sink(source, writer, Letters(), SinkSettings(), now_ms=lambda: 10**6)
    asyncio.run(sink.step())
    assert [line.partition(",")[0].partition(" ")[0] for line in writer.lines] == [
        "pipeline_lag",
        "pipeline_sink",
    ]


def test_what_is_not_drawn_is_passed_without_a_write() -> None:
    """Tombstones and other kinds of state are read, and committed as done."""
    gone = LogRecord(topics.STOCK.name, 0, 0, key(LEVEL, "a", "S1"), None)
    other = LogRecord(topics.STOCK.name, 0, 1, b"other|a", b"\xc1")
    source = Source([gone, other])
    writer, letters = Writer(source), Letters()
    run(source, writer, letters, HEALTH_OFF)
    assert (writer.lines, letters.kept, source.committed) == ([], [], 2)


def test_nothing_is_committed_while_the_database_is_away() -> None:
    """An outage that outlasts the process leaves the place where it was."""
    source = Source([level_record(0, "a")])
    writer = Writer(source, failures=100)
    with pytest.raises(WriterUnavailableError):
        run(source, writer, Letters(), HEALTH_OFF)
    assert source.committed == 0


def test_a_letter_that_kafka_does_not_take_stops_the_step() -> None:
    """Refused and lost would be the worst of both: nothing is committed."""

    class Full(Letters):
        async def put(self, origin: str, payload: bytes, detail: str) -> None:
            raise ConnectionError(f"{origin} {len(payload)} {detail}")

    source = Source([level_record(0, "bad")])
    with pytest.raises(ConnectionError):
        run(source, Writer(source), Full(), HEALTH_OFF)
    assert source.committed == 0


@pytest.mark.parametrize("bad", range(8))
def test_bisecting_keeps_the_order_of_the_good_lines(bad: int) -> None:
    """Whichever line is at fault, the others are written once each, in order."""
    skus = [f"sku{n}" if n != bad else "bad" for n in range(8)]
    source = Source([level_record(n, sku) for n, sku in enumerate(skus)])
    writer, letters = Writer(source), Letters()
    run(source, writer, letters, HEALTH_OFF)
    written = [line.partition("sku=")[2].partition(" ")[0] for line in writer.lines]
    assert written == [sku for sku in skus if sku != "bad"]
    assert len(letters.kept) == 1


def test_health_is_told_no_more_often_than_its_interval() -> None:
    """At the interval and not a millisecond before, also when nothing came."""
    source = Source([])
    writer = Writer(source)
    clock_ms = [0]
    settings = SinkSettings(health_interval_ms=5_000)
    sink = Sink(source, writer, Letters(), settings, now_ms=lambda: clock_ms[0])
    told: list[int] = []
    for clock_ms[0] in (4_999, 5_000, 9_999, 10_000):
        asyncio.run(sink.step())
        told.append(len(writer.lines))
    assert told == [0, 2, 2, 4]


def test_what_was_done_is_counted_in_the_health_line() -> None:
    """Records, lines and refusals since the start; a slow write is seen."""
    source = Source([level_record(0, "a"), level_record(1, "bad")])
    writer = Writer(source)
    times_ms = iter([10_000, 10_250, 10_250, 10_250])
    sink = Sink(source, writer, Letters(), SinkSettings(), now_ms=lambda: next(times_ms))
    asyncio.run(sink.step())
    assert writer.lines[-1] == (
        "pipeline_sink records=2i,lines=2i,write_ms=250i,refused=1i 10250000000"
    )


def test_a_sink_without_a_database_says_so() -> None:
    """By the name of the setting, before it connects to anything."""
    with pytest.raises(SettingsError, match="SHELFSTREAM_INFLUX_URL is not set"):
        asyncio.run(
            sink_main.run(
                KafkaSettings(bootstrap="127.0.0.1:1"),
                InfluxSettings(),
                SinkSettings(),
                stop=asyncio.Event(),
                now_ms=lambda: 0,
            )
        )
