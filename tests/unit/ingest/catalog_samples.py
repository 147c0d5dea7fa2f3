"""Small catalogues for tests."""

from ingest.catalog import Catalog
from ingest.catalog_check import section_entities
from ingest.catalog_file import catalog_source
from ingest.contracts.reference import CatalogFile, Entity, entity_key

NETWORK = """\
sites:
  - {site: W, kind: warehouse}
  - {site: S1, parent_site: W}
  - {site: S2, parent_site: W}
lanes:
  - {from_site: W, to_site: S1, lead_time_hours: 4}
skus:
  - sku: "0042"
    category: tools
    unit_weight_mg: 250000
    pack_units: 12
    gtins: [{gtin: 4006381333931}, {gtin: 14006381333938, units: 12}]
  - {sku: NAIL, category: tools, unit_weight_mg: 2000}
devices:
  - device: scale-1
    site: S1
    kind: scale
    channels: [{channel: a, location: A1, sku: "0042", tare_g: 100}]
policies:
  - {scope: network, min_units: 4, max_units: 40}
channels:
  - {channel: duty, url_variable: DUTY_URL}
rules:
  - {rule: all, channels: [duty]}
"""


def catalog_of(text: str = NETWORK) -> CatalogFile:
    """Return the catalogue in a YAML text."""
    return catalog_source([("catalog.yaml", text)]).catalog


def entities_of(catalog: CatalogFile) -> dict[str, Entity]:
    """Return the entities of a catalogue by key."""
    return {entity_key(entity): entity for _, entity in section_entities(catalog)}


def loaded(catalog: CatalogFile) -> Catalog:
    """Return a catalogue that took every entity as a record."""
    found = Catalog()
    for key, entity in entities_of(catalog).items():
        found.apply(key, entity.model_dump_json().encode())
    return found
