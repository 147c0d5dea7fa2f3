"""The wire language as msgspec structs: the hot path's twin of `ingest.contracts.events`.

Both accept and refuse the same bytes (tests/property/test_wire_twins.py). Of a repeated key the
last one counts, and every occurrence must be valid. Decoding here costs a quarter of pydantic's
time; the wording of a refusal still comes from pydantic, off the hot path (`explain`).
"""

import re
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final, Generic, Literal, TypeVar, final, get_args

import msgspec
from pydantic import TypeAdapter, ValidationError

from ingest.contracts import events
from ingest.contracts.events import (
    IDENTIFIER_LENGTH_MAX,
    ONE_NAME,
    ONE_PAYLOAD,
    QUANTITY_UNITS_MAX,
    TAGS_MAX,
    TIME_MS_MAX,
    WEIGHT_G_MAX,
    DeadLetterReason,
)
from ingest.contracts.patterns import refusal_words
from ingest.contracts.units import SSCC_LENGTH
from ingest.frames import ReadingKind, ScanAction

_DETAIL_LENGTH_MAX: Final = 500
_NO_IDENTIFIER: Final = re.compile(r"[\x00-\x1f/+#]")
_CONTROL: Final = re.compile(r"[\x00-\x1f]")
_BACKSLASH, _SLASH, _PLUS, _HASH = b"\\/+#"
"""Numbers: Python finds a byte given as bytes only after a TypeError inside, 300 ns later."""

# No patterns here: msgspec hands them to `re`, 0.5 us a string. `EventDecoder` looks after them.
Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=IDENTIFIER_LENGTH_MAX)]
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=IDENTIFIER_LENGTH_MAX)]
Text = Annotated[str, msgspec.Meta(max_length=IDENTIFIER_LENGTH_MAX)]
TimeMs = Annotated[int, msgspec.Meta(ge=0, le=TIME_MS_MAX)]
Sequence = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


WeightG = Annotated[int, msgspec.Meta(ge=-WEIGHT_G_MAX, le=WEIGHT_G_MAX)]
Units = Annotated[int, msgspec.Meta(ge=0, le=QUANTITY_UNITS_MAX)]
DistanceMm = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Beam = Annotated[int, msgspec.Meta(ge=0, le=1)]


class _Seen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """What every reading has, whatever it measures."""

    source: Identifier
    boot: Identifier
    seq: Sequence
    observed_at_ms: TimeMs
    channel: Identifier
    historical: bool = False


@final
class Reading(_Seen, frozen=True, forbid_unknown_fields=True, gc=False):
    """Twin of `events.Reading`."""

    weight_g: WeightG | None = None
    units: Units | None = None
    distance_mm: DistanceMm | None = None
    tags: Annotated[list[Code], msgspec.Meta(max_length=TAGS_MAX)] | None = None
    beam: Beam | None = None

    def __post_init__(self) -> None:
        """Refuse anything but exactly one payload.

        Raises:
            ValueError: None or several of the five payloads are given.
        """
        missing = (
            (self.weight_g is None)
            + (self.units is None)
            + (self.distance_mm is None)
            + (self.tags is None)
            + (self.beam is None)
        )
        if missing != 4:  # noqa: PLR2004 - five payloads, one given
            raise ValueError(ONE_PAYLOAD)


class WeightReading(_Seen, frozen=True, kw_only=True, gc=False, rename={"value": "weight_g"}):
    """A `Reading` that can have no payload but one, so that nothing is left to look for."""

    kind: ClassVar[ReadingKind] = "weight_g"
    value: WeightG


class UnitsReading(_Seen, frozen=True, kw_only=True, gc=False, rename={"value": "units"}):
    """The same for a count."""

    kind: ClassVar[ReadingKind] = "units"
    value: Units


class DistanceReading(_Seen, frozen=True, kw_only=True, gc=False, rename={"value": "distance_mm"}):
    """The same for a distance."""

    kind: ClassVar[ReadingKind] = "distance_mm"
    value: DistanceMm


class BeamReading(_Seen, frozen=True, kw_only=True, gc=False, rename={"value": "beam"}):
    """The same for a light beam."""

    kind: ClassVar[ReadingKind] = "beam"
    value: Beam


OneReading = WeightReading | UnitsReading | DistanceReading | BeamReading
AnyReading = Reading | OneReading


class Scan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Twin of `events.Scan`."""

    source: Identifier
    boot: Identifier
    seq: Sequence
    observed_at_ms: TimeMs
    action: ScanAction
    quantity: Annotated[int, msgspec.Meta(ge=-QUANTITY_UNITS_MAX, le=QUANTITY_UNITS_MAX)] = 1
    historical: bool = False
    sku: Code | None = None
    gtin: (
        Annotated[str, msgspec.Meta(pattern=r"^([0-9]{8}|[0-9]{12}|[0-9]{13}|[0-9]{14})\Z")] | None
    ) = None
    barcode: (
        Annotated[str, msgspec.Meta(min_length=4, max_length=512, pattern=r"^\][A-Za-z][0-9]")]
        | None
    ) = None
    location: Text = ""
    lot: Annotated[str, msgspec.Meta(max_length=20)] = ""
    transfer_id: Annotated[str, msgspec.Meta(max_length=2 * IDENTIFIER_LENGTH_MAX)] = ""
    counterpart_site: Text = ""
    order_id: Text = ""
    unit_cost_minor: Annotated[int, msgspec.Meta(ge=-1, le=2**53 - 1)] = -1
    expires_at_ms: TimeMs = 0
    serial: Annotated[str, msgspec.Meta(max_length=20)] = ""
    sscc: Annotated[str, msgspec.Meta(max_length=SSCC_LENGTH)] = ""

    def __post_init__(self) -> None:
        """Refuse a scan of no article or of several, and a negative one that does not adjust.

        Raises:
            ValueError: With the reason.
        """
        missing = (self.sku is None) + (self.gtin is None) + (self.barcode is None)
        if missing != 2 and not (missing == 3 and self.sscc and self.action == "arrive"):  # noqa: PLR2004 - three names, one given
            raise ValueError(ONE_NAME)
        if self.quantity < 0 and self.action != "adjust":
            raise ValueError("a negative quantity is for adjust only")


class DeviceStatus(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Twin of `events.DeviceStatus`."""

    source: Identifier
    boot: Identifier
    state: Literal["online", "offline"]
    battery_pct: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None


class DrivenTime(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Twin of `events.DrivenTime`."""

    at_ms: TimeMs


class Numbered(msgspec.Struct, frozen=True, gc=False):
    """What a receipt needs of an event, read even from one that is refused."""

    boot: Identifier
    seq: Sequence


REFUSALS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""All that a decoder here raises; the last for arrays nested by the thousand."""

_HEAD_BYTES: Final = 512
"""So far a batch is looked at for the name of what its first reading measures."""

EventT = TypeVar("EventT", AnyReading, Scan, DeviceStatus)


def _decoder(event_type: Any) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(event_type | list[event_type]).decode


_ANY_READING: Final = _decoder(Reading)
_ONE_READING: Final = tuple(
    (f'"{one.kind}"'.encode(), _decoder(one)) for one in get_args(OneReading)
)


def _readings(raw: bytes) -> Any:
    """Decode readings: a batch of which all measure the same at two thirds of the cost.

    What they measure is guessed by the first one's bytes. Where it is wrong, or a reading is,
    `Reading` decides.
    """
    if raw.startswith(b"["):
        for name, decode in _ONE_READING:
            if raw.find(name, 0, _HEAD_BYTES) >= 0:
                try:
                    return decode(raw)
                except REFUSALS:
                    break
    return _ANY_READING(raw)


class EventDecoder(Generic[EventT]):
    """Decodes one event or a batch of one kind, strictly."""

    def __init__(
        self, decode: Callable[[bytes], EventT | list[EventT]], check: Callable[[EventT], None]
    ) -> None:
        """Take the decoder, and what refuses a bad identifier or code in an event."""
        self._decode: Callable[[bytes], EventT | list[EventT]] = decode
        self._check: Callable[[EventT], None] = check

    def decode(self, raw: bytes) -> EventT | list[EventT]:
        """Return the event, or the events of a batch, of whatever length.

        A string may only hold what an identifier must not where the raw bytes hold one of
        `/ + #` or a backslash, for JSON has no other way to write a control character. So most
        payloads need no look at their strings.

        Raises:
            REFUSALS: The bytes are refused.
        """
        decoded = self._decode(raw)
        if _BACKSLASH in raw or _SLASH in raw or _PLUS in raw or _HASH in raw:
            for event in decoded if isinstance(decoded, list) else (decoded,):
                self._check(event)
        return decoded


def is_identifier(text: str) -> bool:
    """Tell whether a text may name a site, a device, a channel or a boot."""
    return 0 < len(text) <= IDENTIFIER_LENGTH_MAX and not _NO_IDENTIFIER.search(text)


def _check_identifiers(*texts: str) -> None:
    for text in texts:
        if not is_identifier(text):
            raise msgspec.ValidationError(f"{text[:40]!r} is no identifier")


def _check_code(text: str) -> None:
    if _CONTROL.search(text):
        raise msgspec.ValidationError(f"{text[:40]!r} holds a control character")


def _check_reading(event: AnyReading) -> None:
    _check_identifiers(event.source, event.boot, event.channel)
    if isinstance(event, Reading):
        for tag in event.tags or ():
            _check_code(tag)


def _check_scan(event: Scan) -> None:
    _check_identifiers(event.source, event.boot)
    if event.sku is not None:
        _check_code(event.sku)


def _check_status(event: DeviceStatus) -> None:
    _check_identifiers(event.source, event.boot)


READINGS: Final = EventDecoder[AnyReading](_readings, _check_reading)
SCANS: Final = EventDecoder[Scan](_decoder(Scan), _check_scan)
STATUSES: Final = EventDecoder[DeviceStatus](_decoder(DeviceStatus), _check_status)
TIMES: Final = msgspec.json.Decoder(DrivenTime)
NUMBERED: Final = msgspec.json.Decoder(Numbered)
CUTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
"""Cuts a batch into the raw bytes of its events, when one of them is bad."""

_MODELS: Final[dict[str, TypeAdapter[object]]] = {
    "readings": TypeAdapter(events.Reading),
    "scans": TypeAdapter(events.Scan),
    "status": TypeAdapter(events.DeviceStatus),
    "_time": TypeAdapter(events.DrivenTime),
}
_ABSURD: Final = frozenset({"less_than_equal", "greater_than_equal"})


def explain(leaf: str, raw: bytes, error: Exception) -> tuple[DeadLetterReason, str]:
    """Return why `raw` was refused, in pydantic's words where it has some.

    Args:
        leaf: Last level of the topic: readings, scans, status or _time.
        raw: The bytes of one event.
        error: What msgspec said.
    """
    try:
        _MODELS[leaf].validate_json(raw)
    except ValidationError as refusal:
        first = refusal.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        detail = f"{where}: {refusal_words(first)}" if where else str(first["msg"])
        return _reason(first["type"]), detail[:_DETAIL_LENGTH_MAX]
    return "bad_schema", str(error)[:_DETAIL_LENGTH_MAX]


def _reason(kind: str) -> DeadLetterReason:
    if kind == "json_invalid":
        return "bad_json"
    return "absurd_value" if kind in _ABSURD else "bad_schema"
