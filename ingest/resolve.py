"""From a decoded event to inputs: who saw it, what it watches, which article it names. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from msgspec import Raw

from ingest import wire
from ingest.barcodes import Barcode, barcode_read, gtin14_of, is_sscc
from ingest.clocks import SourceClocks
from ingest.contracts.events import QUANTITY_UNITS_MAX, DeadLetterReason
from ingest.frames import (
    TAG_DIGEST_BYTES,
    ReadingKind,
    ScanInput,
    StatusInput,
)
from ingest.packing import reading_head, reading_tail
from ingest.partitions import partition_of
from ingest.ports import Assignment, CatalogView

_BETWEEN_SITES: Final = frozenset({"dispatch", "arrive"})

Placed = dict[int, list[Any]]
"""Inputs in pieces (`ingest.packing`), in the order sent, by partition."""
Refusal = tuple[DeadLetterReason, str]
"""Reason and detail."""
Refused = tuple[int, DeadLetterReason, str]
"""Place within the message, reason and detail."""


@dataclass(frozen=True, slots=True)
class Route:
    """What a topic name says, looked up once a version of the catalogue."""

    site: str
    device: str
    leaf: str
    known: bool
    """Whether the catalogue has this device at this site."""
    accepted_topic: str
    watching: "dict[str, _Watched]" = field(default_factory=dict, compare=False)
    """What was looked up of its channels; no more than the catalogue has."""


class _Watched:
    """What a channel watches between two times, and what its readings have in common."""

    __slots__ = ("backroom", "ends", "from_ms", "partition", "sizes", "until_ms")

    def __init__(
        self, route: Route, channel: str, assigned: Assignment, partition: int, until_ms: int
    ) -> None:
        self.partition = partition
        self.from_ms = assigned.valid_from_ms
        self.until_ms = until_ms
        self.sizes = (
            assigned.unit_weight_mg,
            assigned.tare_g,
            assigned.span_mm,
            assigned.unit_depth_mm,
            assigned.settle_ms,
            assigned.report_interval_ms,
        )
        self.backroom = assigned.backroom
        self.ends = (
            reading_head(assigned.sku, route.site, assigned.location, route.device, channel),
            reading_tail(*self.sizes, b"", self.backroom),
        )

    def tail_of(self, tags: list[str]) -> Raw:
        """Return the end of a reading of these tags."""
        return reading_tail(*self.sizes, _tag_digests(tags), self.backroom)


class Resolver:
    """Makes inputs of events, by the catalogue and the sources' clocks."""

    def __init__(self, catalog: CatalogView, clocks: SourceClocks, *, partition_count: int) -> None:
        """Take the views; `partition_count` is the installation's."""
        self._catalog = catalog
        self._clocks = clocks
        self._partition_count = partition_count

    def readings(
        self,
        events: Sequence[wire.AnyReading],
        route: Route,
        received_at_ms: int,
        out: Placed,
    ) -> list[Refused]:
        """Add the inputs of one message's readings to `out`; return those that have none.

        One loop with everything in it: a call an event for each of its steps would cost as much
        again as the steps.
        """
        device, watching, clocks = route.device, route.watching, self._clocks
        latest_ms = clocks.latest_ms(received_at_ms)
        known_before_ms, shift_ms = clocks.known(device, received_at_ms)
        refused: list[Refused] = []
        for place, event in enumerate(events):
            if event.source != device:
                refused.append((place, *_wrong_identity(event.source, device)))
                continue
            observed_at_ms, historical = event.observed_at_ms, event.historical
            if observed_at_ms >= known_before_ms:
                observed_at_ms = clocks.corrected_ms(
                    device, observed_at_ms, historical, received_at_ms
                )
                known_before_ms, shift_ms = clocks.known(device, received_at_ms)
            else:
                if shift_ms:
                    observed_at_ms = max(0, observed_at_ms + shift_ms)
                if observed_at_ms > latest_ms:  # noqa: PLR1730 - min() costs as much as a lookup
                    observed_at_ms = latest_ms
            channel = event.channel
            watched = watching.get(channel)
            if watched is None or not watched.from_ms <= observed_at_ms < watched.until_ms:
                watched = self._watched(route, channel, observed_at_ms)
                if watched is None:
                    refused.append((place, *_watches_nothing(channel, device, observed_at_ms)))
                    continue
            head, tail = watched.ends
            if type(event) is wire.Reading:  # isinstance() would ask the metaclass, for 100 ns
                kind, value, tail = _payload(event, watched)
            else:
                kind, value = event.kind, event.value
            pieces = out.get(watched.partition)
            if pieces is None:
                pieces = out[watched.partition] = []
            boot, seq = event.boot, event.seq
            pieces += (head, boot, seq, observed_at_ms, historical, kind, value, tail)
        return refused

    def scans(
        self, events: Sequence[wire.Scan], route: Route, received_at_ms: int, out: Placed
    ) -> list[Refused]:
        """Add the inputs of one message's scans to `out`; return those that have none."""
        refused: list[Refused] = []
        for place, event in enumerate(events):
            refusal = self._scan(event, route, received_at_ms, out)
            if refusal is not None:
                refused.append((place, *refusal))
        return refused

    def statuses(
        self,
        events: Sequence[wire.DeviceStatus],
        route: Route,
        received_at_ms: int,
        out: Placed,
    ) -> list[Refused]:
        """Add the inputs of one message's statuses to `out`; return those that have none."""
        refused: list[Refused] = []
        for place, event in enumerate(events):
            refusal = self._status(event, route, received_at_ms, out)
            if refusal is not None:
                refused.append((place, *refusal))
        return refused

    def _scan(
        self, event: wire.Scan, route: Route, received_at_ms: int, out: Placed
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
        serial = event.serial or found.serial
        if serial and abs(event.quantity) != 1:
            detail = f"serial number {serial} is of one item, and not of {event.quantity}"
            return "absurd_value", detail
        sscc = event.sscc or found.sscc
        if sscc or event.counterpart_site:
            refusal = self._way_refused(event, sscc)
            if refusal is not None:
                return refusal
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
            event.expires_at_ms or found.expires_at_ms,
            serial,
            sscc,
        )
        # A unit alone names no article: the partition of its code asks what is in it.
        self._place(found.sku or sscc, item, out)
        return None

    def _way_refused(self, event: wire.Scan, sscc: str) -> Refusal | None:
        """Return what speaks against the unit and the other site that a scan names.

        A misspelt site would become a level of its own, one that is out of stock for ever.
        """
        if sscc and not is_sscc(sscc):
            return "bad_barcode", f"{sscc} is no SSCC of 18 digits with a right check digit"
        other_site = event.counterpart_site
        if other_site and event.action in _BETWEEN_SITES:
            sites = self._catalog.sites()
            if sites and other_site not in sites:
                return "unknown_site", f"the catalogue has no site {other_site}"
        return None

    def _status(
        self, event: wire.DeviceStatus, route: Route, received_at_ms: int, out: Placed
    ) -> Refusal | None:
        """Add a status for the device's own partition and for each channel it watches by now.

        A change of the planogram may be loaded long before it is valid.
        """
        device, online = route.device, event.state == "online"
        if event.source != device:
            return _wrong_identity(event.source, device)
        battery_pct = -1 if event.battery_pct is None else event.battery_pct
        own = StatusInput(device, route.site, online, event.boot, battery_pct)
        self._place(device, own, out)
        for watched in self._catalog.assignments(device, received_at_ms):
            sku, channel = watched.sku, watched.channel
            item = StatusInput(device, route.site, online, event.boot, battery_pct, sku, channel)
            self._place(sku, item, out)
        return None

    def _place(self, key: str, item: ScanInput | StatusInput, out: Placed) -> None:
        out.setdefault(partition_of(key, self._partition_count), []).append(item)

    def _watched(self, route: Route, channel: str, at_ms: int) -> _Watched | None:
        """Look up what a channel watched, and keep it on the route for as long as it holds."""
        assigned = self._catalog.assignment(route.device, channel, at_ms)
        if assigned is None:
            return None
        until_ms = self._catalog.assigned_until_ms(route.device, channel, at_ms)
        partition = partition_of(assigned.sku, self._partition_count)
        watched = _Watched(route, channel, assigned, partition, until_ms)
        route.watching[channel] = watched
        return watched

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
        elif event.barcode is not None:
            read = barcode_read(event.barcode)
        else:
            read = Barcode("", sscc=event.sscc)
        if isinstance(read, str):
            return "bad_barcode", read
        if not read.gtin14:
            return _unit(event, read)
        article = self._catalog.article(read.gtin14)
        if article is None:
            return "unknown_article", f"the catalogue has no GTIN {read.gtin14}"
        entry = self._catalog.sku(article.sku)
        limit = entry.quantity_units_max if entry else QUANTITY_UNITS_MAX
        weighed = read.weight_g > 0 and entry is not None and entry.base_unit == "g"
        units = read.weight_g if weighed else article.units
        return _Found(article.sku, units * read.count, limit, read)


class _Found:
    """The article of a scan, and how many of its base units one of what was scanned is."""

    __slots__ = ("expires_at_ms", "lot", "quantity_units_max", "serial", "sku", "sscc", "units")

    def __init__(
        self, sku: str, units: int, quantity_units_max: int, read: Barcode | None = None
    ) -> None:
        self.sku = sku
        self.units = units
        self.quantity_units_max = quantity_units_max
        self.lot = read.lot if read is not None else ""
        self.expires_at_ms = read.expires_at_ms if read is not None else 0
        self.serial = read.serial if read is not None else ""
        self.sscc = read.sscc if read is not None else ""


def _unit(event: wire.Scan, read: Barcode) -> _Found | Refusal:
    """Return a logistic unit in the place of an article: only the arrival of all that is in it."""
    if event.action != "arrive":
        return "bad_barcode", f"SSCC {read.sscc} is of a logistic unit and names no article"
    if event.quantity != 1:
        return "absurd_value", f"SSCC {read.sscc} is of one unit, and not of {event.quantity}"
    return _Found("", 1, 1, read)


def _payload(event: wire.Reading, watched: _Watched) -> tuple[ReadingKind, int, Raw]:
    """Return what was measured, and the end of its reading."""
    tail = watched.ends[1]
    if event.units is not None:
        return "units", event.units, tail
    if event.weight_g is not None:
        return "weight_g", event.weight_g, tail
    if event.distance_mm is not None:
        return "distance_mm", event.distance_mm, tail
    if event.beam is not None:
        return "beam", event.beam, tail
    tags = event.tags or []
    return "tags", len(set(tags)), watched.tail_of(tags)


def _tag_digests(tags: list[str]) -> bytes:
    return b"".join(
        sorted(blake2b(tag.encode(), digest_size=TAG_DIGEST_BYTES).digest() for tag in set(tags))
    )


def _watches_nothing(channel: str, device: str, at_ms: int) -> Refusal:
    return "unknown_channel", f"channel {channel} of {device} watches nothing at {at_ms}"


def _wrong_identity(source: str, device: str) -> Refusal:
    return "wrong_identity", f"source {source} differs from the topic's device {device}"
