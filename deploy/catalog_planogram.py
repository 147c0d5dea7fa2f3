"""What a catalogue load changes in the planogram, for the stock fold. Pure."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from ingest.catalog_changes import Change
from ingest.contracts.planogram import NEVER_ENDS_MS, PlanogramRecord, Spans, never_ends
from ingest.contracts.reference import Device

_Watched: TypeAlias = dict[tuple[str, str, str], Spans]
"""Spans of time by channel, SKU and site."""


def planogram_changes(changed: Sequence[Change]) -> Iterator[tuple[PlanogramRecord, bool]]:
    """Yield the channels whose time at a shelf ends or no longer ends, and whether they are gone.

    A device that is gone, or stands at another site, comes by itself, without a SKU.
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
    starts = sorted(device.channels, key=lambda one: (one.channel, one.valid_from_ms))
    found: _Watched = {}
    for number, assigned in enumerate(starts):
        later = starts[number + 1] if number + 1 < len(starts) else None
        goes_on = later is not None and later.channel == assigned.channel
        until_ms = later.valid_from_ms if later is not None and goes_on else NEVER_ENDS_MS
        if assigned.sku:
            place = assigned.channel, assigned.sku, device.site
            spans = found.get(place, ())
            since_ms = assigned.valid_from_ms
            if spans and spans[-1][1] == since_ms:
                since_ms, spans = spans[-1][0], spans[:-1]
            found[place] = (*spans, (since_ms, until_ms))
    return found
