"""The demo's view: folded from records and events, counting only what it was given."""

import msgspec

from simulators.views import LATENCIES_MAX, StockView, Totals
from streams.contracts.events import BarrierPassed, NeedChanged, TransferChanged
from streams.contracts.state import LEVEL, NEED, TRANSFER, Breach, Level, Need, Transfer, key


def take_level(view: StockView, site: str, sku: str, units: int, *breaches: Breach) -> None:
    """Put a level into the view."""
    level = Level(sku=sku, site=site, on_hand_units=units, breaches=tuple(breaches))
    view.take(key(LEVEL, sku, site), msgspec.msgpack.encode(level))


def test_sites_are_summed_by_newest_level() -> None:
    """A newer record replaces the older one of its key."""
    view = StockView()
    take_level(view, "shop-01", "TEA", 9)
    take_level(view, "shop-01", "TEA", 4, Breach("low_stock", 5, breach_id="breach-TEA-1"))
    take_level(view, "shop-01", "JAM", 0, Breach("stockout", 7))
    take_level(view, "shop-02", "JAM", 1)
    assert [(row.site, row.units, row.low, row.out) for row in view.sites()] == [
        ("shop-01", 4, 1, 1),
        ("shop-02", 1, 0, 0),
    ]
    assert [breach.breach_id for _, breach in view.breaches()] == ["breach-TEA-1"]
    view.take(key(LEVEL, "JAM", "shop-02"), None)
    assert view.totals().keys == 2


def test_transfers_on_the_way_come_first() -> None:
    """Closed ones are gone; units on the way are what left and has not arrived."""
    view = StockView()
    for number, state in enumerate(("received", "approved", "dispatched")):
        transfer = Transfer(
            transfer_id=f"transfer-TEA-{number}",
            sku="TEA",
            from_site="shop-01",
            to_site="shop-02",
            state=state,  # type: ignore[arg-type] # a literal out of a tuple
            quantity_units=5,
            dispatched_units=4,
        )
        view.take(key(TRANSFER, transfer.transfer_id), msgspec.msgpack.encode(transfer))
        view.hear(TransferChanged(at_ms=0, transfer=transfer), 0)
    assert [one.state for one in view.transfers()] == ["dispatched", "approved"]
    totals = view.totals()
    assert (totals.transfers_open, totals.transfers_on_the_way, totals.units_on_the_way) == (
        2,
        1,
        4,
    )
    assert totals.transfers_received == 1


def test_a_barrier_is_timed_when_all_partitions_passed_it() -> None:
    """The round trip ends with the last partition; strange barriers are ignored."""
    view = StockView()
    view.probe("probe-1", [0, 1], 100)
    view.hear(BarrierPassed(barrier_id="other", partition=0, at_ms=0), 110)
    view.hear(BarrierPassed(barrier_id="probe-1", partition=0, at_ms=0), 120)
    assert (view.probes_waiting, view.barrier_ms_percentile(0.5)) == (1, -1)
    view.hear(BarrierPassed(barrier_id="probe-1", partition=1, at_ms=0), 150)
    assert (view.probes_waiting, view.barrier_ms_percentile(0.5)) == (0, 50)


def test_a_received_transfer_is_counted_once() -> None:
    """A correction after its receipt tells of it again; it was one transfer all the time."""
    view = StockView()
    for name in ("transfer-TEA-1", "transfer-TEA-2", "transfer-TEA-1"):
        transfer = Transfer(
            transfer_id=name,
            sku="TEA",
            from_site="shop-01",
            to_site="shop-02",
            state="received",
            quantity_units=5,
        )
        view.hear(TransferChanged(at_ms=0, transfer=transfer), 0)
    assert view.totals().transfers_received == 2


def test_needs_and_breaches_are_counted_as_they_are_told() -> None:
    """Opened breaches and served needs are events; open needs are the table's."""
    view = StockView()
    need = Need(
        need_id="need-TEA-1",
        sku="TEA",
        site="shop-01",
        from_site="",
        state="open",
        quantity_units=3,
        opened_at_ms=0,
    )
    view.take(key(NEED, need.need_id), msgspec.msgpack.encode(need))
    assert (view.totals().needs_open, view.totals().needs_closed) == (1, 0)
    view.take(key(NEED, need.need_id), None)
    view.hear(NeedChanged(at_ms=0, need=msgspec.structs.replace(need, state="closed")), 0)
    assert (view.totals().needs_open, view.totals().needs_closed) == (0, 1)


def test_what_is_no_stock_is_passed_over() -> None:
    """Records without a key, and of other kinds, change nothing."""
    view = StockView()
    view.take(None, b"x")
    view.take(key("source", "gateway-shop-01"), b"x")
    assert view.totals() == Totals()


def test_only_the_latest_round_trips_are_kept() -> None:
    """A percentile is of what is going on, within a named limit."""
    view = StockView()
    for number in range(LATENCIES_MAX + 10):
        view.probe(f"probe-{number}", [0], 0)
        view.hear(BarrierPassed(barrier_id=f"probe-{number}", partition=0, at_ms=0), number)
    assert len(view.barrier_ms) == LATENCIES_MAX
    assert view.barrier_ms[0] == 10
