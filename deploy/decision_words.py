"""Pieces that every explanation is put together from. Pure."""

from collections.abc import Mapping

from ingest.contracts.durations import DAY_MS
from streams.domain.arithmetic import MILLI


def load_words(version: int) -> str:
    """Return by which catalogue load; nothing in an event of before that was recorded."""
    return f", catalogue load {version}" if version else ""


def inputs_line(numbers: Mapping[str, int]) -> list[str]:
    """Return the numbers of a decision as they were recorded; nothing where there are none."""
    told = ", ".join(f"{name} {value}" for name, value in numbers.items())
    return [f"  decided from: {told}"] if told else []


def again(found: object, recorded: object) -> str:
    """Return whether a formula, computed again from its inputs, gives what was recorded."""
    said = "the same" if found == recorded else f"differently: {found}"
    return f"computed again: {said}"


def span(span_ms: int) -> str:
    """Return a span of time in its largest unit."""
    for unit, unit_ms in (("d", DAY_MS), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        if span_ms >= unit_ms:
            return f"{span_ms / unit_ms:.4g} {unit}"
    return f"{span_ms} ms"


def milli(thousandths: int) -> str:
    """Return thousandths as a decimal number."""
    return f"{thousandths / MILLI:.10g}"


def owed_words(numbers: Mapping[str, int]) -> str:
    """Return what lowers a position, where anything does."""
    planned, owed = numbers.get("in_transit_out_units", 0), numbers.get("backordered_units", 0)
    told = f" - planned to leave {planned}" if planned else ""
    return told + (f" - back-ordered {owed}" if owed else "")
