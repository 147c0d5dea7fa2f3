"""Blind intervals of a level: since when a channel of it sees nothing, why, and when that ends.

One interval a level, from the first channel that turns blind to the last that sees again, so that
what is remembered has a constant size. It stands in the level's key figures, which a calm reading
never touches.
"""

from streams.contracts.blindness import BlindCause, BlindIntervalChanged
from streams.contracts.state import Level
from streams.domain import kpis
from streams.domain.store import Store


def note_sensors(store: Store, level: Level, cause: BlindCause) -> None:
    """Note that a channel began, fell silent or came back; `cause` is of an interval that begins.

    The caller has changed the level's channels already.
    """
    kpis.note_sensors(store, level)
    kpi = kpis.kpi_of(store, level)
    blind = any(channel.blind for channel in level.sensed)
    if blind == bool(kpi.blind_id):
        return
    kpis.sum_up(store, level, kpi)
    if blind:
        kpi.blind_id = store.next_id("blind", level.sku)
        kpi.blind_since_ms, kpi.blind_cause = store.clock.now_ms, cause
    store.outbox.events.append(
        BlindIntervalChanged(
            blind_id=kpi.blind_id,
            sku=level.sku,
            site=level.site,
            state="open" if blind else "closed",
            at_ms=store.clock.now_ms,
            since_ms=kpi.blind_since_ms,
            cause=kpi.blind_cause,
            channels=[channel.channel for channel in level.sensed if channel.blind],
            reference_version=store.clock.reference_version,
        )
    )
    if not blind:
        kpi.blind_id, kpi.blind_since_ms = "", 0
