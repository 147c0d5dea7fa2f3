"""Frames: one Kafka record carries many items of one partition.

A frame is a version byte and a msgpack array `[received_at_ms, reference_version, items]`; each
item is an array that starts with its tag. Fields are only ever appended, so an older reader
ignores what it does not know and a newer one fills in defaults. The frame is the unit of fetch,
fold and commit; state never depends on where its borders fall.

This module holds the items of the input log. Other logs (plans, alert inputs, movements, events)
are frames of other items: see `FrameCodec`.
"""

from typing import Any, Final, Generic, Literal, TypeVar

import msgspec

from ingest.contracts.counts import CountLineInput
from ingest.contracts.demand import PromotionRecord
from ingest.contracts.errors import FrameError
from ingest.contracts.order_lines import OrderLineInput
from ingest.contracts.planogram import PlanogramRecord
from ingest.contracts.policies import PolicyRecord
from ingest.contracts.supply import (
    LaneRecord,
    SupplierRecord,
)
from ingest.contracts.units import UnitArrivedInput
from ingest.contracts.voids import VoidedMovement

FRAME_VERSION: Final = 1
FRAME_ITEMS_MAX: Final = 500
FRAME_AGE_MS_MAX: Final = 20
TAG_DIGEST_BYTES: Final = 8
"""An RFID tag is known by so many bytes of its code's BLAKE2b digest."""

ReadingKind = Literal["weight_g", "units", "distance_mm", "tags", "beam"]
ScanAction = Literal[
    "receive",
    "pick",
    "sale",
    "return",
    "waste",
    "adjust",
    "dispatch",
    "arrive",
    "count",
    "open",
]
CommandVerb = Literal[
    "approve_transfer",
    "reject_transfer",
    "hold_transfer",
    "edit_transfer",
    "cancel_transfer",
    "lose_transfer",
    "reopen_transfer",
    "order_transfer",
    "assign_shipment",
    "close_need",
    "release_buffer",
    "void_movement",
    "order_need",
    "resize_need",
    "quarantine",
    "release_quarantine",
    "recall_lot",
    "lift_recall",
]


class ReadingInput(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    """An absolute reading of one channel, resolved to the SKU it watched when it was observed."""

    sku: str
    site: str
    location: str
    source: str
    channel: str
    boot: str
    seq: int
    observed_at_ms: int
    """The source's clock, corrected by the bridge's estimate of its offset."""
    historical: bool
    kind: ReadingKind
    value: int
    """Grams, units, millimetres, the number of distinct tags, or a beam's 0 (empty) and 1."""
    unit_weight_mg: int = 0
    """Weight of one base unit in milligrams; 0 where the kind is not weight."""
    tare_g: int = 0
    span_mm: int = 0
    """Distance sensors: the empty distance; with `unit_depth_mm` it gives units."""
    unit_depth_mm: int = 0
    settle_ms: int = 0
    """A changed weight or distance counts once it has held for so long; 0 counts it at once."""
    report_interval_ms: int = 0
    """How often the device reports; silence is counted from the report it owes next."""
    tag_digests: bytes = b""
    """`TAG_DIGEST_BYTES` of each distinct tag, in ascending order."""
    backroom: bool = False
    """The channel watched the backroom, and not the shelf."""


class ScanInput(msgspec.Struct, frozen=True, array_like=True, tag=2, gc=False):
    """A relative fact from a scanner: so many base units of a SKU moved, for a named reason."""

    sku: str
    site: str
    source: str
    boot: str
    seq: int
    observed_at_ms: int
    historical: bool
    action: ScanAction
    quantity_units: int
    """Positive base units; signed for `adjust`; the absolute count for `count`."""
    location: str = ""
    lot: str = ""
    transfer_id: str = ""
    counterpart_site: str = ""
    """The other end of a dispatch or an arrival that names no transfer."""
    order_id: str = ""
    unit_cost_minor: int = -1
    """Cost of one base unit on a receipt; -1 where unknown."""
    expires_at_ms: int = 0
    """End of the lot's expiry day, from the barcode; 0 where unknown."""
    serial: str = ""
    sscc: str = ""
    """Of the logistic unit it is packed in. An arrival without a SKU is of all that is in it."""


class StatusInput(msgspec.Struct, frozen=True, array_like=True, tag=3, gc=False):
    """A device came online, went offline (its last will) or told its battery.

    With an empty `sku` it is for the device's own partition, which raises the device's alert; with
    a SKU it is for a channel's partition, where a blind interval of that SKU begins or ends.
    """

    device: str
    site: str
    online: bool
    boot: str
    battery_pct: int = -1
    sku: str = ""
    channel: str = ""


class CommandInput(msgspec.Struct, frozen=True, array_like=True, tag=4, gc=False):
    """What a person, the ERP or the planning fold wants; answered in `events`."""

    command_id: str
    verb: CommandVerb
    sku: str
    entity_id: str
    """The transfer or need it is about; empty for `order_transfer` and `release_buffer`."""
    actor: str
    reason: str = ""
    expected_version: int = -1
    """Refused when the entity's version differs; -1 asks for no check."""
    quantity_units: int = 0
    site: str = ""
    to_site: str = ""
    shipment_id: str = ""
    movements: tuple[VoidedMovement, ...] = ()
    """`void_movement`: all that the scan left in the ledger, in its order."""
    lot: str = ""


class NetworkRecord(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    """What holds for the whole network."""

    name: str = ""
    currency: str = "EUR"


class SiteRecord(msgspec.Struct, frozen=True, array_like=True, tag=2, gc=False):
    """A shop or a warehouse."""

    site: str
    name: str = ""
    kind: Literal["shop", "warehouse"] = "shop"
    parent_site: str = ""
    """Where it replenishes from when no donor has surplus."""


class SkuRecord(msgspec.Struct, frozen=True, array_like=True, tag=4, gc=False):
    """An article; all quantities of it are in its base unit."""

    sku: str
    name: str = ""
    category: str = ""
    base_unit: Literal["piece", "g", "ml"] = "piece"
    pack_units: int = 1
    unit_cost_minor: int = 0
    unit_weight_mg: int = 0
    supplier: str = ""
    order_units_min: int = 0
    order_multiple_units: int = 0


ReferenceEntity = (
    NetworkRecord
    | SiteRecord
    | LaneRecord
    | SkuRecord
    | PolicyRecord
    | SupplierRecord
    | PromotionRecord
    | PlanogramRecord
)


class ReferenceInput(msgspec.Struct, frozen=True, array_like=True, tag=5, gc=False):
    """One entity of a numbered catalogue load, new, changed or removed."""

    version: int
    entity: ReferenceEntity
    removed: bool = False


class OpeningInput(msgspec.Struct, frozen=True, array_like=True, tag=6, gc=False):
    """Opening stock and cost of one SKU at one site; the same import id applies once a key."""

    import_id: str
    sku: str
    site: str
    quantity_units: int
    unit_cost_minor: int = 0
    effective_at_ms: int = 0


class TickInput(msgspec.Struct, frozen=True, array_like=True, tag=7, gc=False):
    """Time passed."""

    at_ms: int


class BarrierInput(msgspec.Struct, frozen=True, array_like=True, tag=8, gc=False):
    """Asks the fold to say in `events` that it has folded everything before this."""

    barrier_id: str
    partition: int


class InstallationInput(msgspec.Struct, frozen=True, array_like=True, tag=9, gc=False):
    """The settings of the installation; the first input of each partition."""

    installation_id: str
    partition_count: int
    time: Literal["wall", "driven"]


InputItem = (
    ReadingInput
    | ScanInput
    | StatusInput
    | CommandInput
    | ReferenceInput
    | OpeningInput
    | TickInput
    | BarrierInput
    | InstallationInput
    | OrderLineInput
    | CountLineInput
    | UnitArrivedInput
)

ItemT = TypeVar("ItemT")


class Frame(msgspec.Struct, Generic[ItemT], frozen=True, array_like=True):
    """Many items of one partition, received together."""

    received_at_ms: int
    reference_version: int
    """The newest catalogue load the writer had read; 0 where it does not matter."""
    items: list[ItemT]


class FrameCodec(Generic[ItemT]):
    """Bytes to frame and back, for one union of item structs."""

    def __init__(self, item_type: object) -> None:
        """Take the item struct, or the union of tagged item structs, that `ItemT` stands for."""
        frame_type: Any = Frame
        self._decoder: msgspec.msgpack.Decoder[Frame[ItemT]] = msgspec.msgpack.Decoder(
            frame_type[item_type]
        )
        self._encoder = msgspec.msgpack.Encoder()
        self._head = bytes([FRAME_VERSION])

    def encode(
        self, items: list[ItemT], *, received_at_ms: int, reference_version: int = 0
    ) -> bytes:
        """Return one frame; the caller keeps `len(items)` within `FRAME_ITEMS_MAX`."""
        body = self._encoder.encode(Frame(received_at_ms, reference_version, items))
        return self._head + body

    def decode(self, value: bytes) -> Frame[ItemT]:
        """Return the frame in a record's value.

        Raises:
            FrameError: Another version, or bytes that are no frame of these items.
        """
        if not value or value[0] != FRAME_VERSION:
            found = value[0] if value else "nothing"
            raise FrameError(f"frame version {found} can't be read, only {FRAME_VERSION}")
        try:
            return self._decoder.decode(memoryview(value)[1:])
        except msgspec.MsgspecError as error:
            raise FrameError(f"not a frame: {error}") from error


INPUT_FRAMES: Final[FrameCodec[InputItem]] = FrameCodec(InputItem)


def tick_frame(at_ms: int) -> bytes:
    """Return a frame of one tick; every input log understands it (tag 7)."""
    return INPUT_FRAMES.encode([TickInput(at_ms)], received_at_ms=at_ms)
