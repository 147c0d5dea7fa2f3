"""The catalogue in memory, kept up to date record by record from `shelfstream.catalog`. Pure.

Look-ups are made once an event, so each is one or two dictionary hits; what a channel watches at a
time is found by bisection over its few versions.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final, cast

from pydantic import ValidationError

from ingest.barcodes import gtin14_of
from ingest.contracts.errors import CatalogError
from ingest.contracts.events import QUANTITY_UNITS_MAX
from ingest.contracts.planogram import NEVER_ENDS_MS
from ingest.contracts.reference import (
    ENTITY_MODELS,
    INSTALLATION_KEY,
    KEY_SEPARATOR,
    VERSION_KEY,
    CatalogVersion,
    ChannelAssignment,
    Device,
    Entity,
    Installation,
    Site,
    Sku,
    entity_kind,
)

GRAM_MG: Final = 1_000


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """A device as the catalogue has it."""

    device: str
    site: str
    kind: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a channel watches from `valid_from_ms` on."""

    channel: str
    location: str
    sku: str
    unit_weight_mg: int
    """Weight of one base unit in milligrams: the channel's own, or its SKU's; 0 where unknown."""
    tare_g: int
    span_mm: int
    unit_depth_mm: int
    settle_ms: int
    report_interval_ms: int
    """The device's."""
    valid_from_ms: int
    backroom: bool


@dataclass(frozen=True, slots=True)
class Article:
    """What a GTIN names."""

    sku: str
    units: int
    """Base units a pack."""


@dataclass(frozen=True, slots=True)
class SkuEntry:
    """An article as the catalogue has it."""

    sku: str
    quantity_units_max: int = QUANTITY_UNITS_MAX
    base_unit: str = "piece"
    unit_weight_mg: int = 0


@dataclass(slots=True)
class _Versions:
    starts_ms: list[int] = field(default_factory=list)
    assignments: list[Assignment | None] = field(default_factory=list)


class Catalog:
    """Reference data by name, as of the newest record applied."""

    def __init__(self) -> None:
        """Begin empty, at version 0."""
        self.version = 0
        self.installation: Installation | None = None
        self.entities: dict[str, Entity] = {}
        """All entities by record key, installation and version apart."""
        self._devices: dict[str, DeviceEntry] = {}
        self._versions: dict[tuple[str, str], _Versions] = {}
        self._channels: dict[str, tuple[str, ...]] = {}
        self._watchers: dict[str, set[str]] = {}
        self._articles: dict[str, Article] = {}
        self._skus: dict[str, SkuEntry] = {}
        self._sites: frozenset[str] | None = None

    def apply(self, key: str, value: bytes | None) -> None:
        """Apply one record; None removes its entity. Kinds of a newer version are ignored.

        Raises:
            CatalogError: The value is no entity of the key's kind.
        """
        kind = entity_kind(key)
        model = ENTITY_MODELS.get(kind)
        if model is None:
            return
        entity = None if value is None else entity_read(key, value)
        if kind == VERSION_KEY:
            self.version = entity.version if isinstance(entity, CatalogVersion) else 0
        elif kind == INSTALLATION_KEY:
            self.installation = entity if isinstance(entity, Installation) else None
        else:
            self._replace(key, kind, entity)

    def device(self, site: str, device: str) -> DeviceEntry | None:
        """Return a device; None when it is unknown or stands at another site."""
        entry = self._devices.get(device)
        return entry if entry is not None and entry.site == site else None

    def assignment(self, device: str, channel: str, at_ms: int) -> Assignment | None:
        """Return what a channel watched at a time, UTC milliseconds."""
        versions = self._versions.get((device, channel))
        if versions is None:
            return None
        place = bisect_right(versions.starts_ms, at_ms) - 1
        return versions.assignments[place] if place >= 0 else None

    def assigned_until_ms(self, device: str, channel: str, at_ms: int) -> int:
        """Return when the next version of a channel after `at_ms` begins, UTC milliseconds."""
        versions = self._versions.get((device, channel))
        starts_ms = versions.starts_ms if versions is not None else []
        place = bisect_right(starts_ms, at_ms)
        return starts_ms[place] if place < len(starts_ms) else NEVER_ENDS_MS

    def assignments(self, device: str, at_ms: int) -> list[Assignment]:
        """Return what each channel of a device watched at a time, UTC milliseconds, by channel."""
        watched = (self.assignment(device, one, at_ms) for one in self._channels.get(device, ()))
        return [assigned for assigned in watched if assigned is not None]

    def article(self, gtin14: str) -> Article | None:
        """Return what a GTIN of 14 digits names."""
        return self._articles.get(gtin14)

    def sku(self, sku: str) -> SkuEntry | None:
        """Return an article by its SKU."""
        return self._skus.get(sku)

    def sites(self) -> frozenset[str]:
        """Return the ids of all sites."""
        if self._sites is None:
            self._sites = frozenset(
                entity.site for entity in self.entities.values() if isinstance(entity, Site)
            )
        return self._sites

    def _replace(self, key: str, kind: str, entity: Entity | None) -> None:
        before = self.entities.pop(key, None)
        if entity is not None:
            self.entities[key] = entity
        if kind == "site":
            self._sites = None
        elif kind == "sku":
            self._sku_replace(cast("Sku | None", before), cast("Sku | None", entity))
        elif kind == "device":
            self._device_replace(cast("Device | None", before), cast("Device | None", entity))

    def _sku_replace(self, before: Sku | None, entity: Sku | None) -> None:
        for gtin in before.gtins if before else ():
            gtin14 = gtin14_of(gtin.gtin) or gtin.gtin
            if before and self._articles.get(gtin14, Article("", 0)).sku == before.sku:
                del self._articles[gtin14]
        if before is not None and entity is None:
            del self._skus[before.sku]
        if entity is None:
            return
        for gtin in entity.gtins:
            gtin14 = gtin14_of(gtin.gtin) or gtin.gtin
            self._articles[gtin14] = Article(entity.sku, gtin.units)
        unit_weight_mg = entity.unit_weight_mg or (GRAM_MG if entity.base_unit == "g" else 0)
        self._skus[entity.sku] = SkuEntry(
            entity.sku, entity.quantity_units_max, entity.base_unit, unit_weight_mg
        )
        if before != entity:
            for device in sorted(self._watchers.get(entity.sku, ())):
                self._resolve(cast("Device", self.entities[f"device{KEY_SEPARATOR}{device}"]))

    def _device_replace(self, before: Device | None, entity: Device | None) -> None:
        if before is not None:
            for channel in self._channels.pop(before.device, ()):
                del self._versions[before.device, channel]
            for assigned in before.channels:
                self._watchers.get(assigned.sku, set()).discard(before.device)
            del self._devices[before.device]
        if entity is None:
            return
        self._devices[entity.device] = DeviceEntry(entity.device, entity.site, entity.kind)
        for assigned in entity.channels:
            self._watchers.setdefault(assigned.sku, set()).add(entity.device)
        self._resolve(entity)

    def _resolve(self, device: Device) -> None:
        by_channel: dict[str, _Versions] = {}
        for assigned in sorted(device.channels, key=lambda a: (a.channel, a.valid_from_ms)):
            versions = by_channel.setdefault(assigned.channel, _Versions())
            versions.starts_ms.append(assigned.valid_from_ms)
            versions.assignments.append(self._assignment(device, assigned))
        self._channels[device.device] = tuple(by_channel)
        for channel, versions in by_channel.items():
            self._versions[device.device, channel] = versions

    def _assignment(self, device: Device, assigned: ChannelAssignment) -> Assignment | None:
        if not assigned.sku:
            return None
        entry = self._skus.get(assigned.sku)
        unit_weight_mg = assigned.unit_weight_mg or (entry.unit_weight_mg if entry else 0)
        return Assignment(
            channel=assigned.channel,
            location=assigned.location,
            sku=assigned.sku,
            unit_weight_mg=unit_weight_mg,
            tare_g=assigned.tare_g,
            span_mm=assigned.span_mm,
            unit_depth_mm=assigned.unit_depth_mm,
            settle_ms=assigned.settle_ms,
            report_interval_ms=device.report_interval_ms,
            valid_from_ms=assigned.valid_from_ms,
            backroom=assigned.area == "backroom",
        )


def entity_read(key: str, value: bytes) -> Entity:
    """Return the entity in a record of the catalog topic.

    Fields of a newer version are ignored.

    Raises:
        CatalogError: The value is no entity of the key's kind.
    """
    try:
        entity = ENTITY_MODELS[entity_kind(key)].model_validate_json(value, extra="ignore")
    except (ValidationError, KeyError) as error:
        raise CatalogError(f"the catalog record {key!r} can't be read: {error}") from error
    return cast("Entity", entity)
