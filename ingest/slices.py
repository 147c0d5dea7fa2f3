"""How several bridges share the sites: fixed slices by murmur2(site). Pure.

MQTT can't subscribe by hash. With one slice the bridge subscribes to all sites at once. With more,
slice 0 still hears every site, so that unknown ones are served at all, and the others subscribe to
their own sites by name as the catalogue has them. Slice 0 passes over a site of another slice only
once that slice has *announced*, after the broker's confirmation, that its session holds the site:
from then on the other's persistent session has a copy of its own of every message. Until then slice
0 serves the site itself, so a handover may repeat messages and never loses one. An announcement is
retained, and expires no later than the session whose subscriptions it tells of.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from ingest.contracts.topics import MQTT_ROOT, MQTT_TIME
from ingest.partitions import partition_of

BRIDGE_ROOT: Final = f"{MQTT_ROOT}/_bridge"
LEAVES: Final = ("readings", "scans", "status")
SLICES_MAX: Final = 64
SITES_CACHED_MAX: Final = 100_000

_SITES: Final = msgspec.json.Decoder(list[str])


def client_id(index: int, count: int) -> str:
    """Return the MQTT client id of a slice."""
    return f"bridge-{index}-of-{count}"


class SliceRouter:
    """What one slice listens to, and whose messages it passes over."""

    def __init__(self, index: int, count: int, *, driven: bool) -> None:
        """Take which slice of how many, and whether time is driven."""
        self.index = index
        self.count = count
        self._driven = driven
        self._announced: dict[int, frozenset[str]] = {}
        self._foreign: dict[str, bool] = {}

    @property
    def sites_topic(self) -> str:
        """The topic on which this slice announces its sites."""
        return f"{BRIDGE_ROOT}/{client_id(self.index, self.count)}/sites"

    def filters(self, sites: Iterable[str]) -> frozenset[str]:
        """Return the topic filters of this slice, given the sites the catalogue knows."""
        wanted = {MQTT_TIME} if self._driven else set()
        if self.index == 0:
            wanted.update(f"{MQTT_ROOT}/+/+/{leaf}" for leaf in LEAVES)
            if self.count > 1:
                wanted.add(f"{BRIDGE_ROOT}/+/sites")
        else:
            for site in self.own(sites):
                wanted.update(f"{MQTT_ROOT}/{site}/+/{leaf}" for leaf in LEAVES)
        return frozenset(wanted)

    def own(self, sites: Iterable[str]) -> list[str]:
        """Return the sites of this slice, sorted."""
        return sorted(site for site in sites if partition_of(site, self.count) == self.index)

    def announcement(self, sites: Iterable[str], subscribed: frozenset[str]) -> bytes | None:
        """Return what to announce: own sites whose every filter the broker confirmed.

        None where there is nobody to tell: one slice only, or slice 0 itself.
        """
        if self.index == 0:
            return None
        held = [
            site
            for site in self.own(sites)
            if all(f"{MQTT_ROOT}/{site}/+/{leaf}" in subscribed for leaf in LEAVES)
        ]
        return msgspec.json.encode(held)

    def is_announcement(self, topic: str) -> bool:
        """Tell whether a topic is another slice's announcement."""
        return self.count > 1 and topic.startswith(f"{BRIDGE_ROOT}/") and topic.endswith("/sites")

    def announced(self, topic: str, payload: bytes) -> bool:
        """Take another slice's announcement; False where it can't be read and changes nothing."""
        for index in range(1, self.count):
            if topic == f"{BRIDGE_ROOT}/{client_id(index, self.count)}/sites":
                try:
                    sites = frozenset(_SITES.decode(payload)) if payload else frozenset[str]()
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                    return False
                self._announced[index] = sites
                self._foreign.clear()
                return True
        return False

    def foreign(self, site: str) -> bool:
        """Tell whether another slice's session surely has this site's messages too."""
        if self.count == 1 or self.index != 0:
            return False
        known = self._foreign.get(site)
        if known is None:
            owner = partition_of(site, self.count)
            known = site in self._announced.get(owner, frozenset())
            if len(self._foreign) > SITES_CACHED_MAX:
                self._foreign.clear()
            self._foreign[site] = known
        return known
