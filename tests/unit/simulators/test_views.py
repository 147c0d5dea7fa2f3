"""The demo's view: folded from records and events, counting only what it was given."""

import msgspec

from simulators.views import StockView
from streams.contracts.events import BarrierPassed, TransferChanged
from streams.contracts.state import LEVEL, TRANSFER, Breach, Level, Transfer, key


def take_level(view: StockView, site: str, sku: str, units: int, *breaches: Breach) -> None:
    """Put a level into the view."""
    level = Level(sku=sku, site=site, on_hand_units=units, breaches=list(breaches))
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
