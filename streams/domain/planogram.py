"""Planogram changes: a channel that goes to another shelf takes its last count with it.

A reading lands on the shelf that its channel watched when it was observed, so those of another
shelf never come here. What is left behind is the old count. It is dropped when the time of it is
over, and readings of that time which come later do not bring it back.
"""

from typing import Final

from ingest.contracts.durations import HOUR_MS
from ingest.contracts.planogram import NEVER_ENDS_MS, PlanogramRecord, Spans, never_ends
from streams.contracts.planogram import PLANOGRAM, Planogram
from streams.contracts.state import SEPARATOR
from streams.domain import blindness, devices
from streams.domain.store import Store

GONE_KEPT_MS: Final = HOUR_MS
"""How long a channel that left the catalogue is remembered: a bridge that has not heard of it yet
may still send readings that it resolved by the load before."""


def apply_planogram(
    store: Store, record: PlanogramRecord, *, removed: bool, reference_version: int
) -> None:
    """Take the spans in which a channel watches a level; removed, it does so no longer."""
    if not record.sku:
        devices.leave_catalogue(store, record.device)
        return
    place = SEPARATOR.join((record.sku, record.site, f"{record.device}/{record.channel}"))
    spans = () if removed else record.spans
    if never_ends(spans):
        store.planograms.remove(place)
    else:
        due_ms = _next_end_ms(spans, store.now_ms) if spans else store.now_ms + GONE_KEPT_MS
        planogram = Planogram(spans=spans, reference_version=reference_version, due_ms=due_ms)
        store.planograms.put(place, planogram)
        if due_ms:
            store.timers.arm((PLANOGRAM, place), due_ms)
    _follow(store, place, spans)


def may_begin(store: Store, place: str, observed_at_ms: int) -> bool:
    """Tell whether a reading of a channel that is not known here makes it known.

    A channel that left the catalogue is there again where a newer load resolved the reading.
    """
    planogram = store.planograms.get(place)
    if planogram is None:
        return True
    if not planogram.spans:
        return store.resolved_by_version >= planogram.reference_version
    return _is_present(planogram.spans, observed_at_ms, store.now_ms)


def due_ms(store: Store, place: str) -> int:
    """Return when a span of a channel ends, or it is forgotten; 0 for never."""
    planogram = store.planograms.get(place)
    return planogram.due_ms if planogram is not None else 0


def come_due(store: Store, place: str) -> int:
    """Drop the count of a span that ended, or forget a channel that is gone; return the next."""
    planogram = store.planograms.get(place)
    if planogram is None or not 0 < planogram.due_ms <= store.now_ms:
        return due_ms(store, place)
    if not planogram.spans:
        store.planograms.remove(place)
        return 0
    planogram.due_ms = _next_end_ms(planogram.spans, planogram.due_ms)
    store.planograms.touch(place)
    _follow(store, place, planogram.spans)
    return planogram.due_ms


def _next_end_ms(spans: Spans, after_ms: int) -> int:
    return next((until for _, until in spans if after_ms < until < NEVER_ENDS_MS), 0)


def _is_present(spans: Spans, observed_at_ms: int, now_ms: int) -> bool:
    """Tell whether what was observed is of the span that holds now."""
    at_ms = max(now_ms, observed_at_ms)
    return any(since <= observed_at_ms and since <= at_ms < until for since, until in spans)


def _follow(store: Store, place: str, spans: Spans) -> None:
    """Drop a channel whose last count is of no present span."""
    sku, site, name = place.split(SEPARATOR, 2)
    level = store.levels.get((sku, site))
    left = [channel for channel in level.sensed if channel.channel == name] if level else []
    if level is None or not left or _is_present(spans, left[0].observed_at_ms, store.now_ms):
        return
    level.sensed = tuple(channel for channel in level.sensed if channel.channel != name)
    store.channels.pop(place, None)
    blindness.note_sensors(store, level, "offline")
    level.updated_at_ms = store.now_ms
    store.touch_level(level)
