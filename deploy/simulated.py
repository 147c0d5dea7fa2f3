"""Loads a simulated network, or an order log's articles, as `shelfstream catalog load` does."""

from typing import Final

from deploy.catalog_load import import_openings, load_catalog, read_catalog
from ingest.contracts.reference import CatalogFile
from ingest.frames import OpeningInput
from simulators.catalogue import network_catalogue, replay_catalogue
from simulators.compose import Surroundings
from simulators.network import Network
from simulators.orderlog import Survey

OPENING_IMPORT_ID: Final = "simulated-opening"
"""The same every time: what was opened once is not opened again."""


async def load_network(network: Network, place: Surroundings, *, now_ms: int) -> int:
    """Load a network's catalogue and its opening stock; return the load's number.

    Args:
        network: What is simulated.
        place: Where.
        now_ms: Wall clock, UTC milliseconds.

    Raises:
        CatalogError: The catalogue is refused, or another load has taken over.
        InstallationError: The installation was never recorded.
        KafkaError: Kafka can't be read or written.
    """
    version = await _load(network_catalogue(network), place, now_ms)
    costs = {article.sku: article.unit_cost_minor for article in network.articles}
    openings = [
        OpeningInput(OPENING_IMPORT_ID, sku, site, units, costs[sku])
        for (site, sku), units in network.opening.items()
    ]
    await import_openings(place.kafka, openings, await read_catalog(place.kafka), now_ms=now_ms)
    return version


async def load_replay(
    found: Survey, sites: tuple[str, ...], place: Surroundings, *, now_ms: int
) -> int:
    """Load the catalogue of an order log; return the load's number.

    Args:
        found: What the log holds.
        sites: The sites its customers are spread over.
        place: Where.
        now_ms: UTC milliseconds.

    Raises:
        CatalogError: The catalogue is refused, or another load has taken over.
        InstallationError: The installation was never recorded.
        KafkaError: Kafka can't be read or written.
    """
    wanted = replay_catalogue(found.skus, sites, quantity_units_max=found.quantity_max)
    return await _load(wanted, place, now_ms)


async def _load(wanted: CatalogFile, place: Surroundings, now_ms: int) -> int:
    return (await load_catalog(place.kafka, wanted, now_ms=now_ms)).version
