"""The full stock domain's state: how large a level is, and how long a fold takes to start on it."""

import time
from typing import NamedTuple

from ingest.contracts.policies import PolicyRecord
from ingest.frames import (
    FRAME_ITEMS_MAX,
    INPUT_FRAMES,
    InputItem,
    OpeningInput,
    ReadingInput,
    ReferenceInput,
    SkuRecord,
)
from streams.domain.fold import StockFold

SITES = 20
T0_MS = 1_780_000_000_000


class DomainState(NamedTuple):
    """What was measured."""

    levels: int
    bytes_per_level: float
    """Keys and values of all records of the state, as they stand in log and store."""
    start_cpu_s: float
    """CPU-seconds of `StockFold.start`."""


def domain_state(skus: int) -> DomainState:
    """Fold a catalogue, opening stock and a reading for each of so many SKUs at 20 sites."""
    fold, state = StockFold(0, 1), dict[bytes, bytes]()
    fold.start(state)
    items: list[InputItem] = [ReferenceInput(1, _policy())]
    for number in range(skus):
        items += _of_sku(f"sku-{number:012d}", number)
        while len(items) >= FRAME_ITEMS_MAX:
            frame, items = items[:FRAME_ITEMS_MAX], items[FRAME_ITEMS_MAX:]
            _fold(fold, state, frame)
    _fold(fold, state, items)
    restored = StockFold(0, 1)
    begun_s = time.process_time()
    restored.start(state)
    start_cpu_s = time.process_time() - begun_s
    stored_bytes = sum(len(key) + len(value) for key, value in state.items())
    levels = skus * SITES
    return DomainState(levels, stored_bytes / levels, start_cpu_s)


def _policy() -> PolicyRecord:
    return PolicyRecord(
        "network", min_units=10, max_units=80, blind_after_ms=600_000, lead_witness="shelf"
    )


def _of_sku(sku: str, number: int) -> list[InputItem]:
    items: list[InputItem] = [ReferenceInput(1, SkuRecord(sku, unit_cost_minor=250))]
    for site in (f"site-{one:03d}" for one in range(SITES)):
        items.append(OpeningInput("import-1", sku, site, 40, 250))
        items.append(
            ReadingInput(
                location=site,
                historical=False,
                source=f"shelf-{site}-{number % 1000:03d}",
                boot="b-17800000",
                seq=number + 1,
                observed_at_ms=T0_MS + number,
                sku=sku,
                site=site,
                channel=f"c{number % 8}",
                kind="units",
                value=40,
            )
        )
    return items


def _fold(fold: StockFold, state: dict[bytes, bytes], items: list[InputItem]) -> None:
    fold.fold(INPUT_FRAMES.encode(items, received_at_ms=T0_MS, reference_version=1))
    for key, value in fold.drain().state.items():
        if value is None:
            state.pop(key, None)
        else:
            state[key] = value
