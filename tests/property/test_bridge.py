"""The bridge's promises under any messages, any order of Kafka's answers, and any crash."""

import base64
from collections import Counter
from hashlib import blake2b
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ingest.barcodes import Barcode, barcode_read, gtin14_of
from ingest.bridge import BridgeLimits
from ingest.clocks import SourceClocks
from ingest.contracts.topics import DEAD_LETTERS, INPUTS
from ingest.frames import INPUT_FRAMES, ReadingInput, ReadingKind
from ingest.normalise import Normaliser
from ingest.packing import packed
from ingest.partitions import partition_of
from ingest.ports import Message
from tests.unit.ingest.doubles import (
    FakeCatalog,
    FakeHandle,
    FakeSink,
    Rig,
    Watched,
    as_json,
    reading,
)

READINGS = "stock/v1/oslo/scale-1/readings"
LIMITS = BridgeLimits(messages_in_flight_max=12, frames_in_flight_max=5, frame_items_max=3)

KINDS = st.sampled_from(["milk", "rice", "bread", "absurd", "unknown", "stranger"])
ACTIONS = st.one_of(
    st.lists(KINDS, min_size=1, max_size=5),  # a message of so many events
    st.just("step"),
    st.integers(min_value=0, max_value=7),  # Kafka answers one of the records on their way
    st.just("crash"),
)


def _catalog() -> FakeCatalog:
    watched = [Watched(sku, channel=sku) for sku in ("milk", "rice", "bread")]
    return FakeCatalog(channels={"scale-1": watched})


class Floor:
    """A device, a broker that delivers again what has no PUBACK, and a log that keeps all."""

    def __init__(self) -> None:
        """Begin with nothing sent."""
        self.sent: dict[int, str] = {}
        self.unacknowledged: list[Message] = []
        self.receipted: set[int] = set()
        self.records: list[tuple[str, int, bytes, FakeHandle]] = []
        self.start()

    def start(self) -> None:
        """Start a bridge; the broker hands over all that was not acknowledged."""
        self.rig = Rig(catalog=_catalog(), sink=FakeSink(at_once=False), limits=LIMITS)
        self.rig.sink.records = self.records
        self.rig.source.waiting = list(self.unacknowledged)

    def crash(self) -> None:
        """Lose what the process held; records on their way may have arrived all the same."""
        for number, (*_, handle) in enumerate(self.records):
            handle.finished = handle.finished or number % 2 == 0
        self.records = [record for record in self.records if record[3].finished]
        self.start()

    def send(self, kinds: list[str]) -> None:
        """Send one message of events of these kinds."""
        events = []
        for kind in kinds:
            seq = len(self.sent)
            self.sent[seq] = kind
            events.append(_event(seq, kind))
        message = (READINGS, as_json(events), 1 + max(self.sent))
        self.unacknowledged.append(message)
        self.rig.source.waiting.append(message)

    def step(self) -> None:
        """Let the bridge work for 30 ms, and hold it to its word."""
        source = self.rig.source
        for _ in range(3):
            self.rig.bridge.step()
            self.rig.clock_ms += 10
        written = self.written()
        due = [token for *_, token in self.unacknowledged[: len(source.acknowledged)]]
        assert source.acknowledged == due  # in the order received
        done = self.unacknowledged[: len(due)]
        self.unacknowledged = self.unacknowledged[len(due) :]
        source.acknowledged.clear()
        for _, payload, _ in done:
            assert written.keys() >= {event["seq"] for event in msgspec.json.decode(payload)}
        for _, told in source.published:
            for one in msgspec.json.decode(told)["ranges"]:
                self.receipted.update(range(one["first"], one["last"] + 1))
        assert written.keys() >= self.receipted  # Kafka's word comes before ours

    def written(self) -> Counter[int]:
        """Return how often Kafka has each number, as an input or as a dead letter."""
        found: Counter[int] = Counter()
        for topic, _, value, handle in self.records:
            if not handle.finished:
                continue
            if topic == INPUTS.name:
                items = INPUT_FRAMES.decode(value).items
                found.update(item.seq for item in items if isinstance(item, ReadingInput))
            else:
                assert topic == DEAD_LETTERS.name
                raw = base64.b64decode(msgspec.json.decode(value)["payload_base64"])
                found[msgspec.json.decode(raw)["seq"]] += 1
        return found

    def finish(self) -> None:
        """Answer everything until nothing is left."""
        for _ in range(400):
            self.rig.sink.flush(0)
            self.step()
            if self.rig.bridge.idle and not self.unacknowledged:
                return
        raise AssertionError("the bridge does not come to an end")


def _event(seq: int, kind: str) -> dict[str, object]:
    if kind == "absurd":
        return reading(seq, weight_g=10**9)
    if kind == "stranger":
        return reading(seq, source="scale-2")
    return reading(seq, channel=kind)


@given(actions=st.lists(ACTIONS, max_size=40))
def test_nothing_is_told_before_kafka_has_it_and_nothing_is_lost(
    actions: list[list[str] | str | int],
) -> None:
    """PUBACKs and receipts follow Kafka; every event ends once, or more often only by a crash."""
    floor = Floor()
    for action in actions:
        if isinstance(action, list):
            floor.send(action)
        elif isinstance(action, int):
            open_ones = [handle for *_, handle in floor.records if not handle.finished]
            if open_ones:
                open_ones[action % len(open_ones)].finished = True
        elif action == "crash":
            floor.crash()
        floor.step()
        assert floor.rig.bridge.in_flight <= LIMITS.messages_in_flight_max
    floor.finish()
    written = floor.written()
    assert set(written) == set(floor.sent)
    assert floor.receipted <= set(floor.sent)
    if "crash" not in actions:
        assert set(written.values()) <= {1}
        assert floor.receipted == set(floor.sent)
    letters = {"absurd", "unknown", "stranger"}
    taken = {item.seq for item in floor.rig.sink.items() if isinstance(item, ReadingInput)}
    assert taken == {seq for seq, kind in floor.sent.items() if kind not in letters}


@given(kinds=st.lists(KINDS, max_size=60), cuts=st.sets(st.integers(0, 60)))
def test_a_partitions_order_is_the_senders(kinds: list[str], cuts: set[int]) -> None:
    """However events are cut into messages and frames, each partition has them in order."""
    floor = Floor()
    floor.rig.sink.at_once = True
    some: list[str] = []
    for place, kind in enumerate(kinds):
        some.append(kind)
        if place in cuts:
            floor.send(some)
            some = []
            floor.step()
    if some:
        floor.send(some)
    floor.finish()
    for partition in range(4):
        numbers = [
            item.seq
            for one, frame in floor.rig.sink.frames()
            if one == partition
            for item in frame.items
            if isinstance(item, ReadingInput)
        ]
        assert numbers == sorted(numbers)


NAMES = st.text(alphabet="aé😀", min_size=1, max_size=40)
CHANNELS = ("milk", "rice")
SAID = st.one_of(
    st.tuples(st.sampled_from(["weight_g", "units", "distance_mm"]), st.integers(0, 1_000_000)),
    st.tuples(st.just("beam"), st.integers(0, 1)),
    st.tuples(st.just("tags"), st.lists(NAMES, max_size=3, unique=True)),
)


@given(
    boot=NAMES,
    location=NAMES,
    seen=st.lists(
        st.tuples(
            st.sampled_from(CHANNELS),
            st.integers(0, 2**53 - 1),
            st.integers(0, 5_000),
            st.booleans(),
            SAID,
        ),
        min_size=1,
        max_size=20,
    ),
)
def test_readings_become_the_bytes_of_their_inputs(
    boot: str,
    location: str,
    seen: list[tuple[str, int, int, bool, tuple[ReadingKind, Any]]],
) -> None:
    """Put together of a channel's own bytes and an event's, they are what the codec would make."""
    sizes = (1_030_000, -7, 400, 80, 5_000, 60)
    watched = [Watched(one, one, location, *sizes, backroom=one == CHANNELS[0]) for one in CHANNELS]
    normaliser = Normaliser(
        FakeCatalog(channels={"scale-1": watched}), SourceClocks(), partition_count=4
    )
    events, inputs = [], []
    for channel, seq, at_ms, historical, (kind, said) in seen:
        about: dict[str, Any] = {
            "channel": channel,
            "boot": boot,
            "seq": seq,
            "observed_at_ms": at_ms,
        }
        payload = {"weight_g": None, "historical": historical, kind: said}
        events.append(reading(**about, **payload))
        digests = b"".join(
            sorted(blake2b(tag.encode(), digest_size=8).digest() for tag in said)
            if kind == "tags"
            else []
        )
        inputs.append(
            ReadingInput(
                sku=channel,
                site="oslo",
                location=location,
                source="scale-1",
                historical=historical,
                kind=kind,
                value=len(said) if kind == "tags" else said,
                unit_weight_mg=1_030_000,
                tare_g=-7,
                span_mm=400,
                unit_depth_mm=80,
                settle_ms=5_000,
                report_interval_ms=60,
                tag_digests=digests,
                backroom=channel == CHANNELS[0],
                **about,
            )
        )
    made = normaliser.normalise(READINGS, as_json(events), 5_000)
    assert made.rejected == []
    bytes_of = {partition: packed(pieces) for partition, pieces in made.placed.items()}
    wanted = dict[int, bytes]()
    for one in inputs:
        partition = partition_of(one.sku, 4)
        wanted[partition] = wanted.get(partition, b"") + packed((one,))
    assert bytes_of == wanted


@given(
    topic=st.one_of(
        st.sampled_from([READINGS, "stock/v1/oslo/scale-1/scans", "stock/v1/oslo/scale-1/status"]),
        st.text(max_size=30),
        st.lists(st.text(max_size=4), max_size=6).map("/".join),
    ),
    payload=st.one_of(
        st.binary(max_size=60),
        st.lists(st.sampled_from([b"{}", b"1", b"[", b"]", b",", b"null", b'"a"']), max_size=9).map(
            b"".join
        ),
    ),
)
def test_no_message_is_passed_over(topic: str, payload: bytes) -> None:
    """Any bytes on any topic give inputs or refusals with the same bytes, never an exception."""
    normaliser = Normaliser(FakeCatalog(), SourceClocks(), partition_count=4)
    made = normaliser.normalise(topic, payload, 5)
    assert made.placed or made.rejected
    assert all(one.raw in payload for one in made.rejected)


@given(
    content=st.one_of(
        st.text(max_size=40),
        st.builds(
            str.__add__,
            st.sampled_from(["]E0", "]C1", "]d2", "]Q3", "]A0", "]E4"]),
            st.text(alphabet="0123456789\x1d()ABC\u0661", max_size=40),
        ),
        st.sampled_from(["01", "02", "10", "17", "37", "3103", "3109", "11", "99"]).flatmap(
            lambda ai: st.text(alphabet="0123456789\x1d", max_size=20).map(
                lambda rest: "]C10107032069804988" + ai + rest
            )
        ),
    )
)
def test_any_barcode_is_read_or_refused(content: str) -> None:
    """A scanner may send what it likes: a sentence, or an article with sound numbers."""
    read = barcode_read(content)
    if isinstance(read, Barcode):
        assert gtin14_of(read.gtin14) == read.gtin14
        assert read.count >= 0
        assert read.weight_g >= 0
    else:
        assert 0 < len(read) <= 300
