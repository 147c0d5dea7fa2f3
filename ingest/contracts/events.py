"""What devices send over MQTT, and what they hear back. JSON; UTC milliseconds; base units.

Topics: `stock/v1/{site}/{device}/readings | scans | status`; receipts on `…/accepted`. A payload
is one event or an array of at most `BATCH_EVENTS_MAX`; in a batch only the bad events become dead
letters. `ingest.wire` has the same language as msgspec structs for the hot path; a property test
holds the two together.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ingest.contracts import patterns
from ingest.contracts.units import SSCC_LENGTH
from ingest.frames import ScanAction

BATCH_EVENTS_MAX: Final = 1_000
PAYLOAD_BYTES_MAX: Final = 1024 * 1024
IDENTIFIER_LENGTH_MAX: Final = 128
LOT_LENGTH_MAX: Final = 20
"""What GS1 allows, for serial numbers too."""
QUANTITY_UNITS_MAX: Final = 1_000_000
"""A scan may not claim more; a catalogue may set a lower limit for a SKU."""
WEIGHT_G_MAX: Final = 10_000_000
TAGS_MAX: Final = 2_000
ONE_PAYLOAD: Final = "exactly one of weight_g, units, distance_mm, tags, beam must be given"
ONE_NAME: Final = "exactly one of sku, gtin, barcode must be given, or an sscc to arrive"
TIME_MS_MAX: Final = 4_102_444_800_000
"""2100-01-01: a later time is a broken clock."""

Identifier = Annotated[
    str,
    Field(min_length=1, max_length=IDENTIFIER_LENGTH_MAX, pattern=patterns.LEVEL_NAMED),
]
Code = Annotated[str, Field(min_length=1, max_length=IDENTIFIER_LENGTH_MAX, pattern=patterns.NAMED)]
Barcode = Annotated[str, Field(min_length=4, max_length=512, pattern=patterns.BARCODE)]
TimeMs = Annotated[int, Field(ge=0, le=TIME_MS_MAX)]
Sequence = Annotated[int, Field(ge=0, le=2**53 - 1)]


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Reading(_Wire):
    """An absolute observation of one channel: exactly one of the five payloads."""

    source: Identifier
    """The device; must equal the device of the MQTT topic."""
    boot: Identifier
    """Session of the source: a new one at every start, since `seq` begins again."""
    seq: Sequence
    observed_at_ms: TimeMs
    channel: Identifier
    historical: bool = False
    """True for what was buffered offline: it repairs, and never overwrites newer live values."""
    weight_g: Annotated[int, Field(ge=-WEIGHT_G_MAX, le=WEIGHT_G_MAX)] | None = None
    units: Annotated[int, Field(ge=0, le=QUANTITY_UNITS_MAX)] | None = None
    distance_mm: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    tags: Annotated[list[Code], Field(max_length=TAGS_MAX)] | None = None
    """The codes that one round of reading found; a round misses many, which the fold knows."""
    beam: Annotated[int, Field(ge=0, le=1)] | None = None
    """A presence beam: 0 where the shelf is empty, 1 where something stands there."""

    @model_validator(mode="after")
    def _one_payload(self) -> "Reading":
        given = [self.weight_g, self.units, self.distance_mm, self.tags, self.beam]
        if sum(value is not None for value in given) != 1:
            raise ValueError(ONE_PAYLOAD)
        return self


class Scan(_Wire):
    """A relative fact from a scanner; names its article by exactly one of sku, gtin, barcode."""

    source: Identifier
    boot: Identifier
    seq: Sequence
    observed_at_ms: TimeMs
    action: ScanAction
    quantity: Annotated[int, Field(ge=-QUANTITY_UNITS_MAX, le=QUANTITY_UNITS_MAX)] = 1
    """Times scanned; a GTIN of a case multiplies it. Negative only for `adjust`."""
    historical: bool = False
    sku: Code | None = None
    gtin: Annotated[str, Field(pattern=patterns.GTIN)] | None = None
    barcode: Barcode | None = None
    """Raw content with its symbology identifier, such as `]C1` or `]d2`."""
    location: str = Field(default="", max_length=IDENTIFIER_LENGTH_MAX)
    lot: str = Field(default="", max_length=LOT_LENGTH_MAX)
    transfer_id: str = Field(default="", max_length=2 * IDENTIFIER_LENGTH_MAX)
    counterpart_site: str = Field(default="", max_length=IDENTIFIER_LENGTH_MAX)
    order_id: str = Field(default="", max_length=IDENTIFIER_LENGTH_MAX)
    unit_cost_minor: Annotated[int, Field(ge=-1, le=2**53 - 1)] = -1
    expires_at_ms: TimeMs = 0
    """End of the last day on which the lot may be sold; 0: what the barcode says, or unknown."""
    serial: str = Field(default="", max_length=LOT_LENGTH_MAX)
    """Serial number of the one item that was scanned."""
    sscc: str = Field(default="", max_length=SSCC_LENGTH)
    """Serial shipping container code of the logistic unit: of what is in it, or alone in the place
    of an article for an `arrive` of all that is in it."""

    @model_validator(mode="after")
    def _checked(self) -> "Scan":
        named = sum(value is not None for value in (self.sku, self.gtin, self.barcode))
        if named != 1 and not (named == 0 and self.sscc and self.action == "arrive"):
            raise ValueError(ONE_NAME)
        if self.quantity < 0 and self.action != "adjust":
            raise ValueError("a negative quantity is for adjust only")
        return self


class DeviceStatus(_Wire):
    """What a device says of itself; also its last will. The bridge stamps the time."""

    source: Identifier
    boot: Identifier
    state: Literal["online", "offline"]
    battery_pct: Annotated[int, Field(ge=0, le=100)] | None = None


class SequenceRange(_Wire):
    """Sequence numbers `first` to `last`, both included, of one boot."""

    boot: Identifier
    first: Sequence
    last: Sequence


class Receipt(_Wire):
    """The bridge's word on `…/accepted`: Kafka has these, or has them as dead letters."""

    ranges: list[SequenceRange]


class DrivenTime(_Wire):
    """Payload of `stock/v1/_time` in an installation whose time is driven."""

    at_ms: TimeMs


DeadLetterReason = Literal[
    "unknown_topic",
    "unknown_device",
    "unknown_channel",
    "unknown_article",
    "wrong_identity",
    "bad_json",
    "bad_schema",
    "bad_barcode",
    "oversize",
    "absurd_value",
    "too_old",
    "bad_frame",
    "sink_refused",
    "unknown_unit",
    "wrong_unit",
    "unknown_site",
]


class DeadLetter(BaseModel):
    """What could not be accepted, whole, with why and where it came from; replayable."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    letter_id: str
    reason: DeadLetterReason
    detail: str = Field(max_length=2_000)
    origin: str
    """MQTT topic, or `{kafka topic}/{partition}/{offset}`."""
    received_at_ms: TimeMs
    payload_base64: str
    """The raw bytes of the one refused event (or of the whole payload if it could not be cut)."""
