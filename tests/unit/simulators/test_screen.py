"""The picture and the line show what the view holds."""

import msgspec
from rich.console import Console

from simulators.live import Figures
from simulators.screen import Surround, agreement_table, line, measured, picture
from simulators.verification import Agreement
from simulators.views import StockView
from streams.contracts.state import LEVEL, TRANSFER, Breach, Level, Transfer, key

FIGURES = Figures(
    world_ms=1_291_191_960_000,
    seconds=1.0,
    published_events=10,
    accepted_events=9,
    unaccepted_events=1,
    resent_events=0,
    accepted_events_per_s=1234.5,
    accepted_ms_p50=12,
    accepted_ms_p99=34,
    scans=3,
    lost_sales_units=0,
    in_transit_units=0,
)


def a_view() -> StockView:
    """Return a view of one low shelf and one transfer to it."""
    view = StockView()
    breach = Breach("low_stock", 1_291_191_960_000, breach_id="breach-TEA-1")
    level = Level(sku="TEA", site="shop-02", on_hand_units=3, breaches=[breach])
    view.take(key(LEVEL, "TEA", "shop-02"), msgspec.msgpack.encode(level))
    transfer = Transfer(
        transfer_id="transfer-TEA-2",
        sku="TEA",
        from_site="shop-01",
        to_site="shop-02",
        state="in_transit",
        quantity_units=7,
        dispatched_units=7,
    )
    view.take(key(TRANSFER, transfer.transfer_id), msgspec.msgpack.encode(transfer))
    return view


def shown(renderable: object) -> str:
    """Return a picture as plain text."""
    console = Console(width=140, height=50, record=True, file=None, quiet=False)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


def test_the_picture_names_what_moves() -> None:
    """Sites, breaches, transfers, rates and latencies are all in it."""
    text = shown(picture(a_view(), FIGURES, Surround(lag_records=4, influx="InfluxDB: building")))
    for part in ("shop-02", "low_stock", "in_transit", "1,234", "p99 34 ms", "lag 4", "building"):
        assert part in text


def test_the_first_picture_needs_no_figures() -> None:
    """Before anything was measured it is shown too."""
    assert "Shelfstream" in shown(picture(StockView(), None, Surround()))


def test_the_line_says_the_same() -> None:
    """One line, with what was measured."""
    text = line(a_view(), FIGURES, Surround(elapsed_s=5, lag_records=4))
    assert "\n" not in text
    assert "1,234 events/s" in text
    assert "breaches 1  on the way 1" in text


def test_what_was_not_measured_is_a_dash() -> None:
    """No latency is ever assumed."""
    assert (measured(-1), measured(0)) == ("-", "0 ms")


def test_the_verdict_is_shown() -> None:
    """Exact, or not exact with the differences."""
    assert "exact, checked in 1.0 s" in shown(agreement_table(Agreement(keys=1, agree=1), 1.0))
    wrong = Agreement(keys=1, differ=1, differences=["'TEA' at shop-02: the book says 3, truly 4"])
    text = shown(agreement_table(wrong, 1.0))
    assert "NOT exact" in text
    assert "truly 4" in text
