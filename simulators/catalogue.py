"""The catalogues of a simulated network and of a replayed order log, as catalogue files. Pure."""

from collections.abc import Iterable
from typing import Final

from ingest.contracts.alert_reference import AlertRule, NotificationChannel
from ingest.contracts.durations import MINUTE_MS
from ingest.contracts.policy_reference import Policy
from ingest.contracts.reference import (
    CatalogFile,
    ChannelAssignment,
    Device,
    Gtin,
    Network,
    Site,
    Sku,
)
from ingest.contracts.supply_reference import Lane
from simulators.network import TARE_G, Article, scanner_of, shelf_of
from simulators.network import Network as SimulatedNetwork

MIN_UNITS: Final = 6
MAX_UNITS: Final = 24
HYSTERESIS_UNITS: Final = 2
LARGE_MAX_UNITS: Final = 200
WAREHOUSE_MAX_UNITS: Final = 600
"""Above its opening stock; it orders up to that once it owes the shops more than it has."""
LANE_COST_MINOR: Final = 250
CHANNEL_URL_VARIABLE: Final = "ALERT_URL"
"""Where a sender would find the address; the simulated channel is switched off."""


def network_catalogue(network: SimulatedNetwork) -> CatalogFile:
    """Return the catalogue of a simulated network: transfers are decided and carried out alone."""
    return CatalogFile(
        network=Network(name="Simulated"),
        sites=tuple(_sites(network)),
        lanes=tuple(
            Lane(
                from_site=from_site,
                to_site=to_site,
                lead_time_ms=lead_time_ms,
                cost_minor=LANE_COST_MINOR,
                consolidation_ms=MINUTE_MS,
            )
            for (from_site, to_site), lead_time_ms in network.lanes.items()
        ),
        skus=tuple(_sku(article) for article in network.articles),
        devices=tuple(_devices(network)),
        policies=tuple(_policies(network)),
        channels=(
            NotificationChannel(channel="floor", url_variable=CHANNEL_URL_VARIABLE, enabled=False),
        ),
        rules=(AlertRule(rule="everything-to-the-floor", channels=("floor",)),),
    )


def _sites(network: SimulatedNetwork) -> Iterable[Site]:
    if network.warehouse:
        yield Site(site=network.warehouse, name="Warehouse", kind="warehouse")
    for site in network.shops:
        kind = "Large shop" if site in network.donors else "Shop"
        name = f"{kind} {site.rpartition('-')[2]}"
        yield Site(site=site, name=name, parent_site=network.warehouse)


def _sku(article: Article) -> Sku:
    return Sku(
        sku=article.sku,
        name=article.name,
        category=article.category,
        gtins=(Gtin(gtin=article.gtin),),
        unit_cost_minor=article.unit_cost_minor,
        unit_weight_mg=article.unit_weight_mg,
    )


def _devices(network: SimulatedNetwork) -> Iterable[Device]:
    for site in network.sites:
        yield Device(device=scanner_of(site), site=site, kind="gateway")
        channels = tuple(
            ChannelAssignment(
                channel=one.channel,
                sku=one.sku,
                location="shelf",
                unit_weight_mg=one.unit_weight_mg,
                tare_g=TARE_G,
            )
            for one in network.channels
            if one.site == site
        )
        if channels:
            yield Device(device=shelf_of(site), site=site, kind="scale", channels=channels)


def _policies(network: SimulatedNetwork) -> Iterable[Policy]:
    yield Policy(
        scope="network",
        min_units=MIN_UNITS,
        max_units=MAX_UNITS,
        hysteresis_units=HYSTERESIS_UNITS,
        dwell_ms=MINUTE_MS,
        autonomy="auto",
        lead_witness="book",
        negative_stock="flag",
    )
    for site in network.donors:
        yield Policy(
            scope="site", site=site, max_units=LARGE_MAX_UNITS, hold_back_units=2 * MIN_UNITS
        )
    if network.warehouse:
        yield Policy(
            scope="site", site=network.warehouse, min_units=0, max_units=WAREHOUSE_MAX_UNITS
        )


def replay_catalogue(
    skus: Iterable[str], sites: Iterable[str], *, quantity_units_max: int
) -> CatalogFile:
    """Return the catalogue of an order log: codes verbatim, nothing watched, nothing proposed.

    Args:
        skus: The log's codes, distinct.
        sites: The sites its customers are spread over.
        quantity_units_max: The largest quantity of a line, sold or returned.
    """
    sites = tuple(sites)
    return CatalogFile(
        network=Network(name="Replay"),
        sites=tuple(Site(site=site) for site in sites),
        skus=tuple(Sku(sku=sku, quantity_units_max=quantity_units_max) for sku in skus),
        devices=tuple(Device(device=scanner_of(site), site=site, kind="gateway") for site in sites),
        policies=(Policy(scope="network", autonomy="observe", negative_stock="allow"),),
    )
