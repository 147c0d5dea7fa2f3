"""The full stock fold's workload: a catalogue, opening stock, then scans that each change a level.

Shoppers take one unit at a time; a level that has come down to its limit is filled up. Stock stays
between the policy's limits, so no breach opens: what is measured is the way that nearly every event
of a shop takes.
"""

import random
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Final

from deploy.bench.events import OBSERVED_AT_MS, SEED
from ingest.contracts.policies import PolicyRecord
from ingest.frames import (
    InputItem,
    InstallationInput,
    NetworkRecord,
    OpeningInput,
    ReferenceEntity,
    ReferenceInput,
    ScanAction,
    ScanInput,
    SiteRecord,
    SkuRecord,
)
from ingest.partitions import partition_of
from streams.contracts.state import Level, decode

SITES: Final = 20
MIN_UNITS: Final = 6
LOW_UNITS: Final = 8
HIGH_UNITS: Final = 24
MAX_UNITS: Final = 30

Books = dict[tuple[str, str], int]
"""SKU and site to the book's units."""

Placed = tuple[int, InputItem]


def preparation(skus: int, partition_count: int) -> list[Placed]:
    """Return installation, catalogue and opening stock, with their partitions."""
    everywhere = range(partition_count)
    first = InstallationInput("bench", partition_count, "driven")
    placed: list[Placed] = [(partition, first) for partition in everywhere]
    policy = PolicyRecord("network", min_units=MIN_UNITS, max_units=MAX_UNITS, autonomy="observe")
    shared: list[ReferenceEntity] = [NetworkRecord("bench"), policy]
    shared += [SiteRecord(site) for site in _sites()]
    placed += [(p, ReferenceInput(1, entity)) for entity in shared for p in everywhere]
    for sku in _skus(skus):
        partition = partition_of(sku, partition_count)
        record = SkuRecord(sku, unit_cost_minor=100)
        placed.append((partition, ReferenceInput(1, record)))
        placed += [
            (partition, OpeningInput("opening", sku, site, HIGH_UNITS, 100)) for site in _sites()
        ]
    return placed


def scans(events: int, changes_pct: int, skus: int, partition_count: int) -> Iterator[Placed]:
    """Yield scans of one SKU at one site each, evenly over all.

    `changes_pct` of a hundred change a book; the others are the last one, sent again.
    """
    rng = random.Random(SEED)  # noqa: S311 - no secret
    names, sites = _skus(skus), _sites()
    partitions = [partition_of(name, partition_count) for name in names]
    numbers = {site: count(1) for site in sites}
    books = [HIGH_UNITS] * (skus * SITES)
    placed: Placed | None = None
    for number in range(events):
        if placed and number * changes_pct // 100 == (number - 1) * changes_pct // 100:
            yield placed
            continue
        which = int(rng.random() * len(books))
        sku, site = which // SITES, sites[which % SITES]
        action: ScanAction = "sale" if books[which] > LOW_UNITS else "receive"
        units = 1 if action == "sale" else HIGH_UNITS - LOW_UNITS
        books[which] += units if action == "receive" else -units
        scan = ScanInput(
            sku=names[sku],
            site=site,
            source=f"scanner-{site}",
            boot="b1",
            seq=next(numbers[site]),
            observed_at_ms=OBSERVED_AT_MS + number,
            historical=False,
            action=action,
            quantity_units=units,
        )
        placed = partitions[sku], scan
        yield placed


def books_of(items: Iterable[InputItem]) -> Books:
    """Return what the books must be after openings, receipts and sales, the plainest way."""
    books: Books = {}
    counted: set[tuple[str, int]] = set()
    for item in items:
        if isinstance(item, OpeningInput):
            units = item.quantity_units
        elif isinstance(item, ScanInput) and (item.source, item.seq) not in counted:
            counted.add((item.source, item.seq))
            units = item.quantity_units * (-1 if item.action == "sale" else 1)
        else:
            continue
        place = item.sku, item.site
        books[place] = books.get(place, 0) + units
    return books


def book_of(key: bytes, value: bytes) -> tuple[tuple[str, str], int] | None:
    """Return SKU, site and book of a state record; None for one that is no level."""
    if key.startswith(b"\x00"):
        return None
    level = decode(key, value)
    return ((level.sku, level.site), level.on_hand_units) if isinstance(level, Level) else None


def _sites() -> list[str]:
    return [f"site-{number:02d}" for number in range(SITES)]


def _skus(skus: int) -> list[str]:
    return [f"sku-{number:06d}" for number in range(skus)]
