"""Logistic units in the stock fold: which of them a transfer leaves in, and what arrives in one.

A dispatch with an SSCC is told to the planning fold, in the partition of the SSCC, for a unit spans
SKUs. An SSCC scanned alone is handed on there; what was in it comes back, an input a transfer.
"""

from typing import Final

from ingest.contracts.units import UnitArrivedInput
from ingest.frames import ScanInput
from streams.contracts.units import UnitArrived
from streams.domain import book, carriage, packing
from streams.domain.store import Store
from streams.domain.transfers import to_come_units

NOTHING_ON_THE_WAY: Final = "nothing_on_the_way"
"""Flag of a unit's arrival of whose transfer nothing is on its way any more."""


def arrive_scan(store: Store, scan: ScanInput) -> None:
    """Let an article arrive, or ask what is in a unit that arrives."""
    if scan.sku:
        carriage.arrive_scan(store, scan)
        return
    arrived = UnitArrived(
        sscc=scan.sscc,
        site=scan.site,
        source=scan.source,
        boot=scan.boot,
        seq=scan.seq,
        observed_at_ms=scan.observed_at_ms,
        historical=scan.historical,
    )
    store.outbox.plan(scan.sscc, arrived)


def receive_unit(store: Store, arrived: UnitArrivedInput) -> None:
    """Let arrive what a unit held of a transfer, as far as that has not arrived before."""
    store.observed_at_ms = arrived.observed_at_ms
    transfer = store.transfers.get(arrived.transfer_id)
    units = 0
    if transfer is not None and packing.may_hold(transfer, arrived.sscc):
        units = to_come_units(transfer)
    scan = ScanInput(
        sku=arrived.sku,
        site=arrived.site,
        source=arrived.source,
        boot=arrived.boot,
        seq=arrived.seq,
        observed_at_ms=arrived.observed_at_ms,
        historical=arrived.historical,
        action="arrive",
        quantity_units=min(units, arrived.quantity_units),
        transfer_id=arrived.transfer_id,
    )
    if units > 0:
        carriage.arrive_scan(store, scan)
    else:
        level = store.level(scan.sku, scan.site)
        book.post_refused(store, level, scan, NOTHING_ON_THE_WAY)
