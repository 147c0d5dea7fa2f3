"""Hand-made doubles of the bridge's ports and of the catalogue."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from ingest.bridge import Bridge, BridgeLimits
from ingest.contracts.errors import DeliveryError
from ingest.contracts.events import DeadLetter
from ingest.contracts.topics import DEAD_LETTERS, INPUTS
from ingest.frames import INPUT_FRAMES, Frame, InputItem
from ingest.normalise import Normalised
from ingest.packing import joined, packed
from ingest.ports import Message
from ingest.slices import SliceRouter

MILK_GTIN14 = "07032069804988"
CASE_GTIN14 = "17032069804985"


def inputs_of(made: Normalised) -> list[tuple[int, InputItem]]:
    """Return what became inputs of a message, unpacked, with their partitions."""
    found: list[tuple[int, InputItem]] = []
    for partition, pieces in made.placed.items():
        count = len(pieces) // made.item_pieces
        frame = joined(packed(pieces), count, received_at_ms=0, reference_version=0)
        found += [(partition, item) for item in INPUT_FRAMES.decode(frame).items]
    return found


@dataclass(frozen=True)
class Watched:
    """An assignment of a channel."""

    sku: str
    channel: str = "a"
    location: str = "shelf-1"
    unit_weight_mg: int = 0
    tare_g: int = 0
    span_mm: int = 0
    unit_depth_mm: int = 0
    settle_ms: int = 0
    report_interval_ms: int = 0
    valid_from_ms: int = 0
    backroom: bool = False


@dataclass(frozen=True)
class Pack:
    """What a GTIN names."""

    sku: str
    units: int = 1


@dataclass(frozen=True)
class Sku:
    """An article."""

    quantity_units_max: int = 1_000
    base_unit: str = "piece"


@dataclass(frozen=True)
class Installed:
    """An installation."""

    partition_count: int = 4
    time: Literal["wall", "driven"] = "wall"


@dataclass
class FakeCatalog:
    """A catalogue in dictionaries; a record `device:{site}:{device}` adds a device."""

    version: int = 1
    installation: Installed | None = field(default_factory=Installed)
    devices: set[tuple[str, str]] = field(default_factory=lambda: {("oslo", "scale-1")})
    channels: dict[str, list[Watched]] = field(
        default_factory=lambda: {"scale-1": [Watched("milk", unit_weight_mg=1_030_000)]}
    )
    articles: dict[str, Pack] = field(
        default_factory=lambda: {
            MILK_GTIN14: Pack("milk"),
            CASE_GTIN14: Pack("milk", 12),
            "00000096385074": Pack("rice"),
        }
    )
    skus: dict[str, Sku] = field(
        default_factory=lambda: {"milk": Sku(), "rice": Sku(50_000, "g"), "bread": Sku()}
    )

    def sites(self) -> list[str]:
        """Return the sites of all devices."""
        return sorted({site for site, _ in self.devices})

    def apply(self, key: str, value: bytes | None) -> None:
        """Add a device, or remove it where the value is None; either is a new version."""
        _, site, device = key.split(":")
        self.version += 1
        if value is None:
            self.devices.discard((site, device))
        else:
            self.devices.add((site, device))
            self.channels.setdefault(device, [Watched("milk")])

    def device(self, site: str, device: str) -> str | None:
        """Return the device's name where it is at the site."""
        return device if (site, device) in self.devices else None

    def assignment(self, device: str, channel: str, at_ms: int) -> Watched | None:
        """Return the newest assignment valid at a time."""
        valid = [
            one
            for one in self.channels.get(device, [])
            if one.channel == channel and one.valid_from_ms <= at_ms
        ]
        return max(valid, key=lambda one: one.valid_from_ms, default=None)

    def assigned_until_ms(self, device: str, channel: str, at_ms: int) -> int:
        """Return when the next assignment after a time begins."""
        later = [
            one.valid_from_ms
            for one in self.channels.get(device, [])
            if one.channel == channel and one.valid_from_ms > at_ms
        ]
        return min(later, default=2**62)

    def assignments(self, device: str, at_ms: int) -> list[Watched]:
        """Return what each channel of a device watched at a time."""
        names = dict.fromkeys(one.channel for one in self.channels.get(device, []))
        watched = (self.assignment(device, name, at_ms) for name in names)
        return [one for one in watched if one is not None]

    def article(self, gtin14: str) -> Pack | None:
        """Return what a GTIN names."""
        return self.articles.get(gtin14)

    def sku(self, sku: str) -> Sku | None:
        """Return an article."""
        return self.skus.get(sku)


@dataclass
class FakeSource:
    """Messages put in by hand; what the bridge does is written down."""

    waiting: list[Message] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    published: list[tuple[str, bytes]] = field(default_factory=list)
    announced: list[tuple[str, bytes]] = field(default_factory=list)
    filters: set[str] = field(default_factory=set)
    subscribed: frozenset[str] = frozenset()
    stale_acks: int = 0
    put_count: int = 0

    def put(self, topic: str, payload: bytes) -> int:
        """Add a message and return its token."""
        self.put_count += 1
        self.waiting.append((topic, payload, self.put_count))
        return self.put_count

    def poll(self, limit: int) -> list[Message]:
        """Hand out messages."""
        out, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return out

    def acknowledge(self, tokens: Sequence[int]) -> None:
        """Write the tokens down."""
        self.acknowledged.extend(tokens)

    def publish(self, topic: str, payload: bytes) -> None:
        """Write the message down."""
        self.published.append((topic, payload))

    def announce(self, topic: str, payload: bytes) -> None:
        """Write the message down."""
        self.announced.append((topic, payload))

    def subscribe(self, filters: Iterable[str]) -> None:
        """Write the filters down."""
        self.filters.update(filters)


@dataclass
class FakeHandle:
    """A record that a test finishes by hand."""

    finished: bool = False
    refusal: str | None = None

    def done(self) -> bool:
        """Tell whether the test has finished it."""
        return self.finished

    def error(self) -> str | None:
        """Return the refusal the test gave it."""
        return self.refusal


@dataclass
class FakeSink:
    """Records kept in a list; finished at once, or by hand."""

    at_once: bool = True
    full: bool = False
    records: list[tuple[str, int, bytes, FakeHandle]] = field(default_factory=list)

    def send(self, topic: str, partition: int, key: bytes | None, value: bytes) -> FakeHandle:
        """Keep a record."""
        del key
        if self.full:
            raise DeliveryError("the buffer is full")
        handle = FakeHandle(self.at_once)
        self.records.append((topic, partition, value, handle))
        return handle

    def poll(self) -> None:
        """Do nothing."""

    def flush(self, timeout_s: float) -> bool:
        """Finish everything."""
        del timeout_s
        for *_, handle in self.records:
            handle.finished = True
        return True

    def frames(self) -> list[tuple[int, Frame[InputItem]]]:
        """Return the input frames with their partitions."""
        return [
            (partition, INPUT_FRAMES.decode(value))
            for topic, partition, value, _ in self.records
            if topic == INPUTS.name
        ]

    def items(self) -> list[InputItem]:
        """Return all inputs."""
        return [item for _, frame in self.frames() for item in frame.items]

    def letters(self) -> list[DeadLetter]:
        """Return all dead letters."""
        return [
            DeadLetter.model_validate_json(value)
            for topic, _, value, _ in self.records
            if topic == DEAD_LETTERS.name
        ]


@dataclass
class FakeFeed:
    """Catalogue records put in by hand."""

    waiting: list[tuple[str, bytes | None]] = field(default_factory=list)

    def poll(self) -> list[tuple[str, bytes | None]]:
        """Hand them out."""
        out, self.waiting = self.waiting, []
        return out


@dataclass
class Rig:
    """A bridge on doubles, with a clock that tests advance."""

    catalog: FakeCatalog = field(default_factory=FakeCatalog)
    source: FakeSource = field(default_factory=FakeSource)
    sink: FakeSink = field(default_factory=FakeSink)
    feed: FakeFeed = field(default_factory=FakeFeed)
    limits: BridgeLimits = field(default_factory=BridgeLimits)
    slice_index: int = 0
    slice_count: int = 1
    clock_ms: int = 1_700_000_000_000

    def __post_init__(self) -> None:
        """Build the bridge."""
        installation = self.catalog.installation
        driven = installation is not None and installation.time == "driven"
        self.bridge = Bridge(
            source=self.source,
            sink=self.sink,
            catalog=self.catalog,
            feed=self.feed,
            router=SliceRouter(self.slice_index, self.slice_count, driven=driven),
            now_ms=lambda: self.clock_ms,
            monotonic_ms=lambda: self.clock_ms,
            limits=self.limits,
        )

    def run(self, ms: int = 300, step_ms: int = 10) -> None:
        """Let time pass, with a step of the bridge every so often."""
        for _ in range(ms // step_ms):
            self.bridge.step()
            self.clock_ms += step_ms
        self.bridge.step()

    def receipts(self, topic: str) -> list[tuple[str, int, int]]:
        """Return the ranges told on a topic."""
        return [
            (one["boot"], one["first"], one["last"])
            for told, payload in self.source.published
            if told == topic
            for one in msgspec.json.decode(payload)["ranges"]
        ]


def reading(seq: object = 0, **changes: object) -> dict[str, object]:
    """Return a good reading, with changes."""
    event: dict[str, object] = {
        "source": "scale-1",
        "boot": "b1",
        "seq": seq,
        "observed_at_ms": 1_700_000_000_000,
        "channel": "a",
        "weight_g": 2_060,
    }
    return {key: value for key, value in (event | changes).items() if value is not None}


def scan(seq: object = 0, **changes: object) -> dict[str, object]:
    """Return a good scan, with changes."""
    event: dict[str, object] = {
        "source": "scale-1",
        "boot": "b1",
        "seq": seq,
        "observed_at_ms": 1_700_000_000_000,
        "action": "sale",
        "sku": "milk",
    }
    return {key: value for key, value in (event | changes).items() if value is not None}


def as_json(value: object) -> bytes:
    """Return JSON bytes."""
    return msgspec.json.encode(value)
