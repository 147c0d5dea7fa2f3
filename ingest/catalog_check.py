"""What a catalogue must hold to as a whole: names that exist, GTINs, limits that fit. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from ingest.barcodes import gtin14_of
from ingest.catalog_faults import Fault, Place
from ingest.catalog_limits import limit_faults
from ingest.contracts.demand_reference import Promotion
from ingest.contracts.policy_reference import Policy
from ingest.contracts.reference import (
    CHANNELS_MAX,
    CatalogFile,
    ChannelAssignment,
    Device,
    Entity,
    Site,
    Sku,
    entity_key,
    entity_name,
)

ENTITY_SECTIONS: Final = (
    "sites",
    "skus",
    "lanes",
    "suppliers",
    "devices",
    "policies",
    "promotions",
    "channels",
    "rules",
)


def check(catalog: CatalogFile) -> list[Fault]:
    """Return what is wrong between the entities of a catalogue whose fields are valid."""
    return [
        *_repeats(catalog),
        *_sites(catalog),
        *_lanes(catalog),
        *_skus(catalog),
        *_devices(catalog),
        *_named("policies", catalog, catalog.policies),
        *_named("promotions", catalog, catalog.promotions),
        *_rules(catalog),
        *limit_faults(catalog),
    ]


def section_entities(catalog: CatalogFile) -> Iterator[tuple[Place, Entity]]:
    """Yield all entities with their places, the network first."""
    yield ("network",), catalog.network
    for section in ENTITY_SECTIONS:
        entities: Sequence[Entity] = getattr(catalog, section)
        for number, entity in enumerate(entities):
            yield (section, number), entity


def _repeats(catalog: CatalogFile) -> Iterator[Fault]:
    seen: set[str] = set()
    for place, entity in section_entities(catalog):
        key = entity_key(entity)
        if key in seen:
            yield Fault(place, f"{entity_name(key)} is there twice")
        seen.add(key)


def _sites(catalog: CatalogFile) -> Iterator[Fault]:
    sites = {site.site: site for site in catalog.sites}
    for number, site in enumerate(catalog.sites):
        place = ("sites", number, "parent_site")
        if site.parent_site and site.parent_site not in sites:
            yield Fault(place, f"there is no site {site.parent_site}")
        elif _in_circle(site, sites):
            yield Fault(place, f"site {site.site} would replenish from itself")


def _in_circle(site: Site, sites: dict[str, Site]) -> bool:
    above: Site | None = site
    for _ in range(len(sites)):
        above = sites.get(above.parent_site) if above else None
        if above is None:
            return False
        if above.site == site.site:
            return True
    return False


def _lanes(catalog: CatalogFile) -> Iterator[Fault]:
    sites = {site.site for site in catalog.sites}
    for number, lane in enumerate(catalog.lanes):
        for field in ("from_site", "to_site"):
            if getattr(lane, field) not in sites:
                yield Fault(("lanes", number, field), f"there is no site {getattr(lane, field)}")
        if lane.from_site == lane.to_site:
            yield Fault(("lanes", number), f"the lane leads from {lane.from_site} to itself")


def _skus(catalog: CatalogFile) -> Iterator[Fault]:
    suppliers = {supplier.supplier for supplier in catalog.suppliers}
    owners: dict[str, str] = {}
    for number, sku in enumerate(catalog.skus):
        if sku.supplier and sku.supplier not in suppliers:
            yield Fault(("skus", number, "supplier"), f"there is no supplier {sku.supplier}")
        for i, gtin in enumerate(sku.gtins):
            place = ("skus", number, "gtins", i)
            gtin14 = gtin14_of(gtin.gtin)
            if gtin14 is None:
                yield Fault(place, f"the check digit of GTIN {gtin.gtin} is wrong")
                continue
            if gtin14 in owners:
                yield Fault(place, f"GTIN {gtin.gtin} names SKU {owners[gtin14]} already")
            if gtin.units > sku.quantity_units_max:
                yield Fault(place, f"a pack of {gtin.units} is above the SKU's quantity_units_max")
            owners.setdefault(gtin14, sku.sku)


def _devices(catalog: CatalogFile) -> Iterator[Fault]:
    sites = {site.site for site in catalog.sites}
    skus = {sku.sku: sku for sku in catalog.skus}
    for number, device in enumerate(catalog.devices):
        place = ("devices", number)
        if device.site not in sites:
            yield Fault((*place, "site"), f"there is no site {device.site}")
        if len({assigned.channel for assigned in device.channels}) > CHANNELS_MAX:
            yield Fault((*place, "channels"), f"more than {CHANNELS_MAX} channels")
        yield from _assignments(device, skus, (*place, "channels"))


def _assignments(device: Device, skus: dict[str, Sku], channels: Place) -> Iterator[Fault]:
    seen: set[tuple[str, int]] = set()
    for number, assigned in enumerate(device.channels):
        place = (*channels, number)
        version = (assigned.channel, assigned.valid_from_ms)
        if version in seen:
            yield Fault(place, f"channel {assigned.channel} is assigned twice from the same time")
        seen.add(version)
        if not assigned.sku:
            continue
        sku = skus.get(assigned.sku)
        if sku is None:
            yield Fault((*place, "sku"), f"there is no SKU {assigned.sku}")
        else:
            yield from _measurable(device, assigned, sku, place)


def _measurable(
    device: Device, assigned: ChannelAssignment, sku: Sku, place: Place
) -> Iterator[Fault]:
    weighed = assigned.unit_weight_mg or sku.unit_weight_mg or sku.base_unit == "g"
    if device.kind == "scale" and not weighed:
        yield Fault(place, f"a scale needs the unit_weight_mg of SKU {sku.sku} or of the channel")
    if device.kind == "distance" and not (assigned.span_mm and assigned.unit_depth_mm):
        yield Fault(place, "a distance sensor needs span_mm and unit_depth_mm")


def _named(
    section: str, catalog: CatalogFile, entities: Sequence[Policy | Promotion]
) -> Iterator[Fault]:
    known = {
        "site": {site.site for site in catalog.sites},
        "sku": {sku.sku for sku in catalog.skus},
        "category": {sku.category for sku in catalog.skus},
    }
    for number, entity in enumerate(entities):
        for field, names in known.items():
            name = getattr(entity, field)
            if name and name not in names:
                label = "SKU" if field == "sku" else field
                yield Fault((section, number, field), f"there is no {label} {name}")


def _rules(catalog: CatalogFile) -> Iterator[Fault]:
    channels = {channel.channel for channel in catalog.channels}
    sites = {site.site for site in catalog.sites}
    for number, rule in enumerate(catalog.rules):
        for i, channel in enumerate(rule.channels):
            if channel not in channels:
                yield Fault(("rules", number, "channels", i), f"there is no channel {channel}")
        for i, site in enumerate(rule.sites):
            if site not in sites:
                yield Fault(("rules", number, "sites", i), f"there is no site {site}")
