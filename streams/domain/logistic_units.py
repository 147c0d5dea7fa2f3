"""What logistic units hold, in the planning fold: a unit spans SKUs, so no stock partition knows.

Dispatch scans fill a unit, transfer by transfer. Its SSCC scanned alone, at the site where it goes,
lets all of it arrive: an input for each transfer, in the partition of its SKU. What can't be placed
is a dead letter with the reason; nothing is received on a guess.
"""

from typing import Final

import msgspec

from ingest.contracts.durations import DAY_MS
from ingest.contracts.events import DeadLetterReason
from ingest.contracts.topics import INPUTS, PLANS
from ingest.contracts.units import UnitArrivedInput
from ingest.frames import INPUT_FRAMES
from ingest.partitions import partition_of
from streams.contracts.ids import sku_of
from streams.contracts.ledger import scan_cause
from streams.contracts.plans import PlanItem
from streams.contracts.state import key
from streams.contracts.units import UNIT, LogisticUnit, UnitArrived, UnitLine, UnitPacked
from streams.engine.records import dead_letter
from streams.engine.timed import TimedFold

UNIT_LINES_MAX: Final = 500
"""Transfers in one unit; of more, those above arrive by scans of their articles."""
UNIT_KEPT_MS: Final = 35 * DAY_MS
"""A unit is kept so long after it was last packed or scanned: as long as an ended transfer."""
_TIMER: Final = f"{UNIT}/"
_JSON: Final = msgspec.json.Encoder()


class LogisticUnits:
    """The units whose SSCC is in this partition of the planning fold."""

    def __init__(self, fold: TimedFold[PlanItem], partition_count: int) -> None:
        """Take the fold whose table, timers and outbox they share."""
        self._fold = fold
        self._partition_count = partition_count

    def pack(self, packed: UnitPacked) -> None:
        """Note what of a transfer was packed into a unit, or taken out of it."""
        unit = self._unit(packed.sscc)
        if unit is None:
            if packed.quantity_units <= 0:
                return
            unit = LogisticUnit(sscc=packed.sscc, until_ms=0)
        known = unit.lines.get(packed.transfer_id)
        units = packed.quantity_units + (known.quantity_units if known is not None else 0)
        if units <= 0:
            unit.lines.pop(packed.transfer_id, None)
        elif known is not None or len(unit.lines) < UNIT_LINES_MAX:
            unit.lines[packed.transfer_id] = UnitLine(packed.to_site, units)
        elif "full" not in unit.flags:
            unit.flags.append("full")
        self._put(unit)

    def arrive(self, arrived: UnitArrived) -> None:
        """Let all of a unit arrive that goes to this site, or say why nothing does."""
        unit = self._unit(arrived.sscc)
        if unit is None:
            reason = f"no dispatch packed anything into SSCC {arrived.sscc}"
            self._refuse(arrived, "unknown_unit", reason)
            return
        here = {name: line for name, line in unit.lines.items() if line.to_site == arrived.site}
        if not here:
            self._refuse(arrived, "wrong_unit", _reason(unit, arrived))
            return
        for transfer_id in sorted(here):
            self._receive(arrived, transfer_id, here[transfer_id].quantity_units)
            del unit.lines[transfer_id]
        unit.arrived_site, unit.arrived_at_ms = arrived.site, self._fold.now_ms
        self._put(unit)

    def wake(self, name: str) -> bool:
        """Forget the unit of a timer; tell whether it was one of theirs."""
        if not name.startswith(_TIMER):
            return False
        self._fold.table.delete(key(UNIT, name.removeprefix(_TIMER)))
        return True

    def rebuild(self) -> None:
        """Set a timer for each unit."""
        for _, unit in self._fold.table.of_kind(UNIT):
            self._fold.timers.set(_TIMER + unit.sscc, unit.until_ms)

    def _unit(self, sscc: str) -> LogisticUnit | None:
        unit: LogisticUnit | None = self._fold.table.get(key(UNIT, sscc))
        return unit

    def _put(self, unit: LogisticUnit) -> None:
        unit.until_ms = self._fold.now_ms + UNIT_KEPT_MS
        self._fold.table.put(key(UNIT, unit.sscc), unit)
        self._fold.timers.set(_TIMER + unit.sscc, unit.until_ms)

    def _receive(self, arrived: UnitArrived, transfer_id: str, quantity_units: int) -> None:
        sku = sku_of(transfer_id)
        item = UnitArrivedInput(
            sscc=arrived.sscc,
            sku=sku,
            site=arrived.site,
            transfer_id=transfer_id,
            quantity_units=quantity_units,
            source=arrived.source,
            boot=arrived.boot,
            seq=arrived.seq,
            observed_at_ms=arrived.observed_at_ms,
            historical=arrived.historical,
        )
        partition = partition_of(sku, self._partition_count)
        self._fold.outbox.add(INPUTS.name, partition, INPUT_FRAMES, item, self._fold.now_ms)

    def _refuse(self, arrived: UnitArrived, reason: DeadLetterReason, detail: str) -> None:
        """Write the scan to the dead letters, as on the wire."""
        event = {name: getattr(arrived, name) for name in _WIRE} | {"action": "arrive"}
        letter = dead_letter(
            letter_id=f"{reason}-{scan_cause(arrived.source, arrived.boot, arrived.seq)}",
            reason=reason,
            detail=detail,
            origin=f"{PLANS.name}/{partition_of(arrived.sscc, self._partition_count)}",
            payload=_JSON.encode(event),
            now_ms=self._fold.now_ms,
        )
        self._fold.outbox.add_record(letter)


_WIRE: Final = ("source", "boot", "seq", "observed_at_ms", "historical", "sscc")


def _reason(unit: LogisticUnit, arrived: UnitArrived) -> str:
    sites = sorted({line.to_site for line in unit.lines.values()})
    if sites:
        return f"SSCC {unit.sscc} goes to {', '.join(sites)[:500]}, and not to {arrived.site}"
    if unit.arrived_site:
        return f"SSCC {unit.sscc} has arrived at {unit.arrived_site} already"
    return f"all that was in SSCC {unit.sscc} has arrived by scans of its articles"
