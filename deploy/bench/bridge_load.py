"""What the bridge's benchmark publishes, and the count of what came out at the other end. Pure.

Devices take turns. Message `m` is of device `m % DEVICES`; its events have the device's next
sequence numbers. So (device, number) names an event, and a recount finds each lost and doubled one.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from deploy.bench.publisher import publish_packet
from ingest.contracts.reference import CatalogFile, ChannelAssignment, Device, Network, Site, Sku
from ingest.contracts.topics import mqtt_topic
from ingest.frames import INPUT_FRAMES, ReadingInput

SITES: Final = 20
DEVICES: Final = 100
CHANNELS: Final = 20
"""Of each device."""
SKUS: Final = 200
UNITS: Final = 97
_PACKET_IDS: Final = 65_535
# A peer's record may hold the payload within a string: then its quotes are escaped.
_EVENT: Final = re.compile(
    rb'"source\\?":\\?"counter-(\d+)\\?",\\?"boot\\?":\\?"([^"\\]+)\\?",\\?"seq\\?":(\d+)'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeLoad:
    """An open-loop load: so many messages, evenly, of so many events each."""

    boot: str
    """Names the load in every event."""
    messages: int
    rate_per_s: int
    batch_events: int
    """Events of one message; a message of one event is no array."""

    @property
    def events(self) -> int:
        """How many events it has."""
        return self.messages * self.batch_events


def site_of(device: int) -> str:
    """Return the site of a device."""
    return f"site-{device % SITES}"


def name_of(device: int) -> str:
    """Return the name of a device."""
    return f"counter-{device}"


def packets(load: BridgeLoad, begun_ms: int) -> Iterator[bytes]:
    """Yield the PUBLISH packets of a load; an event was observed when its message is due."""
    topics = [mqtt_topic(site_of(one), name_of(one), "readings").encode() for one in range(DEVICES)]
    for number in range(load.messages):
        turn, device = divmod(number, DEVICES)
        observed_at_ms = begun_ms + number * 1_000 // load.rate_per_s
        first = turn * load.batch_events
        events = [
            f'{{"source":"{name_of(device)}","boot":"{load.boot}","seq":{seq},'
            f'"observed_at_ms":{observed_at_ms},"channel":"shelf-{seq % CHANNELS}",'
            f'"units":{seq % UNITS}}}'
            for seq in range(first, first + load.batch_events)
        ]
        text = events[0] if load.batch_events == 1 else f"[{','.join(events)}]"
        yield publish_packet(topics[device], text.encode(), number % _PACKET_IDS + 1)


def catalogue() -> CatalogFile:
    """Return the sites, articles and devices that the load speaks of."""
    return CatalogFile(
        network=Network(name="Bridge"),
        sites=tuple(Site(site=f"site-{number}") for number in range(SITES)),
        skus=tuple(Sku(sku=f"sku-{number}") for number in range(SKUS)),
        devices=tuple(
            Device(
                device=name_of(device),
                site=site_of(device),
                kind="counter",
                channels=tuple(
                    ChannelAssignment(
                        channel=f"shelf-{channel}",
                        sku=f"sku-{(device * CHANNELS + channel) % SKUS}",
                        location=f"shelf {channel}",
                    )
                    for channel in range(CHANNELS)
                ),
            )
            for device in range(DEVICES)
        ),
    )


class Recount:
    """How often each event of a load is in Kafka."""

    def __init__(self, load: BridgeLoad) -> None:
        """Begin with none of them."""
        self._boot = load.boot
        self._events = load.events
        self._seen: set[tuple[int, int]] = set()
        self.doubled = 0
        """How many more records of events there are than events."""

    @property
    def lost(self) -> int:
        """How many events are in no record."""
        return self._events - len(self._seen)

    def add(self, found: Iterable[tuple[int, str, int]]) -> None:
        """Count events by device, boot and sequence number; those of another boot are left out."""
        for device, boot, seq in found:
            if boot != self._boot:
                continue
            before = len(self._seen)
            self._seen.add((device, seq))
            self.doubled += len(self._seen) == before


def events_in_frame(value: bytes) -> Iterator[tuple[int, str, int]]:
    """Yield device, boot and number of the readings in one of our frames."""
    for item in INPUT_FRAMES.decode(value).items:
        if isinstance(item, ReadingInput):
            yield int(item.source.rpartition("-")[2]), item.boot, item.seq


def events_in_text(value: bytes) -> Iterator[tuple[int, str, int]]:
    """Yield device, boot and number of the events in a peer's record of whole payloads."""
    for found in _EVENT.finditer(value):
        yield int(found[1]), found[2].decode(), int(found[3])
