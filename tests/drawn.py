"""One of everything that InfluxDB is given, as records of the topics it comes from."""

import msgspec

from ingest.contracts import topics
from streams.contracts.blindness import BlindIntervalChanged
from streams.contracts.counts import CountLineChanged, CountSessionChanged
from streams.contracts.events import (
    EVENT_FRAMES,
    BreachCleared,
    BreachOpened,
    DeviceStatusChanged,
    NeedChanged,
    PurchaseChanged,
    StreamEvent,
    TransferChanged,
)
from streams.contracts.kpis import KpisClosed, KpiSums
from streams.contracts.ledger import MOVEMENT_FRAMES, Movement
from streams.contracts.lots import EXPIRED, FRESH, LOTS, NEAR, Lot, LotBook, LotHeld
from streams.contracts.orders import CustomerOrder, OrderChanged, OrderLineChanged, SagaLine
from streams.contracts.purchases import PurchaseOrder, PurchaseOrderLine
from streams.contracts.state import LEVEL, Level, Need, SensedChannel, Transfer, key
from streams.engine.ports import LogRecord

AT_MS = 1_764_000_000_000


def _orders(sku: str) -> list[StreamEvent]:
    """Return an order of which one line is held and one waits, and what became of that line."""
    lines = [
        SagaLine(sku=sku, site="S1", quantity_units=3, state="reserved", reserved_units=3),
        SagaLine(sku=sku, site="S2", quantity_units=5, state="waiting", reserved_units=1),
    ]
    waits = CustomerOrder(
        order_id='SO "17"',
        state="confirmed",
        fulfilment="partial",
        back_order=True,
        priority=0,
        need_by_ms=0,
        placed_by="ann",
        placed_at_ms=AT_MS - 500,
        expires_at_ms=0,
        version=4,
        lines=lines,
    )
    short = OrderLineChanged(
        order_id='SO "17"',
        line=2,
        sku=sku,
        site="S2",
        state="waiting",
        at_ms=AT_MS,
        quantity_units=5,
        reserved_units=1,
    )
    return [OrderChanged(at_ms=AT_MS, actor="ann", order=waits), short]


def _purchases(sku: str) -> list[StreamEvent]:
    line = PurchaseOrderLine(
        sku=sku, site="S2", quantity_units=12, received_units=5, unit_cost_minor=40
    )
    order = PurchaseOrder(
        order_id="purchase-MILL-3",
        supplier="MILL",
        state="partly_received",
        opened_at_ms=AT_MS,
        flags=["late"],
        lines={f"need-{sku}-11": line},
    )
    return [PurchaseChanged(at_ms=AT_MS, order=order)]


def _counts(sku: str) -> list[StreamEvent]:
    numbers = {
        "expected_units": 9,
        "counted_units": 7,
        "difference_units": -2,
        "difference_minor": -80,
    }
    counted = CountLineChanged(
        session_id="count-S1-4",
        sku=sku,
        site="S1",
        state="counted",
        at_ms=AT_MS,
        actor="ann",
        decided_from=numbers,
        within_tolerance=True,
    )
    closed = CountSessionChanged(
        session_id="count-S1-4",
        site="S1",
        state="closed",
        at_ms=AT_MS,
        actor="ann",
        lines={"counted": 1, "missed": 2},
    )
    return [counted, closed]


def _outliers(sku: str) -> list[StreamEvent]:
    """Return two unusual lines of one article at one site, of which one was accepted."""
    opened = [
        BreachOpened(
            breach_id=f"breach-{sku}-{number}",
            sku=sku,
            site="S2",
            kind="order_outlier",
            at_ms=AT_MS - 1_000,
            since_ms=AT_MS - 1_000,
            available_units=9,
            position_units=9,
            threshold_units=20,
            cause=f"SO-17/{number}",
        )
        for number in (15, 16)
    ]
    accepted = BreachCleared(
        breach_id=f"breach-{sku}-16",
        sku=sku,
        site="S2",
        kind="order_outlier",
        at_ms=AT_MS,
        opened_at_ms=AT_MS - 1_000,
        available_units=9,
        threshold_units=20,
    )
    return [*opened, accepted]


def _blind(sku: str) -> list[StreamEvent]:
    """Return an interval that is over at one site, and one that goes on at the other."""
    ended = BlindIntervalChanged(
        blind_id=f"blind-{sku}-13",
        sku=sku,
        site="S1",
        state="closed",
        at_ms=AT_MS,
        since_ms=AT_MS - 90_000,
        cause="silent",
    )
    begun = BlindIntervalChanged(
        blind_id=f"blind-{sku}-14",
        sku=sku,
        site="S2",
        state="open",
        at_ms=AT_MS,
        since_ms=AT_MS,
        cause="offline",
        channels=["d/1", "d/2"],
    )
    return [ended, begun]


def drawn_records(sku: str) -> list[LogRecord]:
    """Return one of everything that is drawn, for one SKU at two sites."""
    level = Level(
        sku=sku,
        site="S1",
        on_hand_units=3,
        sensed=(SensedChannel("d/1", 2, AT_MS, AT_MS),),
        updated_at_ms=AT_MS,
        value_minor=300,
    )
    empty = Level(sku=sku, site="S2", updated_at_ms=AT_MS)
    moved = [
        Movement(
            movement_id=f"movement-{sku}-{n}",
            sku=sku,
            site="S1",
            kind="sale",
            bucket="on_hand",
            quantity_units=-1,
            before_units=5 - n,
            after_units=4 - n,
            cause=f"g/b/{n}",
            effective_at_ms=AT_MS,
            recorded_at_ms=AT_MS,
        )
        for n in range(2)
    ]
    opened = BreachOpened(
        breach_id=f"breach-{sku}-9",
        sku=sku,
        site="S2",
        kind="stockout",
        at_ms=AT_MS,
        since_ms=AT_MS,
        available_units=0,
        position_units=0,
        threshold_units=0,
        observed_at_ms=AT_MS - 40,
    )
    transfer = Transfer(
        transfer_id=f"transfer-{sku}-10",
        sku=sku,
        from_site="S1",
        to_site="S2",
        state="approved",
        quantity_units=2,
    )
    need = Need(
        need_id=f"need-{sku}-11",
        sku=sku,
        site="S2",
        from_site="W1",
        state="open",
        quantity_units=6,
        opened_at_ms=AT_MS,
    )
    closed = KpisClosed(
        sku=sku,
        site="S1",
        from_ms=AT_MS - 86_400_000,
        at_ms=AT_MS,
        sums=KpiSums(
            observed_ms=86_400_000,
            out_ms=3_600_000,
            sensed_ms=80_000_000,
            blind_ms=6_400_000,
            held_unit_s=400_000,
            issued_units=2,
            asked_units=4,
            filled_units=3,
        ),
        on_hand_units=3,
        value_minor=300,
        unit_cost_minor=100,
        excess_minor=100,
        demand_milli_day=2_000,
        lost_milli=83,
        shelf_units=2,
    )
    cleared = BreachCleared(
        breach_id=f"breach-{sku}-8",
        sku=sku,
        site="S1",
        kind="low_stock",
        at_ms=AT_MS,
        opened_at_ms=AT_MS - 1_000,
        available_units=3,
        threshold_units=2,
    )
    told: list[StreamEvent] = [
        opened,
        cleared,
        closed,
        TransferChanged(at_ms=AT_MS, transfer=transfer),
        NeedChanged(at_ms=AT_MS, need=need),
        DeviceStatusChanged(
            event_id="status-1", device="d", site="S1", online=True, at_ms=AT_MS, battery_pct=80
        ),
        *_blind(sku),
        *_outliers(sku),
        *_orders(sku),
        *_purchases(sku),
        *_counts(sku),
        LotHeld(
            hold_id=f"hold-{sku}-12",
            sku=sku,
            site="S1",
            lot="L1",
            cause="quarantine",
            quantity_units=1,
            quarantined_units=1,
            unknown_units=0,
            at_ms=AT_MS,
        ),
    ]
    lots = LotBook(
        sku=sku,
        site="S1",
        lots=[
            Lot("L1", AT_MS - 1, 1, 0, EXPIRED),
            Lot("L2", AT_MS + 1, 2, 1, NEAR),
            Lot("L3", 0, 4, 2, FRESH),
        ],
        unknown_units=1,
        updated_at_ms=AT_MS,
    )
    encode = msgspec.msgpack.encode
    return [
        LogRecord(topics.STOCK.name, 0, 0, key(LEVEL, sku, "S1"), encode(level)),
        LogRecord(topics.STOCK.name, 0, 1, key(LEVEL, sku, "S2"), encode(empty)),
        LogRecord(topics.STOCK.name, 0, 2, key(LOTS, sku, "S1"), encode(lots)),
        LogRecord(
            topics.MOVEMENTS.name, 0, 0, None, MOVEMENT_FRAMES.encode(moved, received_at_ms=AT_MS)
        ),
        LogRecord(topics.EVENTS.name, 0, 0, None, EVENT_FRAMES.encode(told, received_at_ms=AT_MS)),
    ]
