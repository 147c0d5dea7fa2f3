"""What one scan left in the ledger, found by a movement's id or by the scan's own name. Pure.

A fold applies one input after the other, so what a scan left stands together in its partition.
"""

from ingest.contracts.voids import VoidedMovement
from streams.contracts.ledger import Movement


class ScanFinder:
    """Takes the ledger in log order and keeps what was looked for."""

    def __init__(self, wanted: str) -> None:
        """Take a movement's id (`movement-MILK-12`) or a cause (`scanner-1/b1/17`)."""
        self._wanted = wanted
        self._runs: dict[int, list[Movement]] = {}
        self._found: list[list[Movement]] = []

    def take(self, partition: int, movement: Movement) -> None:
        """Take one committed movement, in the order of its partition."""
        run = self._runs.get(partition)
        if run is None or _is_of_another(run, movement):
            self._keep(run)
            run = self._runs[partition] = []
        run.append(movement)

    def scans(self) -> list[list[Movement]]:
        """Return the scans that were found, each with its movements; call it once, at the end.

        A device may have used a number live and again in what it had buffered: two scans then.
        """
        for partition in sorted(self._runs):
            self._keep(self._runs[partition])
        self._runs = {}
        return self._found

    def _keep(self, run: list[Movement] | None) -> None:
        if run and any(self._wanted in {one.movement_id, one.cause} for one in run):
            self._found.append(run)


def lead_of(scan: list[Movement]) -> Movement:
    """Return the movement on hand at the scan's own site: its id is the one that is voided."""
    return next((one for one in scan if _leads(one)), scan[-1])


def voided_movement(movement: Movement) -> VoidedMovement:
    """Return what a command says of a movement."""
    return VoidedMovement(
        movement_id=movement.movement_id,
        site=movement.site,
        kind=movement.kind,
        bucket=movement.bucket,
        quantity_units=movement.quantity_units,
        value_minor=movement.value_minor,
        effective_at_ms=movement.effective_at_ms,
        recorded_at_ms=movement.recorded_at_ms,
        transfer_id=movement.transfer_id,
        lot=movement.lot,
        flags=tuple(movement.flags),
        lot_units=movement.lot_units,
        served=movement.served,
    )


def _leads(movement: Movement) -> bool:
    return movement.bucket == "on_hand" and movement.kind != "dispatch_inferred"


def _is_of_another(run: list[Movement], movement: Movement) -> bool:
    if (run[0].cause, run[0].sku) != (movement.cause, movement.sku):
        return True
    if movement.bucket == "quarantined":  # what is held follows the book
        return False
    lead = next((one for one in run if _leads(one)), None)
    # Of a dispatch the units on their way come after it, of an arrival before it.
    return lead is not None and (lead.kind != "dispatch" or movement.bucket == "on_hand")
