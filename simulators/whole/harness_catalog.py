"""The small network of the simulation: its catalogue, and the inputs that load it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

from msgspec.structs import replace

from ingest.contracts.demand import PromotionRecord
from ingest.contracts.planogram import NEVER_ENDS_MS
from ingest.contracts.policies import PolicyRecord
from ingest.contracts.supply import LaneRecord
from ingest.frames import (
    InputItem,
    InstallationInput,
    NetworkRecord,
    OpeningInput,
    ReferenceEntity,
    ReferenceInput,
    SiteRecord,
    SkuRecord,
)
from ingest.partitions import partition_of
from simulators.whole.harness_options import Options
from simulators.whole.harness_system import EPOCH_MS

LOAD_VERSION: Final = 1
UNIT_WEIGHT_MG: Final = 100_000
QUANTITY_UNITS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class SimulatedEntry:
    """Stands for a device and for an article of the catalogue."""

    quantity_units_max: int = QUANTITY_UNITS_MAX
    base_unit: str = "piece"


@dataclass(frozen=True, slots=True)
class SimulatedAssignment:
    """What a shelf's channel watches."""

    sku: str
    channel: str = ""
    location: str = "shelf"
    unit_weight_mg: int = UNIT_WEIGHT_MG
    tare_g: int = 0
    span_mm: int = 0
    unit_depth_mm: int = 0
    settle_ms: int = 0
    report_interval_ms: int = 0
    valid_from_ms: int = 0
    backroom: bool = False


@dataclass(frozen=True, slots=True)
class SimulatedInstallation:
    """The installation's record."""

    partition_count: int
    time: Literal["wall", "driven"]


@dataclass(frozen=True, slots=True)
class SimulatedArticle:
    """What a GTIN names; the simulation's gateways name SKUs."""

    sku: str
    units: int = 1


class SimulatedCatalog:
    """`CatalogView` of the simulated network, complete from the start."""

    def __init__(self, options: Options) -> None:
        """Lay out the network of a seed."""
        self.version = LOAD_VERSION
        self.installation: SimulatedInstallation | None = SimulatedInstallation(
            options.partition_count, options.time
        )
        self.site_names = [f"s{number}" for number in range(options.site_count)]
        self.skus = [f"sku-{number}" for number in range(options.sku_count)]

    def sites(self) -> Collection[str]:
        """Return the sites."""
        return self.site_names

    def apply(self, key: str, value: bytes | None) -> None:
        """Ignore what the catalog topic says; the simulation writes nothing there."""

    def device(self, site: str, device: str) -> SimulatedEntry | None:
        """Return a device: each site has a scanner and a shelf."""
        known = site in self.site_names and device in {scanner_of(site), shelf_of(site)}
        return SimulatedEntry() if known else None

    def assignment(self, device: str, channel: str, at_ms: int) -> SimulatedAssignment | None:
        """Return what a channel watches; it is named as its SKU."""
        del device, at_ms
        return SimulatedAssignment(channel, channel) if channel in self.skus else None

    def assigned_until_ms(self, device: str, channel: str, at_ms: int) -> int:
        """Return a time after every run: nothing changes."""
        del device, channel, at_ms
        return NEVER_ENDS_MS

    def assignments(self, device: str, at_ms: int) -> Sequence[SimulatedAssignment]:
        """Return what the channels of a device watch, at any time."""
        del at_ms
        watching = any(device == shelf_of(site) for site in self.site_names)
        return [SimulatedAssignment(sku, sku) for sku in self.skus] if watching else []

    def article(self, gtin14: str) -> SimulatedArticle | None:
        """Return nothing: there are no GTINs here."""
        del gtin14
        return None

    def sku(self, sku: str) -> SimulatedEntry | None:
        """Return an article."""
        return SimulatedEntry() if sku in self.skus else None


def scanner_of(site: str) -> str:
    """Return the source of a site's scanner."""
    return f"scan-{site}"


def shelf_of(site: str) -> str:
    """Return the source of a site's shelf."""
    return f"shelf-{site}"


def opening_of(catalog: SimulatedCatalog, rng: Random) -> dict[tuple[str, str], int]:
    """Return opening stock in units by (SKU, site): plenty here, little there."""
    return {
        (sku, site): rng.choice([0, 5, 20, 60, 100])
        for sku in catalog.skus
        for site in catalog.site_names
    }


def first_items(
    catalog: SimulatedCatalog, options: Options, opening: dict[tuple[str, str], int], rng: Random
) -> dict[int, list[InputItem]]:
    """Return the first inputs by partition: installation, reference data, opening stock."""
    entities = _entities(catalog, rng)
    items: dict[int, list[InputItem]] = {}
    for partition in range(options.partition_count):
        items[partition] = [
            InstallationInput("simulation", options.partition_count, options.time),
            *(ReferenceInput(LOAD_VERSION, entity) for entity in entities),
        ]
    for (sku, site), units in opening.items():
        items[partition_of(sku, options.partition_count)].append(
            OpeningInput("import-1", sku, site, units, unit_cost_minor=100)
        )
    return items


def _entities(catalog: SimulatedCatalog, rng: Random) -> list[ReferenceEntity]:
    sites = catalog.site_names
    lanes = [
        LaneRecord(a, b, lead_time_ms=1_000, consolidation_ms=rng.choice([0, 500]))
        for a in sites
        for b in sites
        if a != b
    ]
    minimum = rng.choice([8, 20])
    policy = PolicyRecord(
        scope="network",
        min_units=minimum,
        max_units=minimum * rng.choice([2, 5]),
        multiple_units=rng.choice([1, 3]),
        hysteresis_units=2,
        dwell_ms=rng.choice([0, 300]),
        autonomy="auto",
        hold_back_units=5,
        lead_witness="book",
        negative_stock="allow",
        blind_after_ms=5_000,
        proposal_ttl_ms=rng.choice([1_500, 60_000]),
        transit_overdue_ms=rng.choice([2_000, 60_000]),
        buffer_units=0,
        flap_opens_max=rng.choice([0, 1, 3]),
        flap_window_ms=2_000,
    )
    return [
        NetworkRecord("simulation"),
        *(SiteRecord(site, parent_site="" if site == sites[0] else sites[0]) for site in sites),
        *lanes,
        *(
            SkuRecord(sku, unit_weight_mg=UNIT_WEIGHT_MG, unit_cost_minor=100)
            for sku in catalog.skus
        ),
        *_ahead_of_a_promotion(policy, sites, rng),
    ]


def _ahead_of_a_promotion(
    policy: PolicyRecord, sites: list[str], rng: Random
) -> list[ReferenceEntity]:
    """Return the policy and a promotion within the run, which half of the seeds foresee."""
    begins_ms = EPOCH_MS + rng.choice([2_500, 5_000])
    sale = PromotionRecord(
        "sale",
        begins_ms,
        begins_ms + rng.choice([1_000, 4_000]),
        uplift_permille=1_500,
        site=rng.choice(["", *sites]),
        planned_units=rng.choice([40, 90]),
    )
    return [replace(policy, promotion_lead_ms=rng.choice([0, 2_000])), sale]
