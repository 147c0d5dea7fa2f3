"""Committed records to InfluxDB line protocol. Pure; a cached prefix a series.

Time stamps are deterministic: a repeat after a restart overwrites what it wrote before. Records
that may share a millisecond within a series get their running number as nanoseconds.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec

from streams import plan_points
from streams.contracts import blindness, events, kpis, ledger, lots, state
from streams.domain import areas
from streams.line_protocol import stamp_ns, tag, text

_SERIES_CACHED_MAX: Final = 1 << 16


@lru_cache(maxsize=_SERIES_CACHED_MAX)
def _level_prefix(sku: str, site: str) -> str:
    return f"stock_level,site={tag(site)},sku={tag(sku)} "


@lru_cache(maxsize=_SERIES_CACHED_MAX)
def _movement_prefix(sku: str, site: str, kind: str, bucket: str) -> str:
    return f"stock_movement,bucket={tag(bucket)},kind={tag(kind)},site={tag(site)},sku={tag(sku)} "


def level_line(level: state.Level) -> str:
    """Return the line of one level; a blind channel's count is left out, not written as zero."""
    seen = [channel.units for channel in level.sensed if not channel.blind and channel.units >= 0]
    sensed = f",sensed_units={sum(seen)}i" if seen else ""
    if any(channel.backroom for channel in level.sensed):
        backroom_units = areas.sight_of(level).backroom_units
        sensed += f",backroom_units={backroom_units}i" if backroom_units is not None else ""
    available = (
        level.on_hand_units - level.reserved_units - level.quarantined_units - level.buffer_units
    )
    return (
        f"{_level_prefix(level.sku, level.site)}"
        f"on_hand_units={level.on_hand_units}i,available_units={available}i,"
        f"reserved_units={level.reserved_units}i,quarantined_units={level.quarantined_units}i,"
        f"in_transit_in_units={level.in_transit_in_units}i,"
        f"on_order_units={level.on_order_units}i,value_minor={level.value_minor}i{sensed} "
        f"{stamp_ns(level.updated_at_ms)}"
    )


def movement_line(movement: ledger.Movement) -> str:
    """Return the line of one movement, at the time it was recorded."""
    prefix = _movement_prefix(movement.sku, movement.site, movement.kind, movement.bucket)
    return (
        f"{prefix}quantity_units={movement.quantity_units}i,value_minor={movement.value_minor}i,"
        f"after_units={movement.after_units}i,effective_at_ms={movement.effective_at_ms}i "
        f"{stamp_ns(movement.recorded_at_ms, movement.movement_id)}"
    )


def _breach_opened(event: events.BreachOpened) -> str:
    latency = f",latency_ms={event.at_ms - event.observed_at_ms}i" if event.observed_at_ms else ""
    return (
        f"breach,kind={event.kind},site={tag(event.site)},sku={tag(event.sku)} "
        f"open=1i,available_units={event.available_units}i,"
        f"threshold_units={event.threshold_units}i,breach_id={text(event.breach_id)}{latency} "
        f"{stamp_ns(event.at_ms, event.breach_id)}"
    )


def _breach_cleared(event: events.BreachCleared) -> str:
    return (
        f"breach,kind={event.kind},site={tag(event.site)},sku={tag(event.sku)} "
        f"open=0i,available_units={event.available_units}i,"
        f"threshold_units={event.threshold_units}i,breach_id={text(event.breach_id)},"
        f"open_ms={event.at_ms - event.opened_at_ms}i "
        f"{stamp_ns(event.at_ms, event.breach_id)}"
    )


def _transfer_changed(event: events.TransferChanged) -> str:
    transfer = event.transfer
    return (
        f"transfer,from_site={tag(transfer.from_site)},sku={tag(transfer.sku)},"
        f"state={transfer.state},to_site={tag(transfer.to_site)} "
        f"quantity_units={transfer.quantity_units}i,dispatched_units={transfer.dispatched_units}i,"
        f"received_units={transfer.received_units}i,transfer_id={text(transfer.transfer_id)} "
        f"{stamp_ns(event.at_ms, transfer.transfer_id)}"
    )


def _need_changed(event: events.NeedChanged) -> str:
    need = event.need
    return (
        f"need,site={tag(need.site)},sku={tag(need.sku)},state={need.state} "
        f"quantity_units={need.quantity_units}i,received_units={need.received_units}i,"
        f"need_id={text(need.need_id)} {stamp_ns(event.at_ms, need.need_id)}"
    )


def _device_changed(event: events.DeviceStatusChanged) -> str:
    return (
        f"device,device={tag(event.device)},site={tag(event.site)} "
        f"online={int(event.online)}i,battery_pct={event.battery_pct}i {stamp_ns(event.at_ms)}"
    )


def _blind_changed(event: blindness.BlindIntervalChanged) -> str:
    """Return where a blind interval begins or ends; how long it was is known at its end."""
    is_open = event.state == "open"
    lasted_ms = event.at_ms - event.since_ms
    said = f"channels={len(event.channels)}i" if is_open else f"blind_ms={lasted_ms}i"
    return (
        f"blind_interval,cause={event.cause},site={tag(event.site)},sku={tag(event.sku)} "
        f"open={int(is_open)}i,{said},blind_id={text(event.blind_id)} "
        f"{stamp_ns(event.at_ms, event.blind_id)}"
    )


def _kpis_closed(event: kpis.KpisClosed) -> str:
    """Return the sums of a day: what divides them adds them up first, so sums are what is kept."""
    sums, cost_minor = event.sums, event.unit_cost_minor or 1
    return (
        f"kpi,site={tag(event.site)},sku={tag(event.sku)} "
        f"observed_ms={sums.observed_ms}i,out_ms={sums.out_ms}i,"
        f"total_ms={sums.observed_ms + sums.unseen_ms}i,"
        f"sensed_ms={sums.sensed_ms}i,blind_ms={sums.blind_ms}i,held_unit_s={sums.held_unit_s}i,"
        f"issued_units={sums.issued_units}i,asked_units={sums.asked_units}i,"
        f"filled_units={sums.filled_units}i,counted_records={sums.counted_records}i,"
        f"accurate_records={sums.accurate_records}i,"
        f"held_value={float(sums.held_unit_s * cost_minor)},"
        f"issued_value={float(sums.issued_units * cost_minor)},"
        f"excess_minor={event.excess_minor}i,value_minor={event.value_minor}i,"
        f"lost_milli={event.lost_milli}i,shelf_units={event.shelf_units}i,"
        f"on_hand_units={event.on_hand_units}i {stamp_ns(event.at_ms)}"
    )


_EVENT_LINES: Final[dict[type, Callable[..., str]]] = {
    events.BreachOpened: _breach_opened,
    events.BreachCleared: _breach_cleared,
    events.TransferChanged: _transfer_changed,
    events.NeedChanged: _need_changed,
    events.DeviceStatusChanged: _device_changed,
    blindness.BlindIntervalChanged: _blind_changed,
    kpis.KpisClosed: _kpis_closed,
    **plan_points.EVENT_LINES,
}
"""Events that are drawn; answers to commands and barriers are not."""


def stock_lines(key: bytes | None, value: bytes | None) -> list[str]:
    """Return the line of a `stock` record of a level or its lots; nothing for other kinds.

    Raises:
        msgspec.MsgspecError: The value is no such record.
    """
    if value is None or key is None:
        return []
    if key.startswith(_LEVEL_HEAD):
        return [level_line(_LEVEL_DECODER.decode(value))]
    if key.startswith(_LOTS_HEAD):
        return plan_points.lot_lines(_LOTS_DECODER.decode(value))
    return []


def movement_lines(_key: bytes | None, value: bytes | None) -> list[str]:
    """Return a line for each movement of a frame.

    Raises:
        FrameError: The value is no frame of movements.
    """
    return [movement_line(item) for item in ledger.MOVEMENT_FRAMES.decode(value or b"").items]


def event_lines(_key: bytes | None, value: bytes | None) -> list[str]:
    """Return a line for each drawn event of a frame.

    Raises:
        FrameError: The value is no frame of events.
    """
    items = events.EVENT_FRAMES.decode(value or b"").items
    return [_EVENT_LINES[type(item)](item) for item in items if type(item) in _EVENT_LINES]


_LEVEL_HEAD: Final = state.key(state.LEVEL, "")
_LEVEL_DECODER: Final = msgspec.msgpack.Decoder(state.Level)
_LOTS_HEAD: Final = state.key(lots.LOTS, "")
_LOTS_DECODER: Final = msgspec.msgpack.Decoder(lots.LotBook)


def lag_line(group: str, topic: str, partition: int, lag_records: int, at_ms: int) -> str:
    """Return the health line of how far a reader is behind, at wall time."""
    return (
        f"pipeline_lag,group={tag(group)},partition={partition},topic={tag(topic)} "
        f"lag_records={lag_records}i {stamp_ns(at_ms)}"
    )


def sink_line(records: int, lines: int, write_ms: int, refused: int, at_ms: int) -> str:
    """Return the health line of the sink itself, at wall time."""
    return (
        f"pipeline_sink records={records}i,lines={lines}i,write_ms={write_ms}i,"
        f"refused={refused}i {stamp_ns(at_ms)}"
    )
