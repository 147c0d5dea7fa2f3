"""Devices, as the partition of each knows it: silent or not, battery low or not; told once.

A silence is a warning that becomes critical: the longer it lasts, the less is known of the stock.
"""

from typing import Final

from ingest.frames import StatusInput
from streams.contracts.alerts import AlertRaised, Severity
from streams.contracts.events import DeviceStatusChanged
from streams.contracts.state import DEVICE, DeviceState
from streams.domain.store import Store

SILENCE_LONG_MS: Final = 3_600_000
"""After an hour a device that went silent is a critical alert."""
BATTERY_LOW_PCT: Final = 15
BATTERY_FINE_PCT: Final = 25
"""A battery that was low is fine again from here: its reading wavers with the temperature."""


def apply_device_status(store: Store, status: StatusInput) -> None:
    """Note what a device says of itself; the last will of an older session says nothing."""
    known = store.devices.get(status.device)
    if known is None:
        known = DeviceState(
            device=status.device,
            site=status.site,
            online=True,
            boot=status.boot,
            since_ms=store.now_ms,
        )
        store.devices.put(status.device, known)
        if status.online:
            _tell(store, known, status)
            _judge_battery(store, known)
            return
    if not status.online and status.boot != known.boot:
        return
    moved = known.site != status.site
    if moved:
        _leave_site(store, known)
    changed = known.online != status.online or (moved and not status.online)
    if not changed and (known.boot, known.site, known.battery_pct) == (
        status.boot,
        status.site,
        _battery(known, status),
    ):
        return
    known.boot = status.boot
    known.site = status.site
    if changed:
        known.online = status.online
        known.since_ms = store.now_ms
        _tell(store, known, status)
    known.battery_pct = _battery(known, status)
    _judge_battery(store, known)
    store.devices.touch(status.device)


def _leave_site(store: Store, known: DeviceState) -> None:
    """End what its old site was told: alerts are kept by site, and the new one is told anew."""
    for alert_key in (known.silent_id, known.battery_low_id):
        if alert_key:
            _end(store, known, alert_key)
    known.silent_id, known.silent_long, known.battery_low_id = "", False, ""


def leave_catalogue(store: Store, device: str) -> None:
    """End what was told of a device that the catalogue no longer has."""
    known = store.devices.get(device)
    if known is not None:
        _leave_site(store, known)
        store.devices.touch(device)


def silence_due_ms(store: Store, device: str) -> int:
    """Return when the present silence of a device becomes a long one; 0 for never."""
    known = store.devices.get(device)
    if known is None or not known.silent_id or known.silent_long:
        return 0
    return known.since_ms + SILENCE_LONG_MS


def tell_long_silence(store: Store, device: str) -> int:
    """Tell of a silence that has become a long one; return when else to look again."""
    due_ms = silence_due_ms(store, device)
    known = store.devices.get(device)
    if known is None or not 0 < due_ms <= store.now_ms:
        return due_ms
    known.silent_long = True
    store.devices.touch(device)
    _raise_silent(store, known, "critical")
    return 0


def _judge_battery(store: Store, known: DeviceState) -> None:
    if known.battery_low_id:
        if known.battery_pct >= BATTERY_FINE_PCT:
            _end(store, known, known.battery_low_id)
            known.battery_low_id = ""
    elif 0 <= known.battery_pct <= BATTERY_LOW_PCT:
        known.battery_low_id = f"battery-{known.device}-{known.next_number}"
        known.next_number += 1
        raised = AlertRaised(
            alert_key=known.battery_low_id,
            kind="battery_low",
            site=known.site,
            sku="",
            severity="warning",
            at_ms=store.now_ms,
            facts={"battery_pct": known.battery_pct},
            text=known.device,
        )
        store.outbox.alert(known.site, raised)


def _battery(known: DeviceState, status: StatusInput) -> int:
    return status.battery_pct if status.battery_pct >= 0 else known.battery_pct


def _tell(store: Store, known: DeviceState, status: StatusInput) -> None:
    event_id = f"device-{known.device}-{known.next_number}"
    known.next_number += 1
    known.battery_pct = _battery(known, status)
    store.devices.touch(known.device)
    store.outbox.events.append(
        DeviceStatusChanged(
            event_id=event_id,
            device=known.device,
            site=known.site,
            online=known.online,
            at_ms=store.now_ms,
            battery_pct=known.battery_pct,
        )
    )
    if not known.online:
        known.silent_id = event_id
        _raise_silent(store, known, "warning")
        store.timers.arm((DEVICE, known.device), silence_due_ms(store, known.device))
    elif known.silent_id:
        _end(store, known, known.silent_id)
        known.silent_id, known.silent_long = "", False


def _end(store: Store, known: DeviceState, alert_key: str) -> None:
    store.outbox.end_alert(alert_key, known.site, store.now_ms)


def _raise_silent(store: Store, known: DeviceState, severity: Severity) -> None:
    raised = AlertRaised(
        alert_key=known.silent_id,
        kind="device_silent",
        site=known.site,
        sku="",
        severity=severity,
        at_ms=store.now_ms,
        text=known.device,
    )
    store.outbox.alert(known.site, raised)
