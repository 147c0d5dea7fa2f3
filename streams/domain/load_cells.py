"""Shelves that are measured, by weight or by distance: which count a noisy value means.

A shelf is a lattice: so many units, each one unit weight (or depth) apart. A value counts only
when it has settled: one that differs from the count's own place on the lattice waits for
`settle_ms`, and a value that differs again begins the wait anew, so a hand on the shelf moves
nothing. A settled value is read absolutely, never as a sum of steps. What is left over between
value and lattice is the drift of the tare, learned only while the count is certain. A settled step
that is no multiple of a unit is something else on the shelf (a wrong SKU, a tool): it is set aside,
and the count stays. Nothing weighs less than nothing: a value too low for that is a hand that
lifts, or a count or tare that was wrong. It has to hold for longer before it is believed.

All is integers: thousandths of a gram or of a millimetre, below called parts.
"""

from math import erf, isqrt, sqrt
from typing import Final

from ingest.frames import ReadingInput
from streams.contracts.shelf import LoadCell
from streams.contracts.state import UNCOUNTED, SensedChannel
from streams.domain.arithmetic import half_even

PARTS: Final = 1_000
"""Parts of a gram or a millimetre."""
NOISE_PARTS_MAX: Final = 20_000
"""A settled value lies within 20 g or mm of its place; within a third of a unit for small ones."""
STILL_PARTS_MAX: Final = 10_000
"""A waiting value is contradicted by one further away: hands that work waver by more."""
TARE_STRETCHES: Final = 2
"""A value below what can stand there is believed once it has been still for so many `settle_ms`."""
UNIT_SPREAD_PCT: Final = 2
"""Standard deviation of a unit's weight, in per cent of it: units are never quite equal."""
STEP_SPREADS: Final = 3
"""A step of n units may be off by so many deviations, `sqrt(n)` of a unit's each."""
CONFIDENCE_PCT_MIN: Final = 90
"""The tare is learned only while the count is at least so certain."""
OFFSET_PARTS_MAX: Final = 400_000
"""A tare that drifted further is broken: it is learned no further, and the count is doubted."""
LEARNING_SHARE: Final = 16
"""One reading moves the learned tare by a sixteenth of what is left over."""


def settled_units(channel: SensedChannel, reading: ReadingInput, now_ms: int) -> int:
    """Return the count that a channel shows after a newer reading; it may still be the one before.

    It is `UNCOUNTED` until the first value has settled: a hand may have been there.

    Args:
        channel: The channel as it stands; its `cell` is moved on.
        reading: A weight or a distance, newer than what the channel has.
        now_ms: The fold's now.
    """
    unit_parts, zero_parts, place_parts = _measured(reading)
    cell = channel.cell
    if cell is None or cell.unit_parts != unit_parts or cell.zero_parts != zero_parts:
        cell = channel.cell = LoadCell(unit_parts=unit_parts, zero_parts=zero_parts)
    cell.settle_ms = reading.settle_ms
    noise_parts = min(NOISE_PARTS_MAX, unit_parts // 3)
    left_parts = place_parts - cell.offset_parts - cell.foreign_parts - channel.units * unit_parts
    if cell.confidence_pct and -noise_parts <= left_parts <= noise_parts:
        cell.pending_at_ms = 0
        if not reading.historical:
            _learn(cell, left_parts)
        return channel.units
    still_parts = min(STILL_PARTS_MAX, unit_parts // 3)
    if not cell.pending_at_ms or abs(place_parts - cell.pending_parts) > still_parts:
        cell.pending_at_ms = now_ms
        cell.pending_parts = place_parts
        cell.still_stretches = 0
    return taken_units(channel, now_ms)


def taken_units(channel: SensedChannel, now_ms: int) -> int:
    """Return the count of a channel, the waiting value's once it has waited for long enough."""
    cell = channel.cell
    if cell is None or not cell.pending_at_ms or cell.pending_at_ms + cell.settle_ms > now_ms:
        return channel.units if cell is None or cell.confidence_pct else UNCOUNTED
    settled = _settled(cell, channel.units)
    cell.still_stretches += 1
    if settled is None and cell.still_stretches < TARE_STRETCHES:
        cell.pending_at_ms = now_ms
        return channel.units
    cell.pending_at_ms = 0
    units, cell.foreign_parts = settled or _anchored(cell)
    cell.confidence_pct = _certainty(cell, units)
    if cell.confidence_pct >= CONFIDENCE_PCT_MIN:
        cell.offset_parts = _within(cell.pending_parts - units * cell.unit_parts, OFFSET_PARTS_MAX)
    return units


def channel_settle_due_ms(channel: SensedChannel) -> int:
    """Return when a waiting value of a channel will count by time alone; 0 where none waits.

    A device that reports more often than values settle is heard once more before: its next value
    may be the one that differs.
    """
    cell = channel.cell
    if cell is None or not cell.pending_at_ms:
        return 0
    interval_ms = channel.report_interval_ms
    owed_ms = interval_ms if interval_ms <= cell.settle_ms else 0
    return cell.pending_at_ms + cell.settle_ms + owed_ms


def confidence_pct(units: int) -> int:
    """Return how surely a weight tells this count from its neighbours, in per cent.

    The error of n units is normal with deviation `sqrt(n) * sd_unit`; the count is right while it
    stays under half a unit.
    """
    spread = sqrt(max(1, units)) * UNIT_SPREAD_PCT / 100
    return int(100 * erf(0.5 / (spread * sqrt(2))))


def _settled(cell: LoadCell, units_before: int) -> tuple[int, int] | None:
    """Return count and foreign parts of a value that waited; None where it is too low for both."""
    net_parts, unit_parts = cell.pending_parts - cell.offset_parts, cell.unit_parts
    if not cell.confidence_pct:  # the first settled value: nothing to compare it with
        return max(0, half_even(net_parts, unit_parts)), 0
    steps_units = []
    for set_aside_parts in {cell.foreign_parts: None, 0: None}:  # still there, or gone again
        found_units = _units_on_lattice(units_before, net_parts - set_aside_parts, unit_parts)
        if found_units is not None and found_units >= 0:
            steps_units.append((abs(found_units - units_before), found_units, set_aside_parts))
    if steps_units:
        return min(steps_units)[1:]
    foreign_parts = net_parts - units_before * unit_parts
    return (units_before, foreign_parts) if foreign_parts > 0 else None


def _anchored(cell: LoadCell) -> tuple[int, int]:
    """Return count and what is left over of a value that nothing before it explains.

    Fewer than none shows that the tare was wrong: what is left over is learned as such.
    """
    net_parts = cell.pending_parts - cell.offset_parts
    units = max(0, half_even(net_parts, cell.unit_parts))
    return units, net_parts - units * cell.unit_parts if units else 0


def _units_on_lattice(units_before: int, net_parts: int, unit_parts: int) -> int | None:
    units = half_even(net_parts, unit_parts)
    left_parts = net_parts - units * unit_parts
    step = abs(units - units_before)
    spread_parts = STEP_SPREADS * UNIT_SPREAD_PCT * unit_parts * isqrt(step * 10_000) // 10_000
    allowed_parts = min(NOISE_PARTS_MAX, unit_parts // 3) + spread_parts
    fits = -allowed_parts <= left_parts <= allowed_parts
    return units if fits else None


def _certainty(cell: LoadCell, units: int) -> int:
    doubted = cell.foreign_parts or abs(cell.offset_parts) >= OFFSET_PARTS_MAX
    return confidence_pct(units) // 2 if doubted else confidence_pct(units)


def _learn(cell: LoadCell, left_parts: int) -> None:
    if cell.confidence_pct >= CONFIDENCE_PCT_MIN:
        offset_parts = cell.offset_parts + half_even(left_parts, LEARNING_SHARE)
        cell.offset_parts = _within(offset_parts, OFFSET_PARTS_MAX)


def _measured(reading: ReadingInput) -> tuple[int, int, int]:
    """Return the parts of a unit, of the empty shelf, and of what stands on it."""
    if reading.kind == "weight_g":
        zero_parts = reading.tare_g * PARTS
        return reading.unit_weight_mg, zero_parts, reading.value * PARTS - zero_parts
    zero_parts = reading.span_mm * PARTS
    return reading.unit_depth_mm * PARTS, zero_parts, zero_parts - reading.value * PARTS


def _within(parts: int, most_parts: int) -> int:
    return max(-most_parts, min(most_parts, parts))
