"""From what a device sent to what the stock fold reads. Pure.

A message gives inputs, each with its partition, and refusals, each with its raw bytes; never both
for one event and never neither. Order of the checks: topic, size, device, shape, identity, then
the event's own names and quantities (`ingest.resolve`).
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from ingest import wire
from ingest.clocks import SourceClocks
from ingest.contracts.events import BATCH_EVENTS_MAX, PAYLOAD_BYTES_MAX, DeadLetterReason
from ingest.contracts.topics import MQTT_ROOT, mqtt_topic
from ingest.packing import READING_PIECES
from ingest.ports import CatalogView
from ingest.resolve import Placed, Refused, Resolver, Route

ROUTES_CACHED_MAX: Final = 100_000
_LEAVES: Final = frozenset({"readings", "scans", "status"})
_TOPIC_LEVELS: Final = 5

Range = tuple[str, int, int]
"""Boot, first and last sequence number, both included."""
_Kind = tuple[Callable[[bytes], Any], Callable[[Any, Route, int, Placed], list[Refused]], int]
"""Decoder and resolver of one leaf, which agree on the event's type, and the pieces of an input."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event, or a whole payload, that could not be accepted."""

    reason: DeadLetterReason
    detail: str
    raw: bytes


class Normalised(msgspec.Struct, eq=False, gc=False):
    """What became of one message."""

    route: Route | None
    placed: Placed = {}
    """Its inputs."""
    item_pieces: int = 1
    """How many pieces each of them is."""
    rejected: list[Rejected] = []
    ranges: list[Range] = []
    """Numbers of all its events, refused ones too as far as they could be read."""


class Normaliser:
    """Turns messages into inputs, by the catalogue and the sources' clocks."""

    def __init__(self, catalog: CatalogView, clocks: SourceClocks, *, partition_count: int) -> None:
        """Take the views; `partition_count` is the installation's."""
        self._catalog = catalog
        resolver = Resolver(catalog, clocks, partition_count=partition_count)
        self._routes: dict[str, Route] = {}
        self._routes_version = -1
        self._kinds: dict[str, _Kind] = {
            "readings": (wire.READINGS.decode, resolver.readings, READING_PIECES),
            "scans": (wire.SCANS.decode, resolver.scans, 1),
            "status": (wire.STATUSES.decode, resolver.statuses, 1),
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
            return _refused_whole(route, topic, payload)
        decode, resolve, item_pieces = self._kinds[route.leaf]
        try:
            decoded = decode(payload)
        except wire.REFUSALS:
            return self._one_by_one(route, payload, received_at_ms)
        if type(decoded) is not list:
            placed: Placed = {}
            refused = resolve((decoded,), route, received_at_ms, placed)
            rejected = [Rejected(one[1], one[2], payload) for one in refused] if refused else []
            if route.leaf == "status":
                return Normalised(route, placed, item_pieces, rejected, [])
            numbers = (decoded.boot, decoded.seq, decoded.seq)
            return Normalised(route, placed, item_pieces, rejected, [numbers])
        if 0 < len(decoded) <= BATCH_EVENTS_MAX:
            out = Normalised(route, {}, item_pieces)
            self._take(out, route, decoded, payload, received_at_ms)
            return out
        refusal = _batch_refusal(len(decoded), payload)
        return Normalised(route, {}, item_pieces, [refusal], _numbers(payload))

    def route(self, topic: str) -> Route | None:
        """Return what a topic name says; None where it is not one of ours."""
        if self._routes_version == self._catalog.version:
            route = self._routes.get(topic)
            if route is not None:
                return route
        else:
            self._routes.clear()
            self._routes_version = self._catalog.version
        if len(self._routes) >= ROUTES_CACHED_MAX:
            self._routes.clear()
        route = self._route_of(topic)
        if route is not None:
            self._routes[topic] = route
        return route

    def _route_of(self, topic: str) -> Route | None:
        levels = topic.split("/")
        if len(levels) != _TOPIC_LEVELS or f"{levels[0]}/{levels[1]}" != MQTT_ROOT:
            return None
        _, _, site, device, leaf = levels
        if leaf not in _LEAVES or not (wire.is_identifier(site) and wire.is_identifier(device)):
            return None  # an endless name would not fit the receipt's topic either
        known = self._catalog.device(site, device) is not None
        return Route(site, device, leaf, known, mqtt_topic(site, device, "accepted"))

    def _take(
        self, out: Normalised, route: Route, events: list[Any], payload: bytes, received_at_ms: int
    ) -> None:
        _, resolve, _ = self._kinds[route.leaf]
        refused = resolve(events, route, received_at_ms, out.placed)
        if refused:
            raws = wire.CUTS.decode(payload)
            out.rejected += [Rejected(one[1], one[2], bytes(raws[one[0]])) for one in refused]
        if route.leaf != "status":
            out.ranges += _ranges(events)

    def _one_by_one(self, route: Route, payload: bytes, received_at_ms: int) -> Normalised:
        """Take what can be taken of a payload that was refused as a whole."""
        try:
            raws = [bytes(raw) for raw in wire.CUTS.decode(payload)]
        except wire.REFUSALS:
            raws = [payload]
        else:
            if len(raws) > BATCH_EVENTS_MAX:
                refusal = _batch_refusal(len(raws), payload)
                return Normalised(route, {}, 1, [refusal], _numbers(payload))
        decode, _, item_pieces = self._kinds[route.leaf]
        out = Normalised(route, {}, item_pieces)
        for raw in raws:
            try:
                event = decode(raw)
                if isinstance(event, list):
                    raise msgspec.ValidationError("an array within an array")
            except wire.REFUSALS as error:
                reason, detail = wire.explain(route.leaf, raw, error)
                out.rejected.append(Rejected(reason, detail, raw))
                out.ranges.extend(_numbers(raw))
            else:
                self._take(out, route, [event], b"[" + raw + b"]", received_at_ms)
        return out


def _refused_whole(route: Route | None, topic: str, payload: bytes) -> Normalised:
    out = Normalised(route)
    if route is None:
        out.rejected.append(
            Rejected("unknown_topic", f"{topic[:200]} is no topic of ours", payload)
        )
    elif len(payload) > PAYLOAD_BYTES_MAX:
        detail = f"{len(payload)} bytes, at most {PAYLOAD_BYTES_MAX} are allowed"
        out.rejected.append(Rejected("oversize", detail, payload))
    else:
        detail = f"the catalogue has no device {route.device} at site {route.site}"
        out.rejected.append(Rejected("unknown_device", detail, payload))
        out.ranges = _numbers(payload)
    return out


def _batch_refusal(count: int, payload: bytes) -> Rejected:
    if count == 0:
        return Rejected("bad_schema", "an empty batch", payload)
    detail = f"a batch of {count} events, at most {BATCH_EVENTS_MAX} are allowed"
    return Rejected("oversize", detail, payload)


def _ranges(events: list[Any]) -> list[Range]:
    ranges: list[Range] = []
    boot, first, last = "", 0, -2
    for event in events:
        seq = event.seq
        if seq == last + 1 and event.boot == boot:
            last = seq
            continue
        if last >= 0:
            ranges.append((boot, first, last))
        boot, first, last = event.boot, seq, seq
    if last >= 0:
        ranges.append((boot, first, last))
    return ranges


def _numbers(raw: bytes) -> list[Range]:
    """Read the numbers of refused events, so that their sender stops resending them."""
    parts: list[msgspec.Raw] | list[bytes]
    try:
        parts = wire.CUTS.decode(raw)
    except wire.REFUSALS:
        parts = [raw]
    ranges: list[Range] = []
    for part in parts:
        with contextlib.suppress(*wire.REFUSALS):  # one without a number hides no other's
            event = wire.NUMBERED.decode(part)
            ranges.append((event.boot, event.seq, event.seq))
    return ranges
