"""Tiny builders of stock inputs, and a runner that keeps a fold's state and outputs by topic."""

from collections import defaultdict
from typing import Any, TypeVar

import msgspec

from ingest.contracts.durations import HOUR_MS
from ingest.contracts.order_lines import OrderLineInput
from ingest.contracts.policies import PolicyRecord
from ingest.contracts.supply import LaneRecord
from ingest.contracts.topics import ALERT_INPUTS, EVENTS, MOVEMENTS, PLANS
from ingest.frames import (
    INPUT_FRAMES,
    CommandInput,
    CommandVerb,
    InputItem,
    OpeningInput,
    ReadingInput,
    ReferenceEntity,
    ReferenceInput,
    ScanAction,
    ScanInput,
    SkuRecord,
    StatusInput,
    TickInput,
)
from streams.contracts.alerts import ALERT_INPUT_FRAMES
from streams.contracts.events import EVENT_FRAMES
from streams.contracts.ledger import MOVEMENT_FRAMES, Movement
from streams.contracts.lots import CARRIED, LOTS, CarriedLots, LotBook
from streams.contracts.orders import ORDER_LINE, OrderLine
from streams.contracts.plans import PLAN_FRAMES
from streams.contracts.serials import SERIALS, SerialBook
from streams.contracts.state import (
    LEVEL,
    NEED,
    SOURCE,
    TRANSFER,
    Level,
    Need,
    Transfer,
    decode,
    key,
    key_parts,
)
from streams.contracts.witnesses import WITNESS, WitnessRecord
from streams.domain.fold import StockFold
from streams.engine.fold import Output

SKU = "milk"
SHOP = "shop-1"
DONOR = "shop-2"
WAREHOUSE = "hall"
T0 = 1_000_000
"""The first now of every story, in milliseconds."""

_CODECS: dict[str, Any] = {
    MOVEMENTS.name: MOVEMENT_FRAMES,
    EVENTS.name: EVENT_FRAMES,
    PLANS.name: PLAN_FRAMES,
    ALERT_INPUTS.name: ALERT_INPUT_FRAMES,
}
StructT = TypeVar("StructT", bound=msgspec.Struct)


def scan(
    action: ScanAction, units: int = 1, *, seq: int, site: str = SHOP, **more: Any
) -> ScanInput:
    """Return a scan; `more` names any other field."""
    fields: dict[str, Any] = {
        "sku": SKU,
        "source": f"scanner-{site}",
        "boot": "b1",
        "observed_at_ms": T0,
        "historical": False,
    }
    return ScanInput(site=site, action=action, quantity_units=units, seq=seq, **{**fields, **more})


def reading(value: int, *, at_ms: int, site: str = SHOP, **more: Any) -> ReadingInput:
    """Return a reading of units on the one channel of `sensor-{site}`."""
    fields: dict[str, Any] = {
        "sku": SKU,
        "location": "aisle",
        "source": f"sensor-{site}",
        "channel": "0",
        "boot": "b1",
        "seq": 1,
        "historical": False,
        "kind": "units",
    }
    return ReadingInput(site=site, value=value, observed_at_ms=at_ms, **{**fields, **more})


def status(
    *, online: bool, site: str = SHOP, boot: str = "b1", sku: str = "", device: str = ""
) -> StatusInput:
    """Return a status of `sensor-{site}`, or a device; with a SKU, for its one channel."""
    channel = "0" if sku else ""
    device = device or f"sensor-{site}"
    return StatusInput(device, site, online, boot, sku=sku, channel=channel)


def opening(units: int, *, site: str = SHOP, cost_minor: int = 100, **more: Any) -> OpeningInput:
    """Return opening stock."""
    fields = {"import_id": "import-1", "sku": SKU, **more}
    return OpeningInput(site=site, quantity_units=units, unit_cost_minor=cost_minor, **fields)


def order_line(action: Any, units: int, *, order: str = "o1", site: str = SHOP) -> OrderLineInput:
    """Return the first line of an order."""
    return OrderLineInput(order, 1, SKU, site, action, units)


def command(
    verb: CommandVerb, entity_id: str = "", *, name: str = "c1", **more: Any
) -> CommandInput:
    """Return a command of Ann's."""
    return CommandInput(name, verb, more.pop("sku", SKU), entity_id, "ann", **more)


def reference(entity: ReferenceEntity, *, removed: bool = False) -> ReferenceInput:
    """Return one entity of the first catalogue load."""
    return ReferenceInput(1, entity, removed)


def policy(**fields: Any) -> ReferenceInput:
    """Return a network policy: at least 10, at most 30, told at once."""
    said = {"scope": "network", "min_units": 10, "max_units": 30, "autonomy": "auto", **fields}
    return reference(PolicyRecord(**said))


def lane(from_site: str, to_site: str = SHOP, **more: Any) -> ReferenceInput:
    """Return a lane of one hour."""
    fields = {"lead_time_ms": 3_600_000, **more}
    return reference(LaneRecord(from_site, to_site, **fields))


class Story:
    """A fold, the state it has written, and all it has said."""

    def __init__(self, partition_count: int = 1) -> None:
        """Begin with an empty partition 0."""
        self.partition_count = partition_count
        self.fold = StockFold(0, partition_count)
        self.state: dict[bytes, bytes] = {}
        self.outputs: list[Output] = []
        self.log: list[bytes] = []
        """The frames it was told."""
        self.now_ms = T0
        self.fold.start(self.state)

    def tell(self, *items: InputItem, after_ms: int = 0) -> "Story":
        """Fold one frame of these items, so much later, and drain."""
        self.fold_frame(*items, after_ms=after_ms)
        self.drain()
        return self

    def fold_frame(self, *items: InputItem, after_ms: int = 0) -> None:
        """Fold one frame and keep its changes in the fold."""
        self.now_ms += after_ms
        self.log.append(INPUT_FRAMES.encode(list(items), received_at_ms=self.now_ms))
        self.fold.fold(self.log[-1])

    def wait(self, after_ms: int) -> "Story":
        """Let time pass by a tick."""
        return self.tell(TickInput(self.now_ms + after_ms), after_ms=after_ms)

    def drain(self) -> None:
        """Apply the fold's changes to the state, as the engine does."""
        changes = self.fold.drain()
        for raw, value in changes.state.items():
            if value is None:
                self.state.pop(raw, None)
            else:
                self.state[raw] = value
        self.outputs.extend(changes.outputs)

    def restore(self) -> None:
        """Go on with a new fold that knows only the written state, in another key order."""
        self.drain()
        self.state = {raw: self.state[raw] for raw in sorted(self.state, reverse=True)}
        self.fold = StockFold(0, self.partition_count)
        self.fold.start(self.state)

    def level(self, site: str = SHOP, sku: str = SKU) -> Level:
        """Return a level as written."""
        found = decode(key(LEVEL, sku, site), self.state[key(LEVEL, sku, site)])
        assert isinstance(found, Level)
        return found

    def transfer(self, number: int = -1) -> Transfer:
        """Return a transfer as written, by its place in running order."""
        found = self.transfers()[number]
        assert isinstance(found, Transfer)
        return found

    def transfers(self) -> list[Transfer]:
        """Return all transfers as written, in running order."""
        return self._all(TRANSFER)

    def needs(self) -> list[Need]:
        """Return all needs as written, in running order."""
        return self._all(NEED)

    def levels(self) -> list[Level]:
        """Return all levels as written, in key order."""
        raws = sorted(raw for raw in self.state if key_parts(raw)[0] == LEVEL)
        return [self.level(key_parts(raw)[2], key_parts(raw)[1]) for raw in raws]

    def lot_books(self) -> list[LotBook]:
        """Return all lot books as written, in key order."""
        raws = sorted(raw for raw in self.state if key_parts(raw)[0] == LOTS)
        found = [decode(raw, self.state[raw]) for raw in raws]
        return [book for book in found if isinstance(book, LotBook)]

    def witnesses(self) -> list[WitnessRecord]:
        """Return all witness records as written, in key order."""
        raws = sorted(raw for raw in self.state if key_parts(raw)[0] == WITNESS)
        found = [decode(raw, self.state[raw]) for raw in raws]
        return [record for record in found if isinstance(record, WitnessRecord)]

    def carried_lots(self) -> list[CarriedLots]:
        """Return what all transfers carry, in key order."""
        raws = sorted(raw for raw in self.state if key_parts(raw)[0] == CARRIED)
        found = [decode(raw, self.state[raw]) for raw in raws]
        return [carried for carried in found if isinstance(carried, CarriedLots)]

    def serial_books(self) -> list[SerialBook]:
        """Return all serial books as written, in key order."""
        raws = sorted(raw for raw in self.state if key_parts(raw)[0] == SERIALS)
        found = [decode(raw, self.state[raw]) for raw in raws]
        return [book for book in found if isinstance(book, SerialBook)]

    def order_lines(self) -> list[OrderLine]:
        """Return all order lines as written, in key order."""
        raws = sorted(raw for raw in self.state if key_parts(raw)[0] == ORDER_LINE)
        found = [decode(raw, self.state[raw]) for raw in raws]
        return [line for line in found if isinstance(line, OrderLine)]

    def lots(self, site: str = SHOP) -> dict[str, int]:
        """Return the units by lot at a site, those of no known lot under the empty name."""
        for book in self.lot_books():
            if book.site == site:
                known = {entry.lot: entry.units for entry in book.lots}
                return {**known, "": book.unknown_units} if book.unknown_units else known
        return {}

    def movements(self) -> list[Movement]:
        """Return the whole ledger."""
        return self.items(MOVEMENTS.name, Movement)

    def events(self, kind: type[StructT]) -> list[StructT]:
        """Return all events of one kind."""
        return self.items(EVENTS.name, kind)

    def alerts(self, kind: type[StructT]) -> list[StructT]:
        """Return all alert items of one kind."""
        return self.items(ALERT_INPUTS.name, kind)

    def plans(self, kind: type[StructT]) -> list[StructT]:
        """Return all plan items of one kind."""
        return self.items(PLANS.name, kind)

    def items(self, topic: str, *kinds: type[StructT]) -> list[StructT]:
        """Return all items of these kinds in a topic."""
        found: list[StructT] = []
        for output in self.outputs:
            if output.topic == topic:
                frame = _CODECS[topic].decode(output.value)
                found.extend(item for item in frame.items if isinstance(item, kinds))
        return found

    def said(self) -> dict[tuple[str, int], list[bytes]]:
        """Return the items of every topic and partition, each encoded, frame borders left out."""
        said: dict[tuple[str, int], list[bytes]] = defaultdict(list)
        for output in self.outputs:
            place = (output.topic, output.partition)
            codec = _CODECS.get(output.topic)
            if codec is None:
                said[place].append(output.value)
                continue
            items = codec.decode(output.value).items
            said[place].extend(msgspec.msgpack.encode(item) for item in items)
        return dict(said)

    def _all(self, kind: str) -> list[Any]:
        raws = [raw for raw in self.state if key_parts(raw)[0] == kind]
        raws.sort(key=lambda raw: int(raw.decode().rpartition("-")[2]))
        return [decode(raw, self.state[raw]) for raw in raws]


def ordered_story(units: int = 10) -> tuple[Story, str]:
    """Return 20 at the shop, 50 at the donor, an approved transfer between them, and its id."""
    story = Story().tell(reference(SkuRecord(SKU, unit_cost_minor=100)), lane(DONOR))
    story.tell(policy(autonomy="observe", transit_overdue_ms=HOUR_MS, proposal_ttl_ms=HOUR_MS))
    story.tell(opening(20), opening(50, site=DONOR))
    order = command("order_transfer", site=DONOR, to_site=SHOP, quantity_units=units, name="order")
    story.tell(order)
    return story, story.transfer().transfer_id


__all__ = [
    "DONOR",
    "HOUR_MS",
    "SHOP",
    "SKU",
    "SOURCE",
    "T0",
    "WAREHOUSE",
    "Story",
    "command",
    "lane",
    "opening",
    "order_line",
    "ordered_story",
    "policy",
    "reading",
    "reference",
    "scan",
    "status",
]
