"""From a decoded event to inputs: who saw it, what it watches, which article it names. Pure."""

from dataclasses import dataclass
from hashlib import blake2b

from ingest import wire
from ingest.barcodes import Barcode, barcode_read, gtin14_of
from ingest.clocks import SourceClocks
from ingest.contracts.events import QUANTITY_UNITS_MAX, DeadLetterReason
from ingest.frames import (
    TAG_DIGEST_BYTES,
    InputItem,
    ReadingInput,
    ReadingKind,
    ScanInput,
    StatusInput,
)
from ingest.partitions import partition_of
from ingest.ports import CatalogView

Placed = tuple[int, InputItem]
"""Partition and input."""
Refusal = tuple[DeadLetterReason, str]
"""Reason and detail."""


@dataclass(frozen=True, slots=True)
class Route:
    """What a topic name says, looked up once a version of the catalogue."""

    site: str
    device: str
    leaf: str
    known: bool
    """Whether the catalogue has this device at this site."""
    accepted_topic: str


class Resolver:
    """Makes inputs of events, by the catalogue and the sources' clocks."""

    def __init__(self, catalog: CatalogView, clocks: SourceClocks, *, partition_count: int) -> None:
        """Take the views; `partition_count` is the installation's."""
        self._catalog = catalog
        self._clocks = clocks
        self._partition_count = partition_count

    def reading(
        self, event: wire.Reading, route: Route, received_at_ms: int, out: list[Placed]
    ) -> Refusal | None:
        """Add the input of a reading to `out`, or return why there is none."""
        device = route.device
        if event.source != device:
            return _wrong_identity(event.source, device)
        observed_at_ms = self._clocks.corrected_ms(
            device, event.observed_at_ms, event.historical, received_at_ms
        )
        watched = self._catalog.assignment(device, event.channel, observed_at_ms)
        if watched is None:
            detail = f"channel {event.channel} of {device} watches nothing at {observed_at_ms}"
            return "unknown_channel", detail
        kind: ReadingKind = "weight_g"
        value = event.weight_g
        if value is None:
            kind, value = _payload(event)
        sku = watched.sku
        item = ReadingInput(
            sku,
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
            watched.settle_ms,
            watched.report_interval_ms,
            _tag_digests(event.tags) if event.tags else b"",
        )
        out.append((partition_of(sku, self._partition_count), item))
        return None

    def scan(
        self, event: wire.Scan, route: Route, received_at_ms: int, out: list[Placed]
    ) -> Refusal | None:
        """Add the input of a scan to `out`, or return why there is none."""
        device = route.device
        if event.source != device:
            return _wrong_identity(event.source, device)
        found = self._article(event)
        if not isinstance(found, _Found):
            return found
        quantity_units = event.quantity * found.units
        if abs(quantity_units) > found.quantity_units_max:
            limit = found.quantity_units_max
            detail = f"{quantity_units} base units of {found.sku}, at most {limit} are allowed"
            return "absurd_value", detail
        observed_at_ms = self._clocks.corrected_ms(
            device, event.observed_at_ms, event.historical, received_at_ms
        )
        item = ScanInput(
            found.sku,
            route.site,
            device,
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
        out.append((partition_of(found.sku, self._partition_count), item))
        return None

    def status(
        self, event: wire.DeviceStatus, route: Route, received_at_ms: int, out: list[Placed]
    ) -> Refusal | None:
        """Add a status for the device's own partition and for each channel it watches by now.

        A change of the planogram may be loaded long before it is valid.
        """
        device, online = route.device, event.state == "online"
        if event.source != device:
            return _wrong_identity(event.source, device)
        battery_pct = -1 if event.battery_pct is None else event.battery_pct
        own = StatusInput(device, route.site, online, event.boot, battery_pct)
        out.append((partition_of(device, self._partition_count), own))
        for watched in self._catalog.assignments(device, received_at_ms):
            sku, channel = watched.sku, watched.channel
            item = StatusInput(device, route.site, online, event.boot, battery_pct, sku, channel)
            out.append((partition_of(sku, self._partition_count), item))
        return None

    def _article(self, event: wire.Scan) -> "_Found | Refusal":
        if event.sku is not None:
            entry = self._catalog.sku(event.sku)
            if entry is None:
                return "unknown_article", f"the catalogue has no SKU {event.sku}"
            return _Found(event.sku, 1, entry.quantity_units_max)
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
        limit = entry.quantity_units_max if entry else QUANTITY_UNITS_MAX
        weighed = read.weight_g > 0 and entry is not None and entry.base_unit == "g"
        units = read.weight_g if weighed else article.units
        return _Found(article.sku, units * read.count, limit, read.lot, read.expires_at_ms)


class _Found:
    """The article of a scan, and how many of its base units one of what was scanned is."""

    __slots__ = ("expires_at_ms", "lot", "quantity_units_max", "sku", "units")

    def __init__(
        self, sku: str, units: int, quantity_units_max: int, lot: str = "", expires_at_ms: int = 0
    ) -> None:
        self.sku = sku
        self.units = units
        self.quantity_units_max = quantity_units_max
        self.lot = lot
        self.expires_at_ms = expires_at_ms


def _payload(event: wire.Reading) -> tuple[ReadingKind, int]:
    if event.units is not None:
        return "units", event.units
    if event.distance_mm is not None:
        return "distance_mm", event.distance_mm
    if event.beam is not None:
        return "beam", event.beam
    return "tags", len(set(event.tags or ()))


def _tag_digests(tags: list[str]) -> bytes:
    return b"".join(
        sorted(blake2b(tag.encode(), digest_size=TAG_DIGEST_BYTES).digest() for tag in set(tags))
    )


def _wrong_identity(source: str, device: str) -> Refusal:
    return "wrong_identity", f"source {source} differs from the topic's device {device}"
