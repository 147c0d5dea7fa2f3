"""What a catalogue load changes in the planogram, for the stock fold. Pure."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TypeAlias

from ingest.catalog_changes import Change
from ingest.contracts.planogram import NEVER_ENDS_MS, PlanogramRecord, Spans, never_ends
from ingest.contracts.reference import Device

_Watched: TypeAlias = dict[tuple[str, str, str], Spans]
"""Spans of time by channel, SKU and site."""


def planogram_changes(changed: Sequence[Change]) -> Iterator[tuple[PlanogramRecord, bool]]:
    """Yield the channels whose time at a shelf ends or no longer ends, and whether they are gone.

    A device that is gone comes by itself too, without a SKU.
    """
    for change in changed:
        entity, before = change.entity, change.before
        if not isinstance(entity, Device):
            continue
        is_gone = change.kind == "removed"
        known = entity if is_gone else before
        if not isinstance(known, Device):
            continue
        was, now = _watched(known), {} if is_gone else _watched(entity)
        for place in sorted(was | now):
            channel, sku, site = place
            spans, spans_before = now.get(place, ()), was.get(place, ())
            begins = never_ends(spans) and (not spans_before or never_ends(spans_before))
            if spans != spans_before and not begins:
                yield PlanogramRecord(known.device, channel, sku, site, spans), not spans
        if is_gone:
            yield PlanogramRecord(known.device, "", "", known.site), True


def _watched(device: Device) -> _Watched:
    """Return what the channels of a device watch; a change of tare or the like ends no span."""
    found: _Watched = {}
    starts = sorted(device.channels, key=lambda one: (one.channel, one.valid_from_ms))
    for channel, versions in groupby(starts, key=lambda one: one.channel):
        assignments = list(versions)
        ends_ms = [*(one.valid_from_ms for one in assignments[1:]), NEVER_ENDS_MS]
        for assigned, until_ms in zip(assignments, ends_ms, strict=True):
            if assigned.sku:
                place = channel, assigned.sku, device.site
                found[place] = _joined(found.get(place, ()), assigned.valid_from_ms, until_ms)
    return found


def _joined(spans: Spans, since_ms: int, until_ms: int) -> Spans:
    """Return spans with one more, which goes on with the last one where that ends at its begin."""
    if spans and spans[-1][1] == since_ms:
        return (*spans[:-1], (spans[-1][0], until_ms))
    return (*spans, (since_ms, until_ms))
