"""The shelf: what sensors see of a SKU at a site, and when they see nothing.

Readings are absolute: the newest observed one of a channel counts, whatever the order in which
they come, and a repeat changes nothing. Unknown is not zero: a channel whose device is offline,
or that has been silent for too long, is blind.
"""

from typing import Final

from ingest.frames import ReadingInput, StatusInput
from streams.contracts.state import Level, SensedChannel
from streams.domain.arithmetic import half_even
from streams.domain.catalogue import Rules
from streams.domain.store import Store

MILLIGRAMS_PER_GRAM: Final = 1_000


def units_of(reading: ReadingInput) -> int:
    """Return the units that a reading means, never below 0; -1 if its parameters say nothing."""
    kind = reading.kind
    if kind == "weight_g":
        if reading.unit_weight_mg <= 0:
            return -1
        net_mg = (reading.value - reading.tare_g) * MILLIGRAMS_PER_GRAM
        return max(0, half_even(net_mg, reading.unit_weight_mg))
    if kind == "distance_mm":
        if reading.unit_depth_mm <= 0:
            return -1
        return max(0, half_even(reading.span_mm - reading.value, reading.unit_depth_mm))
    return max(0, reading.value)


def apply_reading(store: Store, reading: ReadingInput) -> None:
    """Let the newest observed reading of its channel count."""
    store.observed_at_ms = reading.observed_at_ms
    units = reading.value if reading.kind == "units" else units_of(reading)
    if units < 0:
        return
    sku_site = reading.sku, reading.site
    level = store.levels.cache.get(sku_site) or store.level(*sku_site)
    name = f"{reading.source}/{reading.channel}"
    now_ms = store.clock.now_ms
    for channel in level.sensed:
        if channel.channel == name:
            break
    else:
        seen = SensedChannel(name, units, reading.observed_at_ms, now_ms, seq=reading.seq)
        if reading.historical:  # nobody has seen the shelf as it is now
            seen.blind = True
        else:
            seen.boot = reading.boot
        level.sensed.append(seen)
        level.sensed.sort(key=lambda entry: entry.channel)
        _changed(store, level)
        return
    observed_at_ms = reading.observed_at_ms
    if observed_at_ms <= channel.observed_at_ms and (
        observed_at_ms < channel.observed_at_ms or reading.seq <= channel.seq
    ):
        return
    channel.observed_at_ms = observed_at_ms
    channel.seq = reading.seq
    changed = units != channel.units
    channel.units = units
    if not reading.historical:
        channel.received_at_ms = now_ms
        channel.boot = reading.boot
        changed = changed or channel.blind
        channel.blind = False
    if changed:
        _changed(store, level)
    else:  # only fresher: nothing to assess
        store.levels.dirty[sku_site] = None


def apply_channel_status(store: Store, status: StatusInput) -> None:
    """Begin or end the blind interval of a channel whose device went or came."""
    level = store.levels.get((status.sku, status.site))
    if level is None:
        return
    name = f"{status.device}/{status.channel}"
    for channel in level.sensed:
        if channel.channel != name:
            continue
        if not status.online and channel.boot and channel.boot != status.boot:
            return  # the last will of a session that has already been followed by another
        blind = not status.online
        if status.online:
            blind_after_ms = store.rules(level.sku, level.site).blind_after_ms
            blind = 0 < blind_after_ms <= store.now_ms - channel.received_at_ms
        if channel.blind != blind or channel.boot != status.boot:
            channel.blind = blind
            channel.boot = status.boot
            _changed(store, level)


def blind_due_ms(level: Level, rules: Rules) -> int:
    """Return when the next channel turns blind by its age; 0 for never."""
    if rules.blind_after_ms <= 0:
        return 0
    seen_at_ms = [channel.received_at_ms for channel in level.sensed if not channel.blind]
    return min(seen_at_ms) + rules.blind_after_ms if seen_at_ms else 0


def turn_blind(store: Store, level: Level, rules: Rules) -> None:
    """Mark the channels that have been silent for too long."""
    if rules.blind_after_ms <= 0:
        return
    for channel in level.sensed:
        if not channel.blind and channel.received_at_ms + rules.blind_after_ms <= store.now_ms:
            channel.blind = True
            _changed(store, level)


def shelf_units(level: Level) -> int | None:
    """Return what is on the shelf; None where a channel is blind or there is none."""
    total_units = 0
    for channel in level.sensed:
        if channel.blind:
            return None
        total_units += channel.units
    return total_units if level.sensed else None


def is_unknown(level: Level, rules: Rules) -> bool:
    """Tell whether the leading witness is a shelf that can't be seen at present."""
    return (
        rules.lead_witness == "shelf"
        and bool(level.sensed)
        and any(channel.blind for channel in level.sensed)
    )


def leading_units(level: Level, rules: Rules) -> int:
    """Return what is on hand by the leading witness; the book where the shelf is not seen."""
    if rules.lead_witness == "shelf":
        seen_units = shelf_units(level)
        if seen_units is not None:
            return seen_units
    return level.on_hand_units


def available_units(level: Level, rules: Rules) -> int:
    """Return on hand less reserved, quarantined and buffer."""
    held_units = level.reserved_units + level.quarantined_units + level.buffer_units
    return leading_units(level, rules) - held_units


def _changed(store: Store, level: Level) -> None:
    level.updated_at_ms = store.clock.now_ms
    store.touch_level(level)
