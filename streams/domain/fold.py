"""The stock fold: one partition's inputs, in log order, to state and outputs.

Each input is applied by the handler of its type; then the levels it touched are assessed, and what
has become due by now is done. None of it depends on where frames end or drains happen.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from ingest.contracts.counts import CountLineInput
from ingest.contracts.errors import InstallationError
from ingest.contracts.order_lines import OrderLineInput
from ingest.contracts.units import UnitArrivedInput
from ingest.frames import (
    INPUT_FRAMES,
    BarrierInput,
    CommandInput,
    Frame,
    InputItem,
    InstallationInput,
    OpeningInput,
    ReadingInput,
    ReferenceInput,
    ScanInput,
    StatusInput,
    TickInput,
)
from streams.command_answers import ANSWERS_KEPT_MS
from streams.contracts.counts import COUNT_LINE
from streams.contracts.demand import PROMOTION_NEED
from streams.contracts.events import BarrierPassed
from streams.contracts.lots import LOTS
from streams.contracts.orders import ORDER_LINE, ORDER_QUEUE
from streams.contracts.planogram import PLANOGRAM
from streams.contracts.state import COMMAND, DEVICE, LEVEL, NEED, SEPARATOR, SKU, TRANSFER
from streams.contracts.voids import VOIDED
from streams.contracts.witnesses import WITNESS
from streams.domain import (
    breaches,
    counts,
    crossdock,
    expiry,
    needs,
    order_queues,
    orders,
    planogram,
    promised,
    promotions,
    sensing,
    transfers,
    witnesses,
)
from streams.domain.commands import apply_command, forget_answered
from streams.domain.devices import apply_device_status, silence_due_ms, tell_long_silence
from streams.domain.openings import apply_opening
from streams.domain.records import RECORDS_CACHED_MAX
from streams.domain.reference import apply_reference
from streams.domain.restored import BUCKET, BlindAges
from streams.domain.rounds import ROUND, begin_round, go_round, round_due_ms
from streams.domain.scans import apply_scan
from streams.domain.sensing import apply_channel_status, apply_reading
from streams.domain.store import Store, second_of
from streams.domain.timers import TimerKey
from streams.domain.units import receive_unit
from streams.domain.voids import forget_voided, voided_due_ms
from streams.engine.fold import Changes

Handler = Callable[[Store, Any], None]


class StockFold:
    """The fold of one partition; see `streams.engine.fold.Fold`."""

    def __init__(self, partition: int, partition_count: int) -> None:
        """Take the partition and the installation's partition count."""
        self._store = Store(partition, partition_count)

    def start(self, state: Mapping[bytes, bytes]) -> None:
        """Take the restored state; rebuild the reference set, the list of SKUs and the timers."""
        store = self._store
        store.load(state)
        store.catalogue.load(state)
        store.timers.clear()
        timed: list[TimerKey] = [(ROUND, "")]
        ages = BlindAges(store.catalogue.policies, store.category)
        for raw in store.restored.load(state, ages, store.timers):
            kind, _, name = raw.decode().partition(SEPARATOR)
            if kind == SKU:
                store.skus[name] = None
                store.shares.add(name)
            elif kind == ORDER_QUEUE:
                sku, _, site = name.partition(SEPARATOR)
                store.waiting[sku, site] = None
            elif kind in _DUE_MS:
                timed.append((kind, name))
                if kind == COUNT_LINE:
                    sku, _, site = name.partition(SEPARATOR)
                    store.counting[sku, site] = []
        for number, timer_key in enumerate(timed):
            _arm_restored(store, timer_key)
            if number % RECORDS_CACHED_MAX == 0:  # or all of them would stand decoded
                store.trim()
        store.trim()

    def fold(self, value: bytes) -> None:
        """Fold one frame.

        Raises:
            FrameError: The bytes are no frame; nothing was changed.
            InstallationError: The log is of another installation, or lacks a catalogue load.
        """
        frame = INPUT_FRAMES.decode(value)
        if not frame.items:
            return
        store = self._store
        if frame.reference_version > store.clock.reference_version:
            _check_reference(store, frame)
        store.resolved_by_version = frame.reference_version
        _advance(store, frame.received_at_ms)
        timers, clock, handlers = store.timers, store.clock, _HANDLERS
        for item in frame.items:
            handlers[type(item)](store, item)
            if store.touched:
                _assess_touched(store)
            if timers.next_ms <= clock.now_ms:
                _run_timers(store)

    def drain(self) -> Changes:
        """Return all changes since the last call, and forget them."""
        store = self._store
        return Changes(store.drain_state(), store.outbox.drain(store.now_ms))


def _check_reference(store: Store, frame: Frame[InputItem]) -> None:
    # A load reaches every partition in the transaction that shows it to the bridge, so what was
    # resolved by it stands behind it here. Only the load's own frames come before it is folded.
    if not isinstance(frame.items[0], ReferenceInput | InstallationInput):
        raise InstallationError(
            f"a frame was resolved by catalogue load {frame.reference_version}, but partition"
            f" {store.partition} has only been told load {store.clock.reference_version}"
        )


def _advance(store: Store, at_ms: int) -> None:
    if at_ms > store.clock.now_ms:
        store.clock.now_ms = at_ms
        store.now_s = second_of(at_ms)
        if store.clock.round_minute < 0:
            begin_round(store)
        if store.timers.next_ms <= at_ms:
            _run_timers(store)


def _assess_touched(store: Store) -> None:
    while store.touched:
        touched, store.touched = store.touched, {}
        for sku_site in touched:
            if sku_site in store.counting:
                counts.follow(store, *sku_site)
            if sku_site in store.waiting:
                order_queues.serve(store, *sku_site)
            level = store.levels.get(sku_site)
            if level is None:
                continue
            if store.gained and sku_site in store.gained:
                crossdock.allot(store, level, store.gained.pop(sku_site))
            rules = store.catalogue.cached_rules.get(sku_site) or store.rules(*sku_site)
            breaches.assess(store, level, rules)
            # each of its movements has to come by here
            if sku_site in store.counting or sku_site in store.waiting:
                store.stir_level(*sku_site)
            if level.sensed or level.breaches:
                due_ms = breaches.level_due_ms(level, rules)
                if due_ms:
                    store.timers.arm((LEVEL, *sku_site), due_ms)


def _run_timers(store: Store) -> None:
    store.observed_at_ms = 0
    for due_ms, timer_key in store.timers.due(store.now_ms):
        true_due_ms = _due_ms(store, timer_key)
        if true_due_ms > due_ms:
            # It was put off: even if that time has come too, others may be due before it.
            store.timers.arm(timer_key, true_due_ms)
            continue
        next_due_ms = _TIMER_ACTIONS[timer_key[0]](store, *timer_key[1:])
        if next_due_ms > due_ms:
            store.timers.arm(timer_key, next_due_ms)
        _assess_touched(store)


def _level_timer(store: Store, sku: str, site: str) -> int:
    level = store.levels.get((sku, site))
    if level is None:
        return 0
    rules = store.rules(sku, site)
    due_ms = breaches.level_due_ms(level, rules)
    if 0 < due_ms <= store.now_ms:
        sensing.settle(store, level)
        sensing.turn_blind(store, level, rules)
        store.touched[sku, site] = None
        return 0
    return due_ms


def _apply_status(store: Store, status: StatusInput) -> None:
    store.observed_at_ms = 0
    if status.sku:
        apply_channel_status(store, status)
    else:
        apply_device_status(store, status)


def _unobserved(handler: Handler) -> Handler:
    def apply(store: Store, item: Any) -> None:
        store.observed_at_ms = 0
        handler(store, item)

    return apply


def _apply_tick(store: Store, tick: TickInput) -> None:
    _advance(store, tick.at_ms)


def _apply_barrier(store: Store, barrier: BarrierInput) -> None:
    passed = BarrierPassed(
        barrier_id=barrier.barrier_id, partition=store.partition, at_ms=store.now_ms
    )
    store.outbox.events.append(passed)


def _apply_installation(store: Store, installation: InstallationInput) -> None:
    clock = store.clock
    known = (clock.installation_id or installation.installation_id, store.partition_count)
    if known != (installation.installation_id, installation.partition_count):
        raise InstallationError(
            f"the input log is of installation {installation.installation_id} with"
            f" {installation.partition_count} partitions, but the state is of {known[0]}"
            f" with {known[1]}"
        )
    clock.installation_id = installation.installation_id
    clock.partition_count = installation.partition_count
    clock.time = installation.time


def _arm_restored(store: Store, timer_key: TimerKey) -> None:
    due_ms = _due_ms(store, timer_key)
    if due_ms:
        store.timers.arm(timer_key, due_ms)


def _arm_bucket(store: Store, number: str) -> int:
    for timer_key in store.restored.take(number):
        _arm_restored(store, timer_key)
    return 0


def _due_ms(store: Store, timer_key: tuple[str, ...]) -> int:
    """Return when a timer is due by the state alone, 0 for never: live and restored the same."""
    kind, name = timer_key[0], timer_key[1]
    if kind == LEVEL:
        level = store.levels.get((name, timer_key[2]))
        if level is None or not (level.sensed or level.breaches):
            return 0
        return breaches.level_due_ms(level, store.rules(name, timer_key[2]))
    return _DUE_MS[kind](store, name) if kind in _DUE_MS else 0


def _transfer_due_ms(store: Store, name: str) -> int:
    transfer = store.transfers.get(name)
    return transfers.due(transfer) if transfer is not None else 0


def _need_due_ms(store: Store, name: str) -> int:
    need = store.needs.get(name)
    return needs.due(need) if need is not None else 0


def _command_due_ms(store: Store, name: str) -> int:
    answered = store.commands.get(name)
    return answered.at_ms + ANSWERS_KEPT_MS if answered is not None else 0


_DUE_MS: Final[dict[str, Callable[[Store, str], int]]] = {
    TRANSFER: _transfer_due_ms,
    NEED: _need_due_ms,
    COMMAND: _command_due_ms,
    ORDER_LINE: orders.line_due_ms,
    ROUND: round_due_ms,
    VOIDED: voided_due_ms,
    COUNT_LINE: counts.line_due_ms,
    LOTS: expiry.due_ms,
    PROMOTION_NEED: promotions.due_ms,
    WITNESS: witnesses.due_ms,
    PLANOGRAM: planogram.due_ms,
    DEVICE: silence_due_ms,
}

_HANDLERS: Final[dict[type, Handler]] = {
    ReadingInput: apply_reading,
    ScanInput: apply_scan,
    StatusInput: _apply_status,
    CommandInput: _unobserved(apply_command),
    ReferenceInput: _unobserved(apply_reference),
    OpeningInput: _unobserved(apply_opening),
    OrderLineInput: _unobserved(orders.apply_order_line),
    CountLineInput: _unobserved(counts.apply_count_line),
    UnitArrivedInput: receive_unit,
    TickInput: _apply_tick,
    BarrierInput: _apply_barrier,
    InstallationInput: _apply_installation,
}

_TIMER_ACTIONS: Final[dict[str, Callable[..., int]]] = {
    LEVEL: _level_timer,
    TRANSFER: promised.time_out,
    NEED: needs.forget_closed,
    COMMAND: forget_answered,
    ORDER_LINE: orders.wake_line,
    BUCKET: _arm_bucket,
    ROUND: go_round,
    VOIDED: forget_voided,
    COUNT_LINE: counts.forget_line,
    LOTS: expiry.come_due,
    PROMOTION_NEED: promotions.come_due,
    WITNESS: witnesses.come_due,
    PLANOGRAM: planogram.come_due,
    DEVICE: tell_long_silence,
}
