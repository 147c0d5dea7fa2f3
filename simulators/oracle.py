"""The oracle: what is physically true, kept apart from everything that is sent or computed.

It is told only of physical acts. Units are conserved: what opened plus what entered minus what
left equals what stands at the sites plus what is on the way.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec


@dataclass(slots=True, kw_only=True)
class Carriage:
    """Units on their way between two sites."""

    transfer_id: str
    sku: str
    from_site: str
    to_site: str
    units: int
    due_at_ms: int


@dataclass(slots=True, kw_only=True)
class ScanRange:
    """Scans emitted by one boot of a source: numbers `first` to `last`, both included."""

    source: str
    site: str
    boot: str
    first: int
    last: int


class OracleDocument(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The oracle file, as JSON."""

    version: Literal[1]
    installation_id: str
    now_ms: int
    stock: dict[str, dict[str, int]]
    """Units by site and SKU."""
    watched: list[tuple[str, str]]
    carriages: list[Carriage]
    scans: list[ScanRange]
    opening_units: int
    entered_units: int
    left_units: int


class Oracle:
    """True stock by site and SKU, units in transit, and every scan that was emitted."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.now_ms = 0
        self.installation_id = ""
        """Whose truth this is; empty where no installation is behind it."""
        self.stock: dict[tuple[str, str], int] = {}
        """Units by (site, SKU)."""
        self.watched: list[tuple[str, str]] = []
        """Keys whose sensed units must equal the true ones when nothing moves."""
        self.carriages: dict[str, Carriage] = {}
        """By transfer id."""
        self.opening_units = 0
        self.entered_units = 0
        self.left_units = 0
        self._scans: dict[tuple[str, str], ScanRange] = {}

    @property
    def scans(self) -> list[ScanRange]:
        """All emitted scans, a range a boot."""
        return list(self._scans.values())

    @property
    def scan_count(self) -> int:
        """How many scans were emitted."""
        return sum(scan.last - scan.first + 1 for scan in self._scans.values())

    @property
    def in_transit_units(self) -> int:
        """Units that left one site and have not arrived at another."""
        return sum(carriage.units for carriage in self.carriages.values())

    def units(self, site: str, sku: str) -> int:
        """Return the true units of a key."""
        return self.stock.get((site, sku), 0)

    def open(self, site: str, sku: str, units: int) -> None:
        """Put opening stock at a key."""
        self.stock[site, sku] = self.units(site, sku) + units
        self.opening_units += units

    def enter(self, site: str, sku: str, units: int) -> None:
        """Units came into the network: a delivery, a return."""
        self.stock[site, sku] = self.units(site, sku) + units
        self.entered_units += units

    def leave(self, site: str, sku: str, units: int) -> None:
        """Units left the network: a sale, waste."""
        self.stock[site, sku] = self.units(site, sku) - units
        self.left_units += units

    def depart(self, carriage: Carriage) -> None:
        """Units left a site for another one."""
        key = (carriage.from_site, carriage.sku)
        self.stock[key] = self.units(*key) - carriage.units
        self.carriages[carriage.transfer_id] = carriage

    def arrive(self, transfer_id: str) -> Carriage:
        """Units on their way arrived; return what they were.

        Raises:
            KeyError: Nothing of this transfer is on its way.
        """
        carriage = self.carriages.pop(transfer_id)
        key = (carriage.to_site, carriage.sku)
        self.stock[key] = self.units(*key) + carriage.units
        return carriage

    def scanned(self, source: str, site: str, boot: str, seq: int) -> None:
        """A scan was emitted; numbers of a boot follow one another without a gap."""
        known = self._scans.get((source, boot))
        if known is None:
            self._scans[source, boot] = ScanRange(
                source=source, site=site, boot=boot, first=seq, last=seq
            )
            return
        assert seq == known.last + 1, "a device gives its numbers without a gap"  # noqa: S101 - our own promise
        known.last = seq

    def expect_scans(self, scans: Iterable[ScanRange]) -> None:
        """Say which scans will be emitted, where that is known beforehand."""
        self._scans = {(scan.source, scan.boot): scan for scan in scans}

    def conserved(self) -> bool:
        """Tell whether no unit appeared or vanished."""
        standing = sum(self.stock.values()) + self.in_transit_units
        return standing == self.opening_units + self.entered_units - self.left_units

    def document(self) -> OracleDocument:
        """Return what the oracle file holds."""
        stock: dict[str, dict[str, int]] = {}
        for (site, sku), units in self.stock.items():
            stock.setdefault(site, {})[sku] = units
        return OracleDocument(
            version=1,
            installation_id=self.installation_id,
            now_ms=self.now_ms,
            stock=stock,
            watched=self.watched,
            carriages=list(self.carriages.values()),
            scans=self.scans,
            opening_units=self.opening_units,
            entered_units=self.entered_units,
            left_units=self.left_units,
        )


def oracle_read(document: OracleDocument) -> Oracle:
    """Return the oracle in a file's document."""
    oracle = Oracle()
    oracle.now_ms = document.now_ms
    oracle.installation_id = document.installation_id
    oracle.stock = {
        (site, sku): units for site, skus in document.stock.items() for sku, units in skus.items()
    }
    oracle.watched = document.watched
    oracle.carriages = {one.transfer_id: one for one in document.carriages}
    oracle.expect_scans(document.scans)
    oracle.opening_units = document.opening_units
    oracle.entered_units = document.entered_units
    oracle.left_units = document.left_units
    return oracle
