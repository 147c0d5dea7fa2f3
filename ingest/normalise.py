"""From what a device sent to what the stock fold reads: decode, identify, resolve. Pure.

A message gives inputs, each with its partition, and refusals, each with its raw bytes; never both
for one event and never neither. Order of the checks: topic, size, device, shape, identity, then
the event's own names and quantities.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from ingest import wire
from ingest.barcodes import Barcode, barcode_read, gtin14_of
from ingest.clocks import SourceClocks
from ingest.contracts.events import (
    BATCH_EVENTS_MAX,
    PAYLOAD_BYTES_MAX,
    QUANTITY_UNITS_MAX,
    DeadLetterReason,
)
from ingest.contracts.topics import MQTT_ROOT, mqtt_topic
from ingest.frames import InputItem, ReadingInput, ReadingKind, ScanInput, StatusInput
from ingest.partitions import partition_of
from ingest.ports import CatalogView

ROUTES_CACHED_MAX: Final = 100_000
_LEAVES: Final = frozenset({"readings", "scans", "status"})
_TOPIC_LEVELS: Final = 5

Event = wire.Reading | wire.Scan | wire.DeviceStatus
Range = tuple[str, int, int]
"""Boot, first and last sequence number, both included."""


@dataclass(frozen=True, slots=True)
class Route:
    """What a topic name says, looked up once."""

    site: str
    device: str
    leaf: str
    known: bool
    """Whether the catalogue has this device at this site."""
    accepted_topic: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event, or a whole payload, that could not be accepted."""

    reason: DeadLetterReason
    detail: str
    raw: bytes


@dataclass(slots=True)
class Normalised:
    """What became of one message."""

    route: Route | None
    items: list[tuple[int, InputItem]] = field(default_factory=list)
    """Inputs with their partitions, in the order sent."""
    rejected: list[Rejected] = field(default_factory=list)
    ranges: list[Range] = field(default_factory=list)
    """Numbers of all its events, refused ones too as far as they could be read."""


class Normaliser:
    """Turns messages into inputs, by the catalogue and the sources' clocks."""

    def __init__(self, catalog: CatalogView, clocks: SourceClocks, *, partition_count: int) -> None:
        """Take the views; `partition_count` is the installation's."""
        self._catalog = catalog
        self._clocks = clocks
        self._partition_count = partition_count
        self._routes: dict[str, Route | None] = {}
        self._routes_version = -1
        self._decode: dict[str, Callable[[bytes], Event | list[Event]]] = {
            "readings": wire.READINGS.decode,  # type: ignore[dict-item] # list is invariant
            "scans": wire.SCANS.decode,  # type: ignore[dict-item] # the same
            "status": wire.STATUSES.decode,  # type: ignore[dict-item] # the same
        }

    def normalise(self, topic: str, payload: bytes, received_at_ms: int) -> Normalised:
        """Return what one message means.

        Args:
            topic: The MQTT topic.
            payload: One event or an array of them, JSON.
            received_at_ms: The installation's time, UTC milliseconds; 0 where driven time has
                not begun.
        """
        route = self.route(topic)
        if route is None or not route.known or len(payload) > PAYLOAD_BYTES_MAX:
            return self._refused_whole(route, topic, payload)
        out = Normalised(route)
        try:
            decoded = self._decode[route.leaf](payload)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._one_by_one(out, route, payload, received_at_ms)
            return out
        if not isinstance(decoded, list):
            self._take(out, route, decoded, payload, received_at_ms)
            return out
        if not 0 < len(decoded) <= BATCH_EVENTS_MAX:
            out.rejected.append(_batch_refusal(len(decoded), payload))
            return out
        self._take_all(out, route, decoded, payload, received_at_ms)
        return out

    def route(self, topic: str) -> Route | None:
        """Return what a topic name says; None where it is not one of ours."""
        if self._routes_version != self._catalog.version:
            self._routes.clear()
            self._routes_version = self._catalog.version
        try:
            return self._routes[topic]
        except KeyError:
            if len(self._routes) >= ROUTES_CACHED_MAX:
                self._routes.clear()
            route = self._routes[topic] = self._route_of(topic)
            return route

    def _route_of(self, topic: str) -> Route | None:
        levels = topic.split("/")
        if len(levels) != _TOPIC_LEVELS or f"{levels[0]}/{levels[1]}" != MQTT_ROOT:
            return None
        _, _, site, device, leaf = levels
        if leaf not in _LEAVES or not site or not device:
            return None
        known = self._catalog.device(site, device) is not None
        return Route(site, device, leaf, known, mqtt_topic(site, device, "accepted"))

    def _take(
        self, out: Normalised, route: Route, event: Event, raw: bytes, received_at_ms: int
    ) -> None:
        refusal = self._accepted(out, route, event, received_at_ms)
        if refusal is not None:
            out.rejected.append(Rejected(refusal[0], refusal[1], raw))
        if not isinstance(event, wire.DeviceStatus):
            out.ranges.append((event.boot, event.seq, event.seq))

    def _take_all(
        self,
        out: Normalised,
        route: Route,
        events: list[Event],
        payload: bytes,
        received_at_ms: int,
    ) -> None:
        raws: list[msgspec.Raw] | None = None
        for place, event in enumerate(events):
            refusal = self._accepted(out, route, event, received_at_ms)
            if refusal is not None:
                raws = raws or wire.CUTS.decode(payload)
                out.rejected.append(Rejected(refusal[0], refusal[1], bytes(raws[place])))
        if route.leaf != "status":
            out.ranges = _ranges(events)

    def _one_by_one(
        self, out: Normalised, route: Route, payload: bytes, received_at_ms: int
    ) -> None:
        try:
            raws = [bytes(raw) for raw in wire.CUTS.decode(payload)]
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raws = [payload]
        else:
            if not 0 < len(raws) <= BATCH_EVENTS_MAX:
                out.rejected.append(_batch_refusal(len(raws), payload))
                return
        for raw in raws:
            try:
                event = self._decode[route.leaf](raw)
                if isinstance(event, list):
                    raise msgspec.ValidationError("an array within an array")
            except (msgspec.MsgspecError, UnicodeDecodeError) as refusal:
                reason, detail = wire.explain(route.leaf, raw, refusal)
                out.rejected.append(Rejected(reason, detail, raw))
                out.ranges.extend(_numbers(raw))
            else:
                self._take(out, route, event, raw, received_at_ms)

    def _refused_whole(self, route: Route | None, topic: str, payload: bytes) -> Normalised:
        out = Normalised(route)
        if route is None:
            out.rejected.append(
                Rejected("unknown_topic", f"{topic[:200]} is no topic of ours", payload)
            )
            return out
        if len(payload) > PAYLOAD_BYTES_MAX:
            detail = f"{len(payload)} bytes, at most {PAYLOAD_BYTES_MAX} are allowed"
            out.rejected.append(Rejected("oversize", detail, payload))
            return out
        detail = f"the catalogue has no device {route.device} at site {route.site}"
        out.rejected.append(Rejected("unknown_device", detail, payload))
        out.ranges = _numbers(payload)
        return out

    def _accepted(
        self, out: Normalised, route: Route, event: Event, received_at_ms: int
    ) -> tuple[DeadLetterReason, str] | None:
        if event.source != route.device:
            detail = f"source {event.source} differs from the topic's device {route.device}"
            return "wrong_identity", detail
        if isinstance(event, wire.Reading):
            return self._reading(out, route, event, received_at_ms)
        if isinstance(event, wire.Scan):
            return self._scan(out, route, event, received_at_ms)
        self._status(out, route, event)
        return None

    def _reading(
        self, out: Normalised, route: Route, event: wire.Reading, received_at_ms: int
    ) -> tuple[DeadLetterReason, str] | None:
        device = route.device
        observed_at_ms = self._clocks.corrected_ms(
            device,
            event.observed_at_ms,
            historical=event.historical,
            received_at_ms=received_at_ms,
        )
        watched = self._catalog.assignment(device, event.channel, observed_at_ms)
        if watched is None:
            detail = f"channel {event.channel} of {device} watches nothing at {observed_at_ms}"
            return "unknown_channel", detail
        kind, value = _payload(event)
        item = ReadingInput(
            watched.sku,
            route.site,
            watched.location,
            device,
            event.channel,
            event.boot,
            event.seq,
            observed_at_ms,
            event.historical,
            kind,
            value,
            watched.unit_weight_mg,
            watched.tare_g,
            watched.span_mm,
            watched.unit_depth_mm,
        )
        out.items.append((partition_of(watched.sku, self._partition_count), item))
        return None

    def _scan(
        self, out: Normalised, route: Route, event: wire.Scan, received_at_ms: int
    ) -> tuple[DeadLetterReason, str] | None:
        found = self._article(event)
        if not isinstance(found, _Found):
            return found
        quantity_units = event.quantity * found.units
        entry = self._catalog.sku(found.sku)
        limit = entry.quantity_units_max if entry else QUANTITY_UNITS_MAX
        if abs(quantity_units) > limit:
            detail = f"{quantity_units} base units of {found.sku}, at most {limit} are allowed"
            return "absurd_value", detail
        observed_at_ms = self._clocks.corrected_ms(
            route.device,
            event.observed_at_ms,
            historical=event.historical,
            received_at_ms=received_at_ms,
        )
        item = ScanInput(
            found.sku,
            route.site,
            route.device,
            event.boot,
            event.seq,
            observed_at_ms,
            event.historical,
            event.action,
            quantity_units,
            event.location,
            event.lot or found.lot,
            event.transfer_id,
            event.counterpart_site,
            event.order_id,
            event.unit_cost_minor,
            found.expires_at_ms,
        )
        out.items.append((partition_of(found.sku, self._partition_count), item))
        return None

    def _article(self, event: wire.Scan) -> "_Found | tuple[DeadLetterReason, str]":
        if event.sku is not None:
            if self._catalog.sku(event.sku) is None:
                return "unknown_article", f"the catalogue has no SKU {event.sku}"
            return _Found(event.sku, 1)
        read: Barcode | str
        if event.gtin is not None:
            gtin14 = gtin14_of(event.gtin)
            read = Barcode(gtin14) if gtin14 else f"wrong check digit in {event.gtin}"
        else:
            read = barcode_read(event.barcode or "")
        if isinstance(read, str):
            return "bad_barcode", read
        article = self._catalog.article(read.gtin14)
        if article is None:
            return "unknown_article", f"the catalogue has no GTIN {read.gtin14}"
        entry = self._catalog.sku(article.sku)
        weighed = read.weight_g > 0 and entry is not None and entry.base_unit == "g"
        units = read.weight_g if weighed else article.units
        return _Found(article.sku, units * read.count, read.lot, read.expires_at_ms)

    def _status(self, out: Normalised, route: Route, event: wire.DeviceStatus) -> None:
        device, online = route.device, event.state == "online"
        battery_pct = -1 if event.battery_pct is None else event.battery_pct
        own = StatusInput(device, route.site, online, event.boot, battery_pct)
        out.items.append((partition_of(device, self._partition_count), own))
        for sku in sorted({watched.sku for watched in self._catalog.assignments(device)}):
            item = StatusInput(device, route.site, online, event.boot, battery_pct, sku)
            out.items.append((partition_of(sku, self._partition_count), item))


@dataclass(frozen=True, slots=True)
class _Found:
    sku: str
    units: int
    lot: str = ""
    expires_at_ms: int = 0


def _payload(event: wire.Reading) -> tuple[ReadingKind, int]:
    if event.weight_g is not None:
        return "weight_g", event.weight_g
    if event.units is not None:
        return "units", event.units
    if event.distance_mm is not None:
        return "distance_mm", event.distance_mm
    return "tags", len(set(event.tags or ()))


def _batch_refusal(count: int, payload: bytes) -> Rejected:
    if count == 0:
        return Rejected("bad_schema", "an empty batch", payload)
    detail = f"a batch of {count} events, at most {BATCH_EVENTS_MAX} are allowed"
    return Rejected("oversize", detail, payload)


def _ranges(events: list[Event]) -> list[Range]:
    ranges: list[Range] = []
    boot, first, last = "", 0, -2
    for event in events:
        if isinstance(event, wire.DeviceStatus):
            continue
        if event.seq == last + 1 and event.boot == boot:
            last = event.seq
            continue
        if last >= 0:
            ranges.append((boot, first, last))
        boot, first, last = event.boot, event.seq, event.seq
    if last >= 0:
        ranges.append((boot, first, last))
    return ranges


def _numbers(raw: bytes) -> list[Range]:
    """Read the numbers of refused events, so that their sender stops resending them."""
    try:
        raws = [bytes(part) for part in wire.CUTS.decode(raw)] if raw[:1] == b"[" else [raw]
        numbered = [wire.NUMBERED.decode(part) for part in raws[:BATCH_EVENTS_MAX]]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return []
    return [(event.boot, event.seq, event.seq) for event in numbered]
